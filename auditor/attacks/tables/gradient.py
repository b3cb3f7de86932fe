"""Projected gradient ascent on rows of a table that are legal at every step.

CAPGD's idea (Simonetto et al. 2024, arXiv:2406.00775, section 3) with every candidate a legal row: the point that moves
is a row of numbers and a weight for each value of a category; its nearest legal row is what the model is asked, and
the gradient there moves the point. Steps are halved by APGD's rule (Croce & Hein 2020, arXiv:2003.01690, section 3).
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from auditor.attacks.plan import windows
from auditor.attacks.softened import SoftBackward
from auditor.attacks.tables.front import Front
from auditor.attacks.tables.points import Points
from auditor.integers import Integers
from auditor.subject import Model
from auditor.tables.ball import Ball
from auditor.tables.constraints import Which
from auditor.tables.file_units import Rows
from auditor.tables.margins import Margins

__all__ = ["STAGES", "Stage", "climbed", "without_slope"]

MOMENTUM = 0.75


@dataclass(frozen=True)
class Stage:
    """What is climbed, from where, and how soft ReLUs are in backward passes.

    `rival` None climbs the cross-entropy of the true class; r the margin over it of the class ranked r-th where the row
    is as it is, 0 of whichever is highest now. `start` is the row itself, a random one, or the best so far.
    """

    rival: int | None
    start: Literal["own", "random", "best"]
    soft: float


STAGES = (
    Stage(0, "own", 0.0),
    Stage(0, "best", 0.1),
    Stage(None, "random", 0.05),
    Stage(0, "random", 0.0),
    *(Stage(rank, "random", 0.0) for rank in range(1, 4)),
)


def climbed(front: Front, stage: Stage, steps: int) -> Front:
    """`front` with the best rows that `steps` gradient steps found; a row that is broken takes no more of them.

    As it was where the model gives no gradient.
    """
    left = np.flatnonzero(front.margin <= 0)
    points, ends = Points.of(front.ball), windows(steps)
    here = _Climb.begun(front.at(left), stage, points)
    for step in range(steps):
        if not len(left) or not here.ask(stage, points):
            break
        front = front.with_those(left, here.front)
        keep = np.flatnonzero(here.front.margin <= 0)
        left, here = left[keep], here.kept(keep)
        here.move(ends[step], step == 0, points)
    return front


def without_slope(margins: Margins, ball: Ball, of: Integers) -> Which:
    """(N,) at which of the rows `of` the margin has no slope in anything that may change at any epsilon."""
    answered = _slopes(margins, of, margins.x[of], Stage(0, "own", 0.0), None)
    if answered is None:
        return np.ones(len(of), np.bool_)
    movable = np.repeat(ball.constraints.movable, [c.stop - c.start for c in margins.columns])
    return np.asarray(~((answered[1] != 0) & movable).any(1))


def _slopes(margins: Margins, of: Integers, x: Tensor, stage: Stage, rivals: Tensor | None) -> tuple[Rows, Rows] | None:
    """What is climbed (N,) and its gradient (N, F) at inputs `x`, changes of the rows `of`; None without one."""
    loss, gradient = np.zeros(len(x)), np.zeros(x.shape)
    for start in range(0, len(x), margins.size):
        part = slice(start, start + margins.size)
        accepted = margins.accepted[torch.from_numpy(of[part])]
        found = _slope(
            margins.sight or margins.model, x[part], accepted, stage, None if rivals is None else rivals[part]
        )
        if found is None:
            return None
        loss[part], gradient[part] = found
    return loss, gradient


def _slope(model: Model, x: Tensor, accepted: Tensor, stage: Stage, rivals: Tensor | None) -> tuple[Rows, Rows] | None:
    leaf = x.detach().clone().requires_grad_()
    try:
        with SoftBackward(torch.full((len(x),), stage.soft)) if stage.soft else nullcontext():
            logits = model(leaf).cpu()
        other = logits.masked_fill(~accepted, -torch.inf)
        target = other.amax(1) if rivals is None else other.gather(1, rivals[:, None])[:, 0]
        own = logits.masked_fill(accepted, -torch.inf).amax(1)
        loss = (logits.logsumexp(1) if stage.rival is None else target) - own
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # it leaves torch on the way, or shows no gradient
        return None
    return loss.detach().double().numpy(), gradient.cpu().double().nan_to_num(0.0, 0.0, 0.0).numpy()


@dataclass
class _Climb:
    """The rows that still climb: the point (N, F) of each, the best so far, and how far its schedule is."""

    front: Front
    rivals: Tensor | None
    point: Rows
    before: Rows
    slope: Rows
    top_point: Rows
    top_slope: Rows
    loss: Rows
    top: Rows
    top_then: Rows
    rises: Rows
    size: Rows
    size_then: Rows

    @classmethod
    def begun(cls, front: Front, stage: Stage, points: Points) -> _Climb:
        """Every row at the start of the stage."""
        rows = front.random(1)[:, 0] if stage.start == "random" else front.own if stage.start == "own" else front.best
        point, low = points.at(rows), np.full(len(rows), -np.inf)
        size = np.full(len(rows), 1.0 if stage.start == "best" else 2.0)
        still = np.zeros_like(point)
        rivals = _rivals(front, stage)
        return cls(front, rivals, point, point, still, point, still, low, low, low, np.zeros(len(rows)), size, size)

    def kept(self, keep: Integers) -> _Climb:
        """Those at `keep`."""
        rows = {f.name: getattr(self, f.name)[keep] for f in fields(self)[2:]}
        rivals = None if self.rivals is None else self.rivals[torch.from_numpy(keep)]
        return _Climb(self.front.at(keep), rivals, **rows)

    def ask(self, stage: Stage, points: Points) -> bool:
        """Judge the legal row nearest to each point; False where the model gives no gradient."""
        front, of = self.front, np.arange(len(self.front.of))
        rows = front.near(of, points.rows(self.point, front.own))
        found = _slopes(front.margins, front.of, front.margins.inputs(front.of, rows), stage, self.rivals)
        self.front = front.with_best(rows, front.judged(of, rows))
        if found is None:
            return False
        loss, gradient = found
        self.point = points.moved_to(self.point, rows)
        self.slope = points.directions(gradient, rows, front.epsilon)
        self.rises = self.rises + (loss > self.loss)
        better = (loss > self.top)[:, None]
        self.loss, self.top = loss, np.maximum(loss, self.top)
        self.top_point = np.where(better, self.point, self.top_point)
        self.top_slope = np.where(better, self.slope, self.top_slope)
        return True

    def move(self, span: int, first: bool, points: Points) -> None:
        """A step with momentum, from the best point where the step was halved: at the end of a window of `span`."""
        halved = np.zeros((len(self.size), 1), np.bool_)
        if span:
            halved[:, 0] = (self.rises < 0.75 * span) | ((self.size_then == self.size) & (self.top_then >= self.top))
            self.size_then, self.top_then, self.rises = self.size, self.top, np.zeros(len(self.size))
            self.size = np.where(halved[:, 0], self.size / 2, self.size)
        here = np.where(halved, self.top_point, self.point)
        slope = np.where(halved, self.top_slope, self.slope)
        own, epsilon = self.front.own, self.front.epsilon
        moved = points.clipped(here + self.size[:, None] * slope, own, epsilon)
        inertia = 1.0 if first else MOMENTUM
        ahead = here + inertia * (moved - here) + (1 - inertia) * (self.point - self.before)
        self.before, self.point = self.point, points.clipped(ahead, own, epsilon)


def _rivals(front: Front, stage: Stage) -> Tensor | None:
    """(N,) the class that the stage aims at; None where it is whichever is highest."""
    if not stage.rival:
        return None
    margins, x = front.margins, front.margins.x[front.of]
    with torch.no_grad():
        logits = torch.cat([margins.model(part).cpu() for part in x.split(margins.size)])
    accepted = margins.accepted[torch.from_numpy(front.of)]
    order = logits.masked_fill(~accepted, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return order[:, stage.rival]
