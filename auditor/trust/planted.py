"""The attack unit test: an adversarial example is planted for every row, and the attack must find it.

Zimmermann et al. 2022, arXiv:2206.13991: a readout on the model's own features calls one point on the border of the
ball another class than points inside; whoever says that nothing is there has an attack that is too weak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from auditor.attacks.balls import Norm, ball_of
from auditor.attacks.curve import robust_curve
from auditor.attacks.plan import PLAN, Stage
from auditor.errors import NotApplicable
from auditor.outliers.features import asking
from auditor.subject import Model

__all__ = ["Planted", "planted"]

Features = Callable[[Model, Tensor], Tensor]
INSIDE = 24  # points that are of the row's own class
RIDGE = 1e-2
CLEARLY = 1.0  # standard deviations of the points inside
# from more random points than the curve has: networks with few units have corners to be stuck in
STAGES = (*PLAN[:3], *(Stage(None, "random", soft) for soft in (0.0, 0.0, 0.1, 0.0, 0.0)))


@dataclass(frozen=True)
class Planted:
    """In how many of `n` rows the planted example was found, and in how many by one random point.

    `n` counts the rows where the features tell the planted point from the others.
    """

    found: int
    by_chance: int
    n: int


def planted(
    model: Model, seen: Model, x: Tensor, epsilon: float, *, norm: Norm = "linf", steps: int = 40, seed: int = 0
) -> Planted:
    """How many planted examples the attack by gradients of `seen` finds within `epsilon` of the rows `x` (N, ...).

    `model` gives the answers that count. Both are asked for the same features: the last vector before the outputs, or
    the outputs where only one of them shows it, as a program does not.
    """
    ask = asking(model, seen, x)

    def features(m: Model, at: Tensor) -> Tensor:
        return ask(m, at).features

    ball, random = ball_of(norm, model, x), torch.Generator().manual_seed(seed)
    radius = torch.full((len(x),), epsilon)
    border = _border(model, x, epsilon, norm, random)
    with torch.no_grad():
        inside = [features(model, ball.noise(x, 0.95 * radius, random)) for _ in range(INSIDE)]
        readouts = _Readouts.between(torch.stack(inside, 1), features(model, border))
    rows = readouts.separates.nonzero()[:, 0]
    if not len(rows):
        return Planted(0, 0, 0)
    numbered = torch.cat([x[rows].flatten(1), rows[:, None].to(x.dtype)], 1)
    judge, view = (_with_readout(_Answering(m, features, readouts, x.shape[1:]), m, x, numbered) for m in (model, seen))
    y = torch.zeros(len(rows), dtype=torch.long)
    try:
        found = robust_curve(judge, numbered, y, (epsilon,), norm=norm, steps=steps, plan=STAGES, seed=seed, seen=view)
        hits = int((found.index == 0).sum())
    except NotApplicable:
        hits = 0  # no gradient at all finds nothing
    chance = ball_of(norm, judge, numbered).noise(numbered, radius[rows], random)
    with torch.no_grad():
        return Planted(hits, int((judge(chance).argmax(1) == 1).sum()), len(rows))


def _border(model: Model, x: Tensor, epsilon: float, norm: Norm, random: torch.Generator) -> Tensor:
    """A random point on the border of each ball."""
    ball = ball_of(norm, model, x)
    away = ball.steepest(torch.randn(x.shape, generator=random, dtype=x.dtype))
    return ball.clip(x + epsilon * away, x, torch.full((len(x),), epsilon))


@dataclass(frozen=True)
class _Readouts:
    """A linear readout a row, above 0 for its planted point and below for points inside."""

    weights: Tensor
    thresholds: Tensor
    separates: Tensor

    @classmethod
    def between(cls, inside: Tensor, border: Tensor) -> _Readouts:
        """Of features inside (N, K, D) and on the border (N, D): Fisher's discriminant with a ridge."""
        inside, border = inside.double(), border.double()
        centre = inside.mean(1, keepdim=True)
        around, away = inside - centre, (border[:, None] - centre).mT
        ridge = RIDGE * around.square().sum((1, 2)).clamp_min(1e-12)[:, None, None] / inside.shape[2]
        # (A'A + ridge)^-1 d by the smaller of both sides (Woodbury): fewer points than features
        small = around @ around.mT + ridge * torch.eye(inside.shape[1], dtype=torch.float64)
        weights = (away - around.mT @ torch.linalg.solve(small, around @ away))[..., 0]
        weights = weights / weights.norm(dim=1, keepdim=True).clamp_min(1e-300)
        projected = (inside * weights[:, None]).sum(2)
        highest, reached = projected.amax(1), (border * weights).sum(1)
        # few features tell points apart by a hair only, in a corner whose being missed says nothing of an attack
        separates = reached - highest > CLEARLY * projected.std(1) + 1e-6 * highest.abs()
        return cls(weights.float(), ((highest + reached) / 2).float(), separates)


class _Answering(nn.Module):
    """Rows with their number behind: the number says which readout answers."""

    def __init__(self, model: Model, features: Features, readouts: _Readouts, shape: Sequence[int]) -> None:
        super().__init__()
        self.inner, self.features, self.readouts, self.shape = [model], features, readouts, shape

    def forward(self, numbered: Tensor) -> Tensor:
        (model,) = self.inner
        rows = numbered[:, -1].round().long()
        found = self.features(model, numbered[:, :-1].reshape(-1, *self.shape))
        z = (found * self.readouts.weights[rows]).sum(1) - self.readouts.thresholds[rows]
        return torch.stack([-z / 2, z / 2], 1)


def _with_readout(answering: _Answering, model: Model, x: Tensor, numbered: Tensor) -> Model:
    low, high = (torch.as_tensor(b, dtype=x.dtype).expand(x.shape[1:]).flatten() for b in model.bounds)
    unit = torch.as_tensor(model.unit, dtype=x.dtype).expand(x.shape[1:]).flatten()
    bounds = torch.cat([low, torch.zeros(1)]), torch.cat([high, numbered[:, -1].max()[None]])
    return Model(answering, ("nothing", "planted"), bounds, unit=torch.cat([unit, torch.zeros(1)]))
