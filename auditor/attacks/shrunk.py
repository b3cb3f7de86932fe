"""Smaller changes that break what larger ones broke, so that a curve is continuous between its epsilons.

A radius that follows the border, as in FMN (Pintor et al. 2021, arXiv:2102.12827), from a change that breaks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from auditor.attacks.balls import TINY, Ball, Norm, ball_of, per_sample
from auditor.attacks.curve import Frontiers, confirmed
from auditor.attacks.goals import Goal, another_class
from auditor.subject import Model

__all__ = ["shrunk"]

HALVINGS = 6
SHORTER = 0.05  # of the radius, at first
STRIDE = 0.5  # of the radius, at first
LAST = 0.05  # of both, at the end
BEYOND = 1.003  # of the way to where a straight border would lie


def shrunk(
    model: Model,
    x: Tensor,
    y: Tensor,
    epsilons: Sequence[float],
    found: Frontiers,
    *,
    norm: Norm = "linf",
    steps: int = 20,
    seen: Model | None = None,
    goal: Goal | None = None,
) -> Frontiers:
    """The frontiers `found` of samples `x` (N, ...) with what breaks each made as small as can be.

    Halving the way to the sample first (6 questions), then the nearest point of a straight border, then `steps`
    gradients of `seen`, None: the model's own; 0 where it has none. `index` may fall too.
    """
    goal, ball, eps = goal or another_class(model), ball_of(norm, model, x), torch.tensor(epsilons, dtype=x.dtype)
    rows = (found.distance > 0).nonzero()[:, 0]
    if not len(rows):
        return found
    x0, y0, best = x[rows], y[rows], found.witness[rows]

    def reached(at: Tensor) -> Tensor:
        with torch.no_grad():
            return goal.margin(model(at).cpu(), y0) > 0

    low, high = torch.zeros(len(rows)), found.distance[rows]
    for _ in range(HALVINGS):
        radius = (low + high) / 2
        at = ball.clip(best, x0, radius)
        holds = reached(at)
        best = torch.where(per_sample(holds, x0), at, best)
        high, low = torch.where(holds, ball.distance(at, x0), high), torch.where(holds, low, radius)
    size = high
    if steps:
        at = _straight(seen or model, goal, ball, x0, y0, best)
        holds = reached(at) & (ball.distance(at, x0) < size)
        best, size = torch.where(per_sample(holds, x0), at, best), torch.where(holds, ball.distance(at, x0), size)
    at = best
    for step in range(steps):
        share = LAST ** (step / steps)
        radius = size * (1 - SHORTER * share)
        leaf = ball.clip(at, x0, radius).requires_grad_()
        margin = goal.margin((seen or model)(leaf).cpu(), y0)
        (gradient,) = torch.autograd.grad(margin.sum(), leaf)
        there, leads = leaf.detach(), per_sample(STRIDE * share * radius, x0) * ball.steepest(gradient.nan_to_num())
        holds = (margin.detach() > 0) & (reached(there) if seen is not None and seen is not model else True)
        best = torch.where(per_sample(holds, x0), there, best)
        size = torch.where(holds, torch.minimum(size, ball.distance(there, x0)), size)
        at = ball.clip(there + leads, x0, radius)
    witness = found.witness.index_put((rows,), best)
    return found.sooner(confirmed(model, goal, ball, x, y, witness, found.closest, eps))


def _straight(view: Model, goal: Goal, ball: Ball, x: Tensor, y: Tensor, at: Tensor) -> Tensor:
    """The nearest points (N, ...) to `x` of the border, were the margin as steep everywhere as it is at `at`."""
    leaf = at.clone().requires_grad_()
    margin = goal.margin(view(leaf).cpu(), y)
    (gradient,) = torch.autograd.grad(margin.sum(), leaf)
    gradient = gradient.nan_to_num()
    missing = (gradient * (at - x)).flatten(1).sum(1) - margin.detach()
    far = (missing / ball.slope(gradient).clamp_min(TINY)).nan_to_num().clamp_min(0)
    size = torch.minimum(BEYOND * far, ball.distance(at, x))
    return ball.clip(x + per_sample(size, x) * ball.steepest(gradient), x, size)
