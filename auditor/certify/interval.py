"""Interval bounds: every element between two numbers (Gowal et al. 2018, arXiv:1810.12715, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from auditor.certify.abstract import Known, Linear, Region
from auditor.certify.functions import FUNCTIONS

__all__ = ["Interval", "over_a_dip"]

NEAR = 0.01  # of a bend, where neither side can be told


@dataclass(frozen=True)
class Interval(Region):
    """All inputs between `low` and `high` (N, ...), elements on their own.

    `last` is the linear layer that made it and what went in, so that differences of outputs are bounded at once.
    """

    known: ClassVar[Mapping[str, Known]] = FUNCTIONS
    low: Tensor
    high: Tensor
    last: tuple[Linear, Linear, Interval] | None = None
    ordered: bool = False

    def bounds(self) -> tuple[Tensor, Tensor]:
        return self.low, self.high

    def moved(self, f: Linear) -> Self:
        return replace(self, low=f(self.low), high=f(self.high), last=None)

    def weighted(self, f: Linear, bare: Linear, sizes: Linear) -> Self:
        middle, radius = f((self.low + self.high) / 2), sizes((self.high - self.low) / 2)
        return replace(self, low=middle - radius, high=middle + radius, last=(f, bare, replace(self)))

    def monotone(self, f: Linear, name: str) -> Self:  # noqa: ARG002 - all alike here
        return replace(self, low=f(self.low), high=f(self.high), last=None)

    def dipping(self, f: Linear, bend: float, least: float) -> Self:
        low, high = over_a_dip(f, self.low, self.high, bend, least)
        return replace(self, low=low, high=high, last=None)

    def pooled(self, f: Linear) -> Self:
        return replace(self, low=f(self.low), high=f(self.high), last=None)

    def plus(self, other: Self, sign: float) -> Self:
        low, high = (other.low, other.high) if sign > 0 else (-other.high, -other.low)
        return replace(self, low=self.low + low, high=self.high + high, last=None)

    def joined(self, others: Sequence[Self], f: Callable[[Sequence[Tensor]], Tensor]) -> Self:
        low, high = f([self.low, *(o.low for o in others)]), f([self.high, *(o.high for o in others)])
        return replace(self, low=low, high=high, last=None)

    def margins(self, y: Tensor) -> Tensor:
        """(N, C) the least by which class `y` (N,) lies above each other class; infinite for itself."""
        if self.last is None or self.low.ndim != 2:
            least = self.low.gather(1, y[:, None]) - self.high
            return least.scatter(1, y[:, None], torch.inf)
        f, bare, inner = self.last
        middle, radius = (inner.low + inner.high) / 2, (inner.high - inner.low) / 2
        outputs = f(middle)
        # the weights of the layer, from what it gives for each unit: then |w_y - w_c| bounds the difference
        units = torch.eye(radius[0].numel(), dtype=radius.dtype).view(-1, *radius.shape[1:])
        weights = bare(units)
        apart = (weights[:, y].T[:, :, None] - weights[None]).abs()
        least = outputs.gather(1, y[:, None]) - outputs - (radius.flatten(1)[:, :, None] * apart).sum(1)
        return least.scatter(1, y[:, None], torch.inf)


def over_a_dip(f: Linear, low: Tensor, high: Tensor, bend: float, least: float) -> tuple[Tensor, Tensor]:
    """The ends of what `f` makes of the values between `low` and `high`; see `Region.dipping`."""
    at_low, at_high = f(low), f(high)
    nearest = torch.where(low >= bend + NEAR, at_low, torch.where(high <= bend - NEAR, at_high, least))
    return nearest, torch.maximum(at_low, at_high)
