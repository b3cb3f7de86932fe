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
        return self._filled(shape, lambda row, g: row.normal_(generator=g))

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform numbers from `low` to `high`."""
        return self._filled(shape, lambda row, g: row.uniform_(low, high, generator=g))

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Whole numbers from `low` to `high` - 1."""
        return torch.stack([torch.randint(low, high, shape, generator=g) for g in self.generators])

    def poisson(self, rates: Tensor) -> Tensor:
        """Counts whose means are `rates` (N, ...), drawn by numpy, which takes less time for it than torch."""
        found = torch.empty_like(rates)
        for row, rate, g in zip(found, rates, self.generators, strict=True):
            random = np.random.Generator(np.random.SFC64(g.initial_seed()))
            row.copy_(torch.from_numpy(random.poisson(rate.numpy())))
        return found

    def _filled(self, shape: Sequence[int], fill: Callable[[Tensor, torch.Generator], Tensor]) -> Tensor:
        found = torch.empty(len(self.generators), *shape)
        for row, g in zip(found, self.generators, strict=True):
            fill(row, g)
        return found
