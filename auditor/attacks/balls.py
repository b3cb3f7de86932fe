"""Where an adversarial input may lie: inside the model's bounds and a ball around the sample, in input units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from auditor.subject import Model

__all__ = ["Ball", "L2Ball", "LinfBall", "Norm", "ball_of", "per_sample"]

Norm = Literal["linf", "l2"]
TINY = 1e-12


def per_sample(v: Tensor, like: Tensor) -> Tensor:
    """(N,) as (N, 1, ...) so that it multiplies samples shaped like `like`."""
    return v.view(-1, *[1] * (like.ndim - 1))


@dataclass(frozen=True)
class Ball:
    """The legal range of each element; `unit` is what a change of 1 means for it, 0 for what nobody may change.

    The size of a change is the norm of its elements, each divided by its unit. A sample that lies outside the bounds
    itself may stay where it is.
    """

    low: Tensor
    high: Tensor
    unit: Tensor

    def clip(self, at: Tensor, x: Tensor, epsilon: Tensor) -> Tensor:
        """`at` (N, ...) moved into the ball of radius `epsilon` (N,) around `x`, and into the bounds."""
        raise NotImplementedError

    def holds(self, at: Tensor, x: Tensor, epsilon: Tensor) -> Tensor:
        """(N,) whether `at` lies in the ball and in the bounds, as far as float32 tells."""
        raise NotImplementedError

    def distance(self, at: Tensor, x: Tensor) -> Tensor:
        """(N,) the smallest epsilon whose ball around `x` holds `at`, as far as float32 tells."""
        raise NotImplementedError

    def noise(self, x: Tensor, epsilon: Tensor, generator: torch.Generator) -> Tensor:
        """A uniform random point of each sample's ball, inside the bounds."""
        raise NotImplementedError

    def steepest(self, gradient: Tensor) -> Tensor:
        """The change (N, ...) of size 1 along which `gradient` (N, ...) rises fastest."""
        raise NotImplementedError

    def slope(self, gradient: Tensor) -> Tensor:
        """(N,) how much a change of size 1 raises what has `gradient`: its dual norm."""
        raise NotImplementedError

    def within(self, at: Tensor, x: Tensor) -> Tensor:
        """`at` (N, ...) moved into the bounds, and onto `x` where nothing may change."""
        legal = torch.minimum(torch.maximum(at, torch.minimum(self.low, x)), torch.maximum(self.high, x))
        return torch.where(self.unit > 0, legal, x)


class LinfBall(Ball):
    """The largest change of an element."""

    def clip(self, at: Tensor, x: Tensor, epsilon: Tensor) -> Tensor:
        low, high = self._ends(x, epsilon)
        return torch.minimum(torch.maximum(at, low), high)

    def holds(self, at: Tensor, x: Tensor, epsilon: Tensor) -> Tensor:
        # no rounding of large inputs comes between this and `clip`
        low, high = self._ends(x, epsilon)
        return ((low <= at) & (at <= high)).flatten(1).all(1)

    def distance(self, at: Tensor, x: Tensor) -> Tensor:
        return ((at - x).abs() / self.unit.clamp_min(TINY)).flatten(1).amax(1)

    def noise(self, x: Tensor, epsilon: Tensor, generator: torch.Generator) -> Tensor:
        away = 2 * torch.rand(x.shape, generator=generator, dtype=x.dtype) - 1
        return self.clip(x + per_sample(epsilon, x) * self.unit * away, x, epsilon)

    def steepest(self, gradient: Tensor) -> Tensor:
        return self.unit * gradient.sign()

    def slope(self, gradient: Tensor) -> Tensor:
        return (gradient * self.unit).flatten(1).abs().sum(1)

    def _ends(self, x: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
        radius = per_sample(epsilon, x) * self.unit
        low = torch.maximum(x - radius, torch.minimum(self.low, x))
        high = torch.minimum(x + radius, torch.maximum(self.high, x))
        return low, high


class L2Ball(Ball):
    """The Euclidean length of the change."""

    def clip(self, at: Tensor, x: Tensor, epsilon: Tensor) -> Tensor:
        # the bounds hold x, so that moving into them makes no change longer; rounding may, by less than `holds` allows
        away = self.within(at, x) - x
        shrink = (epsilon / self._length(away).clamp_min(TINY)).clamp_max(1)
        return self.within(x + per_sample(shrink, x) * away, x)

    def holds(self, at: Tensor, x: Tensor, epsilon: Tensor) -> Tensor:
        inside = (self.within(at, x) == at).flatten(1).all(1)
        return inside & (self._length(at - x) <= epsilon + self._rounding(x))

    def distance(self, at: Tensor, x: Tensor) -> Tensor:
        return self._length(at - x)

    def noise(self, x: Tensor, epsilon: Tensor, generator: torch.Generator) -> Tensor:
        direction = torch.randn(x.shape, generator=generator, dtype=x.dtype) * (self.unit > 0)
        free = (self.unit > 0).expand(x.shape[1:]).sum().clamp_min(1)
        share = torch.rand(len(x), generator=generator, dtype=x.dtype) ** (1 / free)
        length = direction.flatten(1).norm(dim=1).clamp_min(TINY)
        return self.clip(x + per_sample(epsilon * share / length, x) * direction * self.unit, x, epsilon)

    def steepest(self, gradient: Tensor) -> Tensor:
        scaled = gradient * self.unit
        # by its largest element first: squares of small gradients are no float32 numbers
        scaled = scaled / per_sample(scaled.flatten(1).abs().amax(1).clamp_min(1e-38), scaled)
        return self.unit * scaled / per_sample(scaled.flatten(1).norm(dim=1).clamp_min(TINY), scaled)

    def slope(self, gradient: Tensor) -> Tensor:
        return (gradient * self.unit).flatten(1).square().sum(1).sqrt()

    def _length(self, away: Tensor) -> Tensor:
        return (away / self.unit.clamp_min(TINY)).flatten(1).square().sum(1).sqrt()

    def _rounding(self, x: Tensor) -> Tensor:
        step = torch.finfo(x.dtype).eps * x.abs() / self.unit.clamp_min(TINY) * (self.unit > 0)
        return step.flatten(1).square().sum(1).sqrt() + 1e-7


def ball_of(norm: Norm, model: Model, x: Tensor) -> Ball:
    """The balls of `norm` for samples like `x` (N, ...) of `model`."""
    low, high = (torch.as_tensor(b, dtype=x.dtype) for b in model.bounds)
    kind = {"linf": LinfBall, "l2": L2Ball}[norm]
    return kind(low, high, torch.as_tensor(model.unit, dtype=x.dtype))
