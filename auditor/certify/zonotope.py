"""Zonotopes: a centre and directions, so that what moves together is known to.

Singh et al. 2018, "Fast and effective robustness certification" (DeepZ); of ReLUs the bounds of Wong & Kolter 2018
(arXiv:1711.00851) and Weng et al. 2018 (Fast-Lin, arXiv:1804.09699), which use the same parallelogram.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from auditor.certify.abstract import Known, Linear, Region
from auditor.certify.functions import FUNCTIONS
from auditor.certify.interval import over_a_dip
from auditor.errors import NotApplicable

__all__ = ["Zonotope"]

FLAT = 1e-12
WIDEST = 40_000_000  # numbers in the ways of one input: 320 MB
NAMES = itertools.count()


@dataclass(frozen=True)
class Zonotope(Region):
    """One input: `centre` (1, ...) plus `ways` (K, ...), each times a number from -1 to 1.

    Ways of the same name among `names` (K,) have the same number, wherever they come together again.
    """

    known: ClassVar[Mapping[str, Known]] = FUNCTIONS
    centre: Tensor
    ways: Tensor
    names: Tensor
    ordered: bool = False

    @classmethod
    def box(cls, low: Tensor, high: Tensor) -> Zonotope:
        """All between `low` and `high` (1, ...)."""
        ways = _directions((high - low) / 2)
        return cls((low + high) / 2, ways, _new_names(len(ways)))

    def bounds(self) -> tuple[Tensor, Tensor]:
        radius = self.ways.abs().sum(0, keepdim=True)
        return self.centre - radius, self.centre + radius

    def moved(self, f: Linear) -> Self:
        # one by one, since a view may name the number of samples
        ways = torch.vmap(f)(self.ways[:, None])[:, 0] if len(self.ways) else f(self.centre)[:0]
        return replace(self, centre=f(self.centre), ways=ways)

    def weighted(self, f: Linear, bare: Linear, sizes: Linear) -> Self:  # noqa: ARG002 - directions have signs
        centre = f(self.centre)
        _need_narrow(len(self.ways) * centre.numel())
        return replace(self, centre=centre, ways=bare(self.ways))

    def monotone(self, f: Linear, name: str) -> Self:
        low, high = self.bounds()
        if name in {"relu", "leaky_relu"}:
            return self._bent(f, low, high)
        if name in {"sigmoid", "tanh"}:
            return self._saturating(f, name, low, high)
        return self._boxed(f(low), f(high))

    def _bent(self, f: Linear, low: Tensor, high: Tensor) -> Self:
        """A function of two slopes: the chord above, and the parallel through the bend below."""
        at_low, at_high = f(low), f(high)
        slope = torch.where(high - low > FLAT, (at_high - at_low) / (high - low).clamp_min(FLAT), 0.0)
        mixed = (low < 0) & (high > 0)
        gap = torch.where(mixed, at_low - slope * low, 0.0)  # the chord's height where the bend is
        slope = torch.where(mixed, slope, torch.where(low >= 0, f(torch.ones_like(low)), -f(-torch.ones_like(low))))
        return self._sloped(slope, gap / 2, gap / 2)

    def _saturating(self, f: Linear, name: str, low: Tensor, high: Tensor) -> Self:
        """Between two parallels with the smaller of the slopes at both ends (Singh et al. 2018, theorem 3.2)."""
        at_low, at_high = f(low), f(high)

        def steep(v: Tensor) -> Tensor:
            return v * (1 - v) if name == "sigmoid" else 1 - v.square()

        slope = torch.minimum(steep(at_low), steep(at_high))
        middle = (at_high + at_low - slope * (high + low)) / 2
        return self._sloped(slope, middle, (at_high - at_low - slope * (high - low)) / 2)

    def _sloped(self, slope: Tensor, shift: Tensor, radius: Tensor) -> Self:
        new = _directions(radius)
        ways, names = torch.cat([slope * self.ways, new]), torch.cat([self.names, _new_names(len(new))])
        return replace(self, centre=slope * self.centre + shift, ways=ways, names=names)

    def _boxed(self, low: Tensor, high: Tensor) -> Self:
        """Nothing is known but the ends."""
        ways = _directions((high - low) / 2)
        return replace(self, centre=(low + high) / 2, ways=ways, names=_new_names(len(ways)))

    def dipping(self, f: Linear, bend: float, least: float) -> Self:
        return self._boxed(*over_a_dip(f, *self.bounds(), bend, least))

    def pooled(self, f: Linear) -> Self:
        low, high = self.bounds()
        return self._boxed(f(low), f(high))

    def plus(self, other: Self, sign: float) -> Self:
        names, first, second = _aligned(self, other)
        return replace(self, centre=self.centre + sign * other.centre, ways=first + sign * second, names=names)

    def joined(self, others: Sequence[Self], f: Callable[[Sequence[Tensor]], Tensor]) -> Self:
        found = self
        for other in others:
            names, first, second = _aligned(found, other)
            found = replace(found, centre=f([found.centre, other.centre]), ways=f([first, second]), names=names)
        return found

    def margins(self, y: Tensor) -> Tensor:
        """(1, C) the least by which class `y` (1,) lies above each other class; infinite for itself."""
        at = int(y[0])
        middle, ways = self.centre[:, at : at + 1] - self.centre, self.ways[:, at : at + 1] - self.ways
        return (middle - ways.abs().sum(0, keepdim=True)).scatter(1, y[:, None], torch.inf)


def _aligned(a: Zonotope, b: Zonotope) -> tuple[Tensor, Tensor, Tensor]:
    """All names of both, and the ways of each in that order, 0 where it has none."""
    names = torch.unique(torch.cat([a.names, b.names]))
    found = []
    for z in (a, b):
        ways = torch.zeros(len(names), *z.ways.shape[1:], dtype=z.ways.dtype)
        ways[torch.searchsorted(names, z.names)] = z.ways
        found.append(ways)
    return names, found[0], found[1]


def _need_narrow(numbers: int) -> None:
    if numbers > WIDEST:
        msg = f"a zonotope of this model holds more than {WIDEST:,} numbers"
        raise NotApplicable(msg)


def _new_names(count: int) -> Tensor:
    return torch.tensor([next(NAMES) for _ in range(count)], dtype=torch.long)


def _directions(radius: Tensor) -> Tensor:
    """(K, ...) one direction for each element whose radius (1, ...) is not 0."""
    flat = radius.flatten()
    held = (flat > 0).nonzero()[:, 0]
    _need_narrow(len(held) * flat.numel())
    ways = torch.zeros(len(held), flat.numel(), dtype=radius.dtype)
    ways[torch.arange(len(held)), held] = flat[held]
    return ways.view(len(held), *radius.shape[1:])
