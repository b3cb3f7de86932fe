"""A model as foolbox attacks it: over what may change of its samples, a change of 1 being an epsilon of 1."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from auditor.attacks.balls import per_sample
from auditor.attacks.curve import Frontiers
from auditor.attacks.goals import another_class, wrong_rows
from auditor.errors import NotApplicable
from auditor.subject import Model

__all__ = ["NORMS", "InUnits", "Norm", "TooLong", "frontiers_of", "right_rows", "spread_over", "standing_rows"]

Norm = Literal["linf", "l2", "l1", "l0"]
NORMS: tuple[Norm, ...] = get_args(Norm)
ORDER = dict(zip(NORMS, (math.inf, 2, 1, 0), strict=True))
TINY = 1e-12


class TooLong(Exception):  # noqa: N818 - its message is all that is shown of it
    """An attack asked the model more often than it was allowed to."""


class InUnits(nn.Module):
    """What foolbox sees of a model and its samples `x` (N, ...): z, in which distances are our epsilons.

    z holds the elements that may change, from their lowest legal value on and in units of `model.unit`: shaped like `x`
    when all of them may, else (N, free elements). Inputs are z put back into `x` and moved into the bounds, so that
    neither what may not change nor what is illegal ever reaches the model; a sample that lies outside the bounds itself
    may stay where it is. NotApplicable where the bounds are no numbers; TooLong after `passes` passes of the model.
    """

    def __init__(self, model: Model, x: Tensor, passes: int | None = None) -> None:
        super().__init__()
        low, high, unit = (torch.as_tensor(v, dtype=x.dtype).expand(x.shape[1:]) for v in (*model.bounds, model.unit))
        if not bool((low.isfinite() & high.isfinite()).all()):
            msg = "the bounds of the inputs are infinite; foolbox needs numbers"
            raise NotApplicable(msg)
        self.model, self.x, self.unit, self.zero = model, x, unit, low
        self.free, self.passes, self.made = unit > 0, passes, 0
        self.low, self.high = torch.minimum(low, x), torch.maximum(high, x)

    def encode(self, x: Tensor) -> Tensor:
        """The z of inputs (N, ...)."""
        z = (x - self.zero) / self.unit.clamp_min(TINY)
        return z if bool(self.free.all()) else z[:, self.free]

    def decode(self, z: Tensor) -> Tensor:
        """The legal inputs (N, ...) that z stands for."""
        if bool(self.free.all()):
            at = self.zero + z * self.unit
        else:
            at = self.x.clone()
            at[:, self.free] = self.zero[self.free] + z * self.unit[self.free]
        return at.clamp(self.low, self.high)

    def forward(self, z: Tensor) -> Tensor:
        """Logits (N, C)."""
        if self.made == self.passes:
            msg = f"stopped after {self.passes:,} passes of the model"
            raise TooLong(msg)
        self.made += 1
        return self.model(self.decode(z)).cpu()

    def distance(self, at: Tensor, norm: Norm) -> Tensor:
        """(N,) the size of the change from `x` to inputs `at` (N, ...) in units; for l0 the number of elements."""
        away = (at - self.x) / self.unit.clamp_min(TINY)
        return _length(away, norm)

    def pulled(self, at: Tensor, norm: Norm, largest: float) -> Tensor:
        """`at` (N, ...) moved straight towards `x` until the change is at most `largest`, but for rounding."""
        if norm == "linf":
            radius = largest * self.unit
            return torch.minimum(torch.maximum(at, self.x - radius), self.x + radius)
        shrink = (largest / self.distance(at, norm).clamp_min(TINY)).clamp_max(1)
        return self.x + per_sample(shrink, at) * (at - self.x)

    def rounding(self, norm: Norm) -> Tensor:
        """(N,) by how much a change may look larger than it was meant: 1e-6, or what float32 makes of large inputs."""
        if norm == "l0":
            return torch.zeros(len(self.x))
        step = torch.finfo(self.x.dtype).eps * self.x.abs() / self.unit.clamp_min(TINY) * self.free
        return _length(step, norm).clamp_min(1e-6)

    def for_foolbox(self) -> Any:
        """The same as one of foolbox's models."""
        from foolbox.models.pytorch import PyTorchModel

        ends = float(self.encode(self.low).min()), float(self.encode(self.high).max())
        return PyTorchModel(self.eval(), bounds=ends, device="cpu")


def _length(away: Tensor, norm: Norm) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(away.flatten(1), ORDER[norm], dim=1)
    return length


def right_rows(model: Model, x: Tensor, y: Tensor) -> Tensor:
    """(N,) which of the inputs `x` (N, ...) are classified as `y` (N,).

    None that the model has no finite answer for.
    """
    with torch.no_grad():
        return ~wrong_rows(model(x).cpu(), y)


def standing_rows(model: Model, x: Tensor, y: Tensor, least: float = 0.0) -> Tensor:
    """(N,) which of the inputs `x` (N, ...) are rejected, classified as `y` (N,), or otherwise by at most `least`.

    None that the model has no finite answer for.
    """
    goal = another_class(model, least)
    with torch.no_grad():
        outputs = model(x).cpu()
    return ~goal.reached(outputs, y) | (goal.margin(outputs, y) <= 0 if least else False)


def frontiers_of(
    seen: InUnits, y: Tensor, found: Iterable[tuple[Tensor, float]], epsilons: Sequence[float], norm: Norm
) -> Frontiers:
    """Where the samples of `seen` with classes `y` (N,) break, by the best of what was `found`.

    `found` are changed samples, shaped like z, and how large their changes were meant to be at most (infinite where
    nothing was meant): what rounding makes larger is pulled back. Nothing counts that one plain forward pass of the
    model does not confirm then. `distance` may lie beyond the largest of `epsilons` (ascending).
    """
    start, witness, distance = seen.encode(seen.x), seen.x.clone(), torch.full((len(y),), torch.inf)
    for z, largest in found:
        at = seen.decode(torch.where(z.isfinite(), z, start).detach())
        if math.isfinite(largest):
            at = seen.pulled(at, norm, largest)
        size = seen.distance(at, norm)
        nearer = ~standing_rows(seen.model, at, y) & (size < distance)
        witness[nearer], distance[nearer] = at[nearer], size[nearer]
    eps = torch.tensor(epsilons, dtype=distance.dtype)
    index = (distance[:, None] > eps + seen.rounding(norm)[:, None]).sum(1)
    return Frontiers(index, witness, torch.where(distance.isinf(), 0.0, distance), witness)


def spread_over(found: Frontiers, rows: Tensor, x: Tensor) -> Frontiers:
    """The frontiers of all samples `x` (N, ...), `found` being those of `rows` (N,); the others break at 0."""
    index, witness, distance = torch.zeros(len(x), dtype=torch.long), x.clone(), torch.zeros(len(x))
    index[rows], witness[rows], distance[rows] = found.index, found.witness, found.distance
    return Frontiers(index, witness, distance, witness)
