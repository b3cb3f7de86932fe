"""Inputs that can be moved by a little: numbers as they are, of texts the embeddings of their tokens."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from auditor.errors import NotApplicable
from auditor.subject import Data, Model

__all__ = ["default_epsilon", "movable", "need_movable"]

IMAGES, TABLES, TEXTS = 8 / 255, 0.25, 0.5


def movable(model: Model, x: Tensor) -> tuple[Model, Tensor]:
    """The model of, and the float inputs (N, ...) for, what is trained to stand changes.

    Of token ids (N, T) these are embeddings (N, T, D), through which gradients reach the embedding itself. A change of
    1 means the standard deviation of the embedding's weights; where there is no token nothing changes (Miyato et al.
    2017, arXiv:1605.07725).
    """
    if x.is_floating_point():
        return model, x
    embedded = model.embed(x).cpu()
    spread = model.module.get_input_embeddings().weight.detach().std()  # type: ignore[operator]
    unit = spread.cpu() * (x >= 0)[..., None]
    return replace(model, bounds=(-torch.inf, torch.inf), unit=unit), embedded


def default_epsilon(model: Model, data: Data) -> float:
    """How large changes are that a model learns to stand, where nobody says it.

    8/255 of a picture's range, a quarter of the standard deviation of a column, or where there is no range of the unit,
    half of the standard deviation of an embedding's weights.
    """
    if data.texts is not None:
        return TEXTS
    low, high = (torch.as_tensor(b, dtype=torch.float32) for b in model.bounds)
    span = float((high - low).max())
    return TABLES if len(data.shape) == 1 or not math.isfinite(span) else IMAGES * span


def need_movable(model: Model) -> None:
    """NotApplicable where no element of the input may be changed."""
    if not bool(torch.as_tensor(model.unit).any()):
        msg = "no element of the input may be changed, so that there is nothing to learn to stand"
        raise NotApplicable(msg)
