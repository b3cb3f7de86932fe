"""Values with the gradient of something else."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["with_slope_of"]


def with_slope_of(source: Tensor, value: Tensor) -> Tensor:
    """`value` with the gradient that `source`, shaped alike, has."""
    return _WithSlope.apply(source, value)  # type: ignore[no-untyped-call,no-any-return]


class _WithSlope(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, source: Tensor, value: Tensor) -> Tensor:  # noqa: ARG004 - source gets the gradient
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004 - nothing was saved
        return gradient, None
