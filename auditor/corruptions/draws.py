"""Random numbers that depend on the row alone, not on which other rows are in its batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auditor.registry import derive_seed

__all__ = ["Draws", "seed_of"]


def seed_of(seed: int, family: str, severity: int, row: int) -> int:
    """The seed of one row's corruption."""
    return derive_seed(seed, f"{family} {severity} {row}")


@dataclass(frozen=True)
class Draws:
    """Draws for N rows, each from a generator of its own; every tensor that comes back is (N, *shape)."""

    generators: tuple[torch.Generator, ...]

    @classmethod
    def of(cls, seed: int, family: str, severity: int, rows: Sequence[int]) -> Draws:
        """The draws for `rows`, by the numbers that they have in their file."""
        return cls(tuple(torch.Generator().manual_seed(seed_of(seed, family, severity, int(r))) for r in rows))

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return self._each(lambda g: torch.randn(shape, generator=g))

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform numbers from `low` to `high`."""
        return low + (high - low) * self._each(lambda g: torch.rand(shape, generator=g))

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Whole numbers from `low` to `high` - 1."""
        return self._each(lambda g: torch.randint(low, high, shape, generator=g))

    def poisson(self, rates: Tensor) -> Tensor:
        """Counts whose means are `rates` (N, ...)."""
        pairs = zip(rates, self.generators, strict=True)
        return torch.stack([torch.poisson(rate, generator=g) for rate, g in pairs])

    def numpy(self) -> list[np.random.Generator]:
        """A numpy generator for each row."""
        return [np.random.default_rng(g.initial_seed()) for g in self.generators]

    def _each(self, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
        return torch.stack([draw(g) for g in self.generators])
