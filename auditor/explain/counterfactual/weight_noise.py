"""A model with small noise on its weights: what it would say had it been trained a little otherwise."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from dataclasses import replace

import torch

from auditor.errors import NotApplicable
from auditor.subject import Model

__all__ = ["noised"]


def noised(model: Model, scale: float, copies: int, seed: int) -> Iterator[Model]:
    """`copies` of `model`, each with Gaussian noise on every weight: `scale` times the root mean square of its tensor.

    They share one copy of the module, so each is to be used before the next; `model` itself is never touched.
    NotApplicable where its weights cannot be reached or it cannot be copied.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch has some to say of copies of its own programs
            module = copy.deepcopy(model.module)
    except Exception as e:  # noqa: BLE001 - a module's own code and torch raise what they like
        msg = f"the model cannot be copied ({type(e).__name__})"
        raise NotApplicable(msg) from None
    weights = [p for p in module.parameters() if p.is_floating_point() and p.numel()]
    if not weights:
        msg = "the model shows no weights"
        raise NotApplicable(msg)
    were = [p.detach().clone() for p in weights]
    generator = torch.Generator().manual_seed(seed)
    for _ in range(copies):
        with torch.no_grad():
            for p, was in zip(weights, were, strict=True):
                noise = torch.randn(was.shape, generator=generator).to(was.device)
                spread = scale * was.float().square().mean().sqrt()
                p.copy_((was.float() + spread * noise).to(was.dtype))
        yield replace(model, module=module)
