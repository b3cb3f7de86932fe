"""Projected gradient ascent on rows of a table that are legal at every step.

CAPGD's idea (Simonetto et al. 2024, arXiv:2406.00775, section 3) with every candidate a legal row: the point that moves
is a row of numbers and a weight for each value of a category; its nearest legal row is what the model is asked, and
the gradient there moves the point. Steps are halved by APGD's rule (Croce & Hein 2020, arXiv:2003.01690, section 3).
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from auditor.attacks.softened import SoftBackward
from auditor.attacks.tables.front import Front
from auditor.subject import Integers
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
    here = _Climb(front, stage)
    left = np.arange(len(front.of))
    for step in range(steps):
        if not len(left) or not here.ask():
            break
        front = front.with_those(left, here.front)
        keep = np.flatnonzero(here.front.margin <= 0)
        left, here = left[keep], here.at(keep)
        here.move(step, steps)
    return front


def without_slope(margins: Margins, ball: Ball, of: Integers) -> Which:
    """(N,) at which of the rows `of` the margin has no slope in anything that may change at any epsilon."""
    found = np.ones(len(of), np.bool_)
    for start in range(0, len(of), margins.size):
        part = of[start : start + margins.size]
        answered = _slopes(margins, part, margins.x[part], Stage(0, "own", 0.0), None)
        if answered is not None:
            steep = np.stack([(answered[1][:, c.start : c.stop] != 0).any(1) for c in margins.columns], 1)
            found[start : start + len(part)] = ~(steep & ball.constraints.movable).any(1)
    return found


def _slopes(margins: Margins, of: Integers, x: Tensor, stage: Stage, rivals: Tensor | None) -> tuple[Rows, Rows] | None:
    """What is climbed (N,) and its gradient (N, F) at inputs `x`, changes of the rows `of`; None without one."""
    leaf = x.detach().clone().requires_grad_()
    try:
        with SoftBackward(torch.full((len(x),), stage.soft)) if stage.soft else nullcontext():
            logits = margins.model(leaf).cpu()
        own = ~margins.accepted[torch.from_numpy(of)]
        other = logits.masked_fill(own, -torch.inf)
        target = other.amax(1) if rivals is None else other.gather(1, rivals[:, None])[:, 0]
        loss = (logits.logsumexp(1) if stage.rival is None else target) - logits.masked_fill(~own, -torch.inf).amax(1)
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # it leaves torch on the way, or shows no gradient
        return None
    return loss.detach().double().numpy(), gradient.double().nan_to_num(0.0, 0.0, 0.0).numpy()


class _Climb:
    """The rows that still climb: the point of each (N, F), numbers and flags in units of the file, and its schedule."""

    def __init__(self, front: Front, stage: Stage) -> None:
        self.front, self.stage = front, stage
        n = len(front.of)
        start = front.random(1)[:, 0] if stage.start == "random" else front.own if stage.start == "own" else front.best
        self.columns, self.rivals = front.margins.columns, _rivals(front, stage)
        self.point = self._points(start)
        self.before, self.ahead = self.point, np.zeros_like(self.point)
        self.size = np.full(n, 1.0 if stage.start == "best" else 2.0)
        self.loss, self.top = np.full(n, -np.inf), np.full(n, -np.inf)
        self.top_then, self.rises = self.top, np.zeros(n)
        self.top_point, self.slope = self.point, np.zeros_like(self.point)
        self.top_slope = self.slope
        self.size_then = self.size

    def at(self, keep: Integers) -> _Climb:
        """Those at `keep`."""
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(self, name, value[keep])
        self.rivals = None if self.rivals is None else self.rivals[torch.from_numpy(keep)]
        self.front = self.front.at(keep)
        return self

    def ask(self) -> bool:
        """Judge the legal row nearest to each point; False where the model gives no gradient."""
        of = np.arange(len(self.front.of))
        rows = self.front.near(of, self._rows())
        x = self.front.margins.inputs(self.front.of, rows)
        found = _slopes(self.front.margins, self.front.of, x, self.stage, self.rivals)
        self.front = self.front.with_best(rows, self.front.judged(of, rows))
        if found is None:
            return False
        loss, gradient = found
        for i, c in enumerate(self.columns):  # whole numbers keep their fraction, so that small steps add up
            if c.kind != "category" and not c.integer:
                self.point[:, c.start] = rows[:, i]
        self.slope = self._directions(gradient, rows)
        self.rises = self.rises + (loss > self.loss)
        better = loss > self.top
        self.loss, self.top = loss, np.maximum(loss, self.top)
        self.top_point = np.where(better[:, None], self.point, self.top_point)
        self.top_slope = np.where(better[:, None], self.slope, self.top_slope)
        return True

    def move(self, step: int, steps: int) -> None:
        """A step with momentum, from the best point where the step was halved."""
        span = _windows(steps)[step]
        halved = np.zeros(len(self.size), np.bool_)
        if span:
            halved = (self.rises < 0.75 * span) | ((self.size_then == self.size) & (self.top_then >= self.top))
            self.size_then, self.top_then, self.rises = self.size, self.top, np.zeros(len(self.size))
            self.size = np.where(halved, self.size / 2, self.size)
        here = np.where(halved[:, None], self.top_point, self.point)
        slope = np.where(halved[:, None], self.top_slope, self.slope)
        moved = self._clipped(here + self.size[:, None] * slope)
        inertia = 1.0 if step == 0 else MOMENTUM
        ahead = here + inertia * (moved - here) + (1 - inertia) * (self.point - self.before)
        self.before, self.point = self.point.copy(), self._clipped(ahead)

    def _points(self, rows: Rows) -> Rows:
        points = np.zeros((len(rows), self.columns[-1].stop))
        for i, c in enumerate(self.columns):
            if c.kind == "category":
                points[:, c.start : c.stop] = rows[:, i : i + 1] == np.arange(len(c.values))
            else:
                points[:, c.start] = rows[:, i]
        return points

    def _rows(self) -> Rows:
        """(N, columns) what the points say, legal or not."""
        rows = self.front.own.copy()
        for i, (c, choices) in enumerate(zip(self.columns, self.front.ball.choices, strict=True)):
            if c.kind == "category":
                if choices is not None and len(choices):
                    weights = self.point[:, c.start : c.stop][:, choices.astype(np.int64)]
                    rows[:, i] = np.where(weights.max(1) > 0, choices[weights.argmax(1)], rows[:, i])
            elif choices is not None and len(choices):
                rows[:, i] = choices[np.abs(self.point[:, c.start, None] - choices).argmin(1)]
            else:
                rows[:, i] = self.point[:, c.start]
        return rows

    def _clipped(self, points: Rows) -> Rows:
        low, high = self.front.ball.ranges(self.front.own, self.front.epsilon)
        points = points.copy()
        for i, (c, choices) in enumerate(zip(self.columns, self.front.ball.choices, strict=True)):
            if c.kind == "category":
                points[:, c.start : c.stop] = points[:, c.start : c.stop].clip(0, 1)
                continue
            least, most = (choices[0], choices[-1]) if choices is not None and len(choices) else (-np.inf, np.inf)
            points[:, c.start] = np.clip(points[:, c.start], np.maximum(low[:, i], least), np.minimum(high[:, i], most))
        return points

    def _directions(self, gradient: Rows, rows: Rows) -> Rows:
        """(N, F) a step of size 1 for each element of the points: as far as the ball reaches."""
        ball, step = self.front.ball, np.zeros_like(gradient)
        slopes = np.stack([gradient[:, c.start] / c.std for c in self.columns], 1)  # of numbers and flags
        along = _along_relations(ball, slopes, rows)
        for i, (c, choices) in enumerate(zip(self.columns, ball.choices, strict=True)):
            if c.kind == "category":
                part = gradient[:, c.start : c.stop]
                part = part - part.mean(1, keepdims=True)
                step[:, c.start : c.stop] = part / np.maximum(np.abs(part).max(1, keepdims=True), 1e-300)
            elif choices is not None:
                step[:, c.start] = np.sign(slopes[:, i]) * (choices[-1] - choices[0] if len(choices) else 0.0)
            else:
                step[:, c.start] = along[:, i] * ball.spread[i] * self.front.epsilon
        return step


def _along_relations(ball: Ball, slopes: Rows, rows: Rows) -> Rows:
    """(N, columns) signs of `slopes`; of numbers that relations tie their slope along these, the largest 1."""
    constraints = ball.constraints
    found = np.sign(slopes)
    pull = slopes * ball.spread * constraints.movable
    normals = []
    for relation in constraints.relations:
        normal = np.zeros(len(ball.spread))
        for i, w in relation.weights:
            normal[i] = w * ball.spread[i] * constraints.movable[i]
        normals.append((relation, normal / max(float(np.linalg.norm(normal)), 1e-300)))
    for relation, normal in normals * min(3, len(normals)):
        across = pull @ normal
        if relation.at_most is not None:  # only where it would be broken
            total = rows[:, [i for i, _ in relation.weights]] @ np.array([w for _, w in relation.weights])
            across = np.where(total >= relation.at_most, np.maximum(across, 0.0), 0.0)
        pull = pull - across[:, None] * normal
    for tied in constraints.units:
        if tied.sum() > 1:
            part = pull[:, tied]
            found[:, tied] = part / np.maximum(np.abs(part).max(1, keepdims=True), 1e-300)
    return found


def _rivals(front: Front, stage: Stage) -> Tensor | None:
    """(N,) the class that the stage aims at; None where it is whichever is highest."""
    if not stage.rival:
        return None
    with torch.no_grad():
        logits = front.margins.model(front.margins.x[front.of]).cpu()
    accepted = front.margins.accepted[torch.from_numpy(front.of)]
    return logits.masked_fill(~accepted, -torch.inf).argsort(1, descending=True)[:, stage.rival]


def _windows(steps: int) -> list[int]:
    """Length of the window that ends behind each step, 0 where none does."""
    out, last, width = [0] * (steps + 1), 0, max(int(0.22 * steps), 1)
    while last + width <= steps:
        last += width
        out[last], width = width, max(width - max(int(0.03 * steps), 1), int(0.06 * steps), 1)
    return out
