"""A whole curve of robust accuracy for a table: every row's own frontier under gradients, search and random changes.

Balls are nested, so each row has one frontier. It starts at the largest epsilon; what breaks it is moved back into
every smaller ball, and it is attacked again below the smallest where that still breaks it. An attack that fails leaves
its best row to the next. At last what breaks it is moved nearer as far as it goes, for a distance between the epsilons.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auditor.attacks.curve import Frontiers
from auditor.attacks.goals import rival_classes
from auditor.attacks.tables.chance import by_chance
from auditor.attacks.tables.every import all_tried
from auditor.attacks.tables.front import Front
from auditor.attacks.tables.gradient import STAGES, Stage, climbed
from auditor.attacks.tables.repair import legal_near
from auditor.attacks.tables.search import by_column, evolved
from auditor.integers import Integers
from auditor.subject import Model
from auditor.tables.ball import Ball
from auditor.tables.constraints import Which
from auditor.tables.file_units import Rows, decoded
from auditor.tables.margins import Margins

__all__ = ["ATTACKS", "GRADIENTS", "SEARCHES", "Attack", "table_curve"]

Attack = Callable[[Front, int], Front]
HALVINGS, ROUNDS = 12, 4  # of the distance at the end, and with gradient steps between them
BELOW = 1e-6  # of a distance: what is nearer by less is as near


def _climb(stage: Stage) -> Attack:
    def attack(front: Front, steps: int) -> Front:
        if stage.rival and int(front.margins.accepted.sum(1).max()) <= stage.rival:
            return front
        return climbed(front, stage, steps)

    return attack


def _once(attack: Callable[[Front], Front]) -> Attack:
    def ends_by_itself(front: Front, steps: int) -> Front:  # noqa: ARG001 - what every attack is given
        return attack(front)

    return ends_by_itself


CHANCE, COLUMNS, EVERY = _once(by_chance), _once(by_column), _once(all_tried)
GRADIENTS = tuple(_climb(stage) for stage in STAGES)
SEARCHES = (COLUMNS, EVERY, evolved, COLUMNS)
ATTACKS = (CHANCE, GRADIENTS[0], COLUMNS, *GRADIENTS[1:], EVERY, evolved, COLUMNS)


def table_curve(
    model: Model,
    x: Tensor,
    y: Tensor,
    epsilons: Sequence[float],
    ball: Ball,
    *,
    steps: int = 40,
    attacks: Sequence[Attack] = ATTACKS,
    size: int = 64,
    seed: int = 0,
    ids: Integers | None = None,
    sight: Model | None = None,
    least: float = 0.0,
) -> Frontiers:
    """The frontier of each row among `epsilons` (ascending, in the units of `ball`) and what shows it.

    `x` (N, F) with classes `y` (N,); a stage of gradients makes `steps` steps, an evolution as many generations; `size`
    inputs are run at once. Gradients are those of `sight`, None: the model's own; attacks look for a lead of another
    class by more than `least`. Random draws follow `seed` and `ids` (N,), so that no row's depend on the others. Every
    witness is legal (`Ball.legal`) within its distance, and one plain forward pass confirms it.
    """
    own = decoded(x, ball.constraints.columns)
    accepted = rival_classes(model, y)
    margins = Margins(model, x, own, accepted, ball.constraints.columns, size, sight, least)
    right = np.flatnonzero(~margins.turned(np.arange(len(x)), own))
    names = np.arange(len(x)) if ids is None else ids
    draws = [np.random.default_rng([seed, int(i)]) for i in names]
    walk = _Walk(margins, ball, np.asarray(epsilons, np.float64), right, draws)
    for attack in attacks:
        walk.attacked(attack, steps)
    rows = walk.moved_nearer(steps)
    witness = margins.inputs(np.arange(len(x)), rows)
    wrong = margins.turned(np.arange(len(x)), rows)  # nothing counts that one plain forward pass does not confirm
    outside = sum(~ball.legal(own, rows, np.full(len(x), e)) for e in epsilons)
    index = np.where(wrong, outside, len(epsilons))
    distance = np.where(wrong, ball.distance(own, rows), 0.0)
    return Frontiers(torch.from_numpy(index), witness, torch.from_numpy(distance).to(x.dtype), witness)


@dataclass
class _Found:
    """What broke each row: `rows` (N, columns), `index` (N,) among the epsilons, their number where nothing did."""

    rows: Rows
    index: Integers


class _Walk:
    """The rows that still stand somewhere: each goes down the epsilons by itself."""

    def __init__(
        self, margins: Margins, ball: Ball, epsilons: Rows, right: Integers, draws: list[np.random.Generator]
    ) -> None:
        self.margins, self.ball, self.epsilons, self.draws = margins, ball, epsilons, draws
        self.found = _Found(margins.own.copy(), np.zeros(len(margins.own), np.int64))
        self.found.index[right] = len(epsilons)
        self.best = margins.own.copy()
        self.margin = np.full(len(self.best), -np.inf)

    def attacked(self, attack: Attack, steps: int) -> None:
        """Every row attacked below what broke it, again and again until it stands."""
        left = np.flatnonzero(self.found.index > 0)
        while len(left):
            front = attack(self._front(left), steps)
            self.best[left], self.margin[left] = front.best, front.margin
            broken = np.flatnonzero(front.margin > 0)
            self._fall(left[broken], front.best[broken])
            left = left[broken][self.found.index[left[broken]] > 0]

    def _front(self, of: Integers) -> Front:
        epsilon = self.epsilons[self.found.index[of] - 1]
        draws = tuple(self.draws[i] for i in of.tolist())
        return Front(self.margins, self.ball, of, epsilon, self.best[of], self.margin[of], draws)

    def _fall(self, of: Integers, rows: Rows) -> None:
        """What broke the rows `of`, moved back into each smaller ball: the smallest where it still does counts."""
        best, margin = rows.copy(), np.full(len(of), -np.inf)
        first = self.found.index[of] - 1
        self.found.rows[of], self.found.index[of] = rows, first
        each = np.arange(len(of))
        for k in range(len(self.epsilons) - 1, -1, -1):
            some = each[k < first]
            front = self._front(of[some]).within(np.full(len(some), self.epsilons[k]))
            moved = front.near(np.arange(len(some)), rows[some])
            found = front.judged(np.arange(len(some)), moved)
            broken = found > 0
            self.found.rows[of[some[broken]]], self.found.index[of[some[broken]]] = moved[broken], k
            below = ~broken & (self.found.index[of[some]] == k + 1)  # the ball that is attacked next
            best[some[below]], margin[some[below]] = moved[below], found[below]
        again = margin == -np.inf
        best[again] = self.margins.own[of[again]]
        self.best[of], self.margin[of] = best, margin

    def moved_nearer(self, steps: int) -> Rows:
        """(N, columns) what breaks each row, as near to it as halving and some gradient steps bring it."""
        of = np.flatnonzero((self.found.index < len(self.epsilons)) & (self.found.rows != self.margins.own).any(1))
        rows, index = self.found.rows, self.found.index
        low = np.where(index[of] > 0, self.epsilons[np.maximum(index[of] - 1, 0)], 0.0)
        for turn in range(ROUNDS):
            self._halved(of, rows, low)
            middle = (low + self.ball.distance(self.margins.own[of], rows[of])) / 2
            front = self._front_of(of, rows, middle)
            front = by_column(climbed(front, STAGES[turn % 2], max(steps // 4, 1)))
            low = np.where(self._taken(of, rows, front), low, middle)
        self._halved(of, rows, low)
        for _ in range(ROUNDS):  # whole numbers and categories: the next smaller distance may be the last
            below = self.ball.distance(self.margins.own[of], rows[of]) * (1 - BELOW)
            of = of[self._taken(of, rows, all_tried(by_column(self._front_of(of, rows, below))))]
        return rows

    @staticmethod
    def _taken(of: Integers, rows: Rows, front: Front) -> Which:
        """(N,) which rows of the front are broken; these take the place of `rows` (all, columns)."""
        broken = front.margin > 0
        rows[of[broken]] = front.best[broken]
        return np.asarray(broken)

    def _front_of(self, of: Integers, rows: Rows, epsilon: Rows) -> Front:
        """The rows `of`, with `rows` moved back into the ball of `epsilon` as the best so far."""
        draws = tuple(self.draws[i] for i in of.tolist())
        start = legal_near(self.ball, self.margins.own[of], rows[of], epsilon)
        return Front(self.margins, self.ball, of, epsilon, start, self.margins.decided(of, start), draws)

    def _halved(self, of: Integers, rows: Rows, low: Rows) -> None:
        """`rows` moved toward what they were, by halving down to `low`, as long as they still break."""
        for _ in range(HALVINGS):
            own = self.margins.own[of]
            middle = (low + self.ball.distance(own, rows[of])) / 2
            low = np.where(self._taken(of, rows, self._front_of(of, rows, middle)), low, middle)
