"""A quicker stand-in of an image model, for searches whose outcome is confirmed in float32."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from auditor.subject import HALVES, Model

__all__ = ["has_bfloat16", "quicker"]

LARGEST = 0.1  # beyond this difference of a probability the stand-in is no longer the same model
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Bfloat16(Model):
    """The same model computed in bfloat16 with the channels last; its module is not touched."""

    def returned(self, x: Tensor) -> Any:
        last = x.to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16):
            return super().returned(last)


def has_bfloat16(device: str) -> bool:
    """Whether `device` multiplies in bfloat16 by itself: a CPU with AVX-512 BF16 or AMX, a GPU that says so."""
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    known = torch.cpu.get_capabilities()
    return torch.device(device).type == "cpu" and bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def quicker(model: Model, x: Tensor) -> Model:
    """`model` in bfloat16 with the channels last, for images `x` (N, C, H, W) with classes; else `model` itself.

    Itself too where the device has no bfloat16, where an operation of the model has none, or where its probabilities
    for `x` move by more than .1. Probabilities are within about .01 to .05 of those in float32: for finding out what
    to look at, never for a figure that decides.
    """
    known = {f.name: getattr(model, f.name) for f in fields(Model)}
    half = any(p.dtype in HALVES for p in model.module.parameters())
    if x.ndim != 4 or model.output == "value" or half or not has_bfloat16(model.device):
        return model
    stand_in = _Bfloat16(**known)
    with torch.no_grad():
        try:
            moved = (stand_in(x).softmax(1) - model(x).softmax(1)).abs().max()
        except (RuntimeError, TypeError, ValueError) as e:
            _log.debug("no bfloat16: %s", e)
            return model
    return stand_in if bool(moved <= LARGEST) else model
