"""An attack that knows the detector: it looks for inputs that break the model and look like the data.

Gradient ascent on the margin plus a weight times the detector's score (Carlini & Wagner 2017, arXiv:1705.07263, section
3), the weight of each row found by a short search, as theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from auditor.attacks.balls import Ball, per_sample
from auditor.attacks.goals import AnotherClass
from auditor.attacks.naive import gradient_of
from auditor.outliers.detectors import Detector
from auditor.subject import Model

__all__ = ["SEARCHED", "Aware", "Search", "surest"]

_Aim = Callable[[Tensor, Tensor], Tensor]

SEARCHED = (8.0, 4.0, 2.0, 1.0)  # by which a row's weight grows after a round that broke it, and falls after another
LONGEST, SHORTEST = 0.5, 0.01  # steps, in epsilon
TINY = 1e-12


@dataclass(frozen=True)
class Search:
    """What is the same for all rows: answers that count are those of `model`, gradients those of `view`.

    Each of `factors` stands for a round of `steps` gradient steps.
    """

    model: Model
    view: Model
    goal: AnotherClass
    ball: Ball
    epsilon: float
    steps: int
    factors: tuple[float, ...] = SEARCHED


class Aware:
    """Rows `x` (N, ...) of classes `y` (N,) against one detector, from inputs `start` (N, ...) that break them.

    After `run`, `best` (N, ...) are the inputs inside the ball with the highest `score` (N,) found among those that the
    model still gets wrong: at first whichever of `start` and `others` that is.
    """

    def __init__(
        self, search: Search, detector: Detector, x: Tensor, y: Tensor, start: Tensor, *others: Tensor
    ) -> None:
        self.search, self.detector, self.x, self.y = search, detector, x, y
        self.radius = torch.full((len(x),), search.epsilon)
        self.best = start.clone()
        with torch.no_grad():
            self.score = detector.score(search.model, start)
        for other in others:
            self._keep(other)

    def run(self) -> Aware:
        """One round a factor, each from the best so far."""
        margin, score = (self._gradient(self.best, w) for w in (_only_margin, _only_score))
        slopes = [self.search.ball.slope(g) for g in (margin, score)]
        weight = slopes[0] / slopes[1].clamp_min(TINY)
        for factor in self.search.factors:
            broke = self._round(weight)
            weight = torch.where(broke, weight * factor, weight / factor)
        return self

    def _round(self, weight: Tensor) -> Tensor:
        """(N,) whether at least half of the round's inputs broke the row."""
        at, breaks = self.best.clone(), torch.zeros(len(self.x))
        for step in range(self.search.steps):
            gradient = self._gradient(at, lambda margin, score: margin + weight * score)
            size = SHORTEST + (LONGEST - SHORTEST) * (1 + math.cos(math.pi * step / self.search.steps)) / 2
            moved = at + per_sample(size * self.radius, at) * self.search.ball.steepest(gradient)
            at = self.search.ball.clip(moved, self.x, self.radius)
            breaks += self._keep(at)
        return 2 * breaks >= self.search.steps

    def _gradient(self, at: Tensor, aim: _Aim) -> Tensor:
        leaf = at.clone().requires_grad_()
        margin = self.search.goal.margin(self.search.view(leaf).cpu(), self.y)
        return gradient_of(aim(margin, self.detector.climbed(self.search.view, leaf)), leaf)

    def _keep(self, at: Tensor) -> Tensor:
        """(N,) which rows break at `at`; those that look more like the data than before are kept."""
        with torch.no_grad():
            broken = self.search.goal.reached(self.search.model(at).cpu(), self.y)
            score = self.detector.score(self.search.model, at)
        better = broken & (score > self.score)
        self.best[better], self.score[better] = at[better], score[better]
        return broken


def surest(search: Search, x: Tensor, y: Tensor, start: Tensor) -> Tensor:
    """Inputs (N, ...) of which the model is as wrong as one round finds that knows of no detector."""

    def ahead(model: Model, at: Tensor) -> Tensor:
        return search.goal.margin(model(at).cpu(), y)

    return Aware(replace(search, factors=(1.0,)), Detector("margin", ahead, ahead), x, y, start).run().best


def _only_margin(margin: Tensor, score: Tensor) -> Tensor:  # noqa: ARG001
    return margin


def _only_score(margin: Tensor, score: Tensor) -> Tensor:  # noqa: ARG001
    return score
