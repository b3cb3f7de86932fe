"""Inputs made coarser before the model sees them (Xu et al. 2018, arXiv:1704.01155, section III)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from auditor.errors import UsageError
from auditor.outliers.foreign import Range
from auditor.outliers.squeezing import median as median_of
from auditor.outliers.squeezing import reduced
from auditor.subject import Model
from auditor.wrapped.behind import Behind, handle_of

__all__ = ["Bits", "Ends", "feature_squeezing", "within"]

Bits = Annotated[int, Field(ge=1, le=16)]
Ends = Annotated[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], Field(min_length=1, max_length=100_000)]


def feature_squeezing(model: Model, *, bits: Bits, median: bool, low: Ends, high: Ends) -> Model:
    """The model behind inputs of 2**`bits` values an element, and after that, with `median`, of 2 x 2 pixels.

    `low` and `high` are the ends between which the values lie: one for all elements, or one each of a vector; where
    both are the same an element stays as it is. Gradients pass the rounding as if it were not there, so that attacks
    see through it. UsageError for ends that do not fit.
    """
    return handle_of(Squeezed(model, bits, within(low, high), median=median))


def within(low: Ends, high: Ends) -> Range:
    """The range between `low` and `high`, a single end without dimensions; UsageError where they do not fit."""
    if len(low) != len(high) or any(a > b for a, b in zip(low, high, strict=False)):
        msg = f"a wrapper has {len(low):,} ends 'low' and {len(high):,} 'high'; expected as many, none above the other"
        raise UsageError(msg)
    ends = [torch.tensor(e if len(e) > 1 else e[0]) for e in (low, high)]
    return Range(ends[0], ends[1], ends[0] < ends[1])


class Squeezed(Behind):
    """The model with its inputs made coarser."""

    low: Tensor
    high: Tensor
    free: Tensor

    def __init__(self, model: Model, bits: int, ends: Range, *, median: bool) -> None:
        super().__init__(model)
        self.bits, self.median = bits, median
        for name in ("low", "high", "free"):
            self.register_buffer(name, getattr(ends, name).to(model.device), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, C), or values (N,), for inputs (N, ...)."""
        coarse = reduced(x, Range(self.low, self.high, self.free), self.bits)
        return self.asked(median_of(coarse) if self.median else coarse)
