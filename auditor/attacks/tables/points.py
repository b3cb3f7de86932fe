"""Rows of a table as points that a gradient can move, and the legal rows that such points stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.columns import Column
from auditor.integers import Integers
from auditor.tables.ball import Ball
from auditor.tables.file_units import Rows

__all__ = ["Points"]


@dataclass(frozen=True)
class Points:
    """How rows (N, columns) become points (N, F), shaped like inputs: numbers and flags stand in units of the file, a
    category has a weight from 0 to 1 for each of its values."""

    ball: Ball
    starts: Integers
    plain: Integers  # places of numbers and flags
    chosen: tuple[tuple[int, Column, Rows], ...]  # place, column and choices of categories and flags

    @classmethod
    def of(cls, ball: Ball) -> Points:
        """The points of a ball's rows."""
        columns = ball.constraints.columns
        chosen = [(i, c, v) for i, (c, v) in enumerate(zip(columns, ball.choices, strict=True)) if v is not None]
        plain = [i for i, c in enumerate(columns) if c.kind != "category"]
        starts = np.array([c.start for c in columns])
        return cls(ball, starts, np.array(plain, np.int64), tuple(t for t in chosen if len(t[2])))

    @property
    def columns(self) -> Sequence[Column]:
        """The columns of the rows."""
        return self.ball.constraints.columns

    def at(self, rows: Rows) -> Rows:
        """(N, F) the points of `rows` (N, columns)."""
        points = np.zeros((len(rows), self.columns[-1].stop))
        points[:, self.starts[self.plain]] = rows[:, self.plain]
        for i, c, _ in self.chosen:
            if c.kind == "category":
                points[:, c.start : c.stop] = rows[:, i : i + 1] == np.arange(len(c.values))
        return points

    def rows(self, points: Rows, own: Rows) -> Rows:
        """(N, columns) what `points` say, legal or not; a category without any weight is as in `own`."""
        rows = own.copy()
        rows[:, self.plain] = points[:, self.starts[self.plain]]
        for i, c, choices in self.chosen:
            if c.kind == "category":
                weights = points[:, c.start + choices.astype(np.int64)]
                rows[:, i] = np.where(weights.max(1) > 0, choices[weights.argmax(1)], rows[:, i])
            else:
                rows[:, i] = choices[np.abs(points[:, c.start, None] - choices).argmin(1)]
        return rows

    def moved_to(self, points: Rows, rows: Rows) -> Rows:
        """`points` where their legal `rows` are; whole numbers, flags and categories keep their part of a step, so that
        small ones add up."""
        points = points.copy()
        numbers = ~self.ball.constraints.whole & ~self.ball.discrete
        points[:, self.starts[numbers]] = rows[:, numbers]
        return points

    def clipped(self, points: Rows, own: Rows, epsilon: Rows) -> Rows:
        """(N, F) `points` within what the elements of rows within `epsilon` (N,) of `own` may be."""
        low, high = self.ball.ranges(own, epsilon)
        points, places = points.copy(), self.starts[self.plain]
        points[:, places] = np.clip(points[:, places], low[:, self.plain], high[:, self.plain])
        for _, c, choices in self.chosen:
            least, most = (0, 1) if c.kind == "category" else (choices[0], choices[-1])
            points[:, c.start : c.stop] = points[:, c.start : c.stop].clip(least, most)
        return points

    def directions(self, gradient: Rows, rows: Rows, epsilon: Rows) -> Rows:
        """(N, F) a step of size 1 up the `gradient` (N, F) of inputs at `rows`: as far as the ball reaches."""
        step = np.zeros_like(gradient)
        slopes = gradient[:, self.starts] / np.array([c.std for c in self.columns])  # of numbers and flags
        along = _along_relations(self.ball, slopes, rows) * self.ball.spread * epsilon[:, None]
        step[:, self.starts[self.plain]] = along[:, self.plain]
        for i, c, choices in self.chosen:
            if c.kind == "category":
                part = gradient[:, c.start : c.stop]
                part = part - part.mean(1, keepdims=True)
                step[:, c.start : c.stop] = part / np.maximum(np.abs(part).max(1, keepdims=True), 1e-300)
            else:
                step[:, c.start] = np.sign(slopes[:, i]) * (choices[-1] - choices[0])
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
    unit = constraints.unit_of
    for several in np.flatnonzero(np.bincount(unit) > 1):
        tied = unit == several
        part = pull[:, tied]
        found[:, tied] = part / np.maximum(np.abs(part).max(1, keepdims=True), 1e-300)
    return found
