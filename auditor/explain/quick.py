"""Quicker stand-ins of an image model: with the channels last in memory, and in bfloat16 for searches alone."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from auditor.subject import HALVES, Model

__all__ = ["channels_last", "has_bfloat16", "quicker"]

LARGEST, ROUNDING = 0.1, 1e-3  # beyond this difference of an answer a stand-in is no longer the same model
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Last(Model):
    """The same model, its images with the channels last in memory: convolutions are faster so."""

    def returned(self, x: Tensor) -> Any:
        return super().returned(x.to(self.device).contiguous(memory_format=torch.channels_last))


@dataclass(frozen=True)
class _Bfloat16(_Last):
    """The same model computed in bfloat16 with the channels last; its module is not touched."""

    def returned(self, x: Tensor) -> Any:
        with torch.autocast(torch.device(self.device).type, torch.bfloat16):
            return super().returned(x)


def has_bfloat16(device: str) -> bool:
    """Whether `device` multiplies in bfloat16 by itself: a CPU with AVX-512 BF16 or AMX, a GPU that says so."""
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    known = torch.cpu.get_capabilities()
    return torch.device(device).type == "cpu" and bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def channels_last(model: Model, x: Tensor) -> Model:
    """`model` in its own precision that lays images (N, C, H, W) out with the channels last, tried on `x`.

    Itself where inputs are no images, where it cannot take them so, or where an answer moves by more than 1e-3.
    """
    return _tried(model, _Last(**_facts(model)), x, ROUNDING) if x.ndim == 4 else model


def quicker(model: Model, x: Tensor) -> Model:
    """`model` in bfloat16 with the channels last, for images with classes, tried on `x` (N, C, H, W); else itself.

    Itself too where the device has no bfloat16, where an operation of the model has none, or where a probability moves
    by more than .1. They are within about .01 to .05 of those in float32: for finding out what to look at, never for a
    figure that decides.
    """
    half = any(p.dtype in HALVES for p in model.module.parameters())
    if x.ndim != 4 or model.output == "value" or half or not has_bfloat16(model.device):
        return model
    return _tried(model, _Bfloat16(**_facts(model)), x, LARGEST)


def _facts(model: Model) -> dict[str, Any]:
    return {f.name: getattr(model, f.name) for f in fields(Model)}


def _tried(model: Model, stand_in: Model, x: Tensor, largest: float) -> Model:
    """`stand_in` where its probabilities (or values) for `x` are those of `model`, give or take `largest`."""
    with torch.no_grad():
        try:
            now = stand_in(x.clone())  # a copy, since some models write into their input
        except (RuntimeError, TypeError, ValueError) as e:
            _log.debug("no stand-in: %s", e)
            return model
        then = model(x.clone())
    if model.output != "value":
        now, then = now.softmax(1), then.softmax(1)
    size = max(1.0, float(then.abs().max()))
    return stand_in if bool((now - then).abs().max() <= largest * size) else model
