"""Where an adversarial input may lie: inside the model's bounds and the Linf ball of an epsilon in input units."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.subject import Model

__all__ = ["Box", "per_sample"]


def per_sample(v: Tensor, like: Tensor) -> Tensor:
    """(N,) as (N, 1, ...) so that it multiplies samples shaped like `like`."""
    return v.view(-1, *[1] * (like.ndim - 1))


@dataclass(frozen=True)
class Box:
    """The legal range of each element; `unit` is what an epsilon of 1 means for it, 0 for what nobody may change."""

    low: Tensor
    high: Tensor
    unit: Tensor

    @classmethod
    def of(cls, model: Model, x: Tensor) -> Box:
        """The box of `model` for samples like `x` (N, ...)."""
        low, high = (torch.as_tensor(b, dtype=x.dtype) for b in model.bounds)
        return cls(low, high, torch.as_tensor(model.unit, dtype=x.dtype))

    def clip(self, at: Tensor, x: Tensor, epsilon: Tensor) -> Tensor:
        """`at` (N, ...) moved into the ball of radius `epsilon` (N,) around `x`, and into the bounds.

        A sample that lies outside the bounds itself may stay where it is.
        """
        low, high = self._ends(x, epsilon)
        return torch.minimum(torch.maximum(at, low), high)

    def holds(self, at: Tensor, x: Tensor, epsilon: Tensor) -> Tensor:
        """(N,) whether `clip` would leave `at` where it is: no rounding of large inputs comes between the two."""
        low, high = self._ends(x, epsilon)
        return ((low <= at) & (at <= high)).flatten(1).all(1)

    def _ends(self, x: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
        radius = per_sample(epsilon, x) * self.unit
        low = torch.maximum(x - radius, torch.minimum(self.low, x))
        high = torch.minimum(x + radius, torch.maximum(self.high, x))
        return low, high

    def distance(self, at: Tensor, x: Tensor) -> Tensor:
        """(N,) the smallest epsilon whose ball around `x` holds `at`, as far as float32 tells."""
        return ((at - x).abs() / self.unit.clamp_min(1e-12)).flatten(1).amax(1)

    def noise(self, x: Tensor, epsilon: Tensor, generator: torch.Generator) -> Tensor:
        """A uniform random point of each sample's ball, inside the bounds."""
        away = 2 * torch.rand(x.shape, generator=generator, dtype=x.dtype) - 1
        return self.clip(x + per_sample(epsilon, x) * self.unit * away, x, epsilon)
