"""What may change in a row of a table, and a changed row made to keep it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.columns import Column, Relation
from auditor.integers import Integers
from auditor.tables.file_units import Rows

__all__ = ["Constraints", "Which"]

CLOSE = 1e-9  # of the sum of a relation's parts
Which = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Constraints:
    """What the audit file says of changes, in units of the file: see `Column` and `Relation`.

    A changed value also lies within what the reference holds: `low` and `high` (columns,) are the narrower of both
    ranges. Columns that are the same in every reference row do not move. What is not changed is not judged: a row may
    be outside a range, or break a relation, as long as the columns concerned stay as they are.
    """

    columns: tuple[Column, ...]
    relations: tuple[Relation, ...]
    low: Rows
    high: Rows
    movable: Which

    @classmethod
    def of(cls, columns: Sequence[Column], relations: Sequence[Relation], reference: Rows) -> Constraints:
        """The constraints on changes among what `reference` (M, columns) holds."""
        low = np.maximum(reference.min(0), [c.low for c in columns])
        high = np.minimum(reference.max(0), [c.high for c in columns])
        whole = np.array([c.integer for c in columns])
        low, high = np.where(whole, np.ceil(low), low), np.where(whole, np.floor(high), high)
        varied = (reference != reference[0]).any(0)
        movable = varied & np.array([c.mutable for c in columns]) & (low <= high)
        return cls(tuple(columns), tuple(relations), low, high, movable)

    @property
    def whole(self) -> Which:
        """(columns,) which take whole numbers only."""
        return np.array([c.integer for c in self.columns])

    @property
    def unit_of(self) -> Integers:
        """(columns,) the unit of each column, from 0 on: those that a relation ties together are one."""
        group = np.arange(len(self.columns))
        for relation in self.relations:
            tied = np.isin(group, group[[i for i, _ in relation.weights]])
            group[tied] = group[tied].min()
        return np.asarray(np.unique(group, return_inverse=True)[1], np.int64)

    @property
    def units(self) -> Which:
        """(units, columns) which columns a relation ties together; a column in none is alone."""
        unit = self.unit_of
        return np.asarray(unit == np.arange(unit.max(initial=-1) + 1)[:, None])

    def ranges(self, own: Rows) -> tuple[Rows, Rows]:
        """(N, columns) the smallest and largest value that each column of rows `own` may change to."""
        rising = np.array([c.increasing_only for c in self.columns])
        least = np.where(self.whole, np.ceil(own), own)
        low = np.where(rising, np.maximum(self.low, least), self.low)
        high = np.broadcast_to(self.high, own.shape)
        stuck = ~self.movable | (low > high)
        return np.where(stuck, own, low), np.where(stuck, own, high)

    def projected(self, own: Rows, wanted: Rows) -> Rows:
        """(N, columns) admissible rows near `wanted`, as changes of `own`; where there is none, `own` itself."""
        low, high = self.ranges(own)
        rows = np.clip(np.where(self.whole, np.round(wanted), wanted), low, high)
        for i, c in enumerate(self.columns):
            if c.kind != "number":  # one of its values, or what it was
                known = (wanted[:, i] < len(c.values)) if c.kind == "category" else rows[:, i] == wanted[:, i]
                rows[:, i] = np.where(known & self.movable[i], wanted[:, i], own[:, i])
        if not self.relations:
            return rows
        rows = self.repaired(own, rows, rows != own)
        rows = self.repaired(own, rows, np.broadcast_to(self.movable, rows.shape))
        return np.where(self.admissible(own, rows)[:, None], rows, own)

    def repaired(self, own: Rows, rows: Rows, free: Which, within: tuple[Rows, Rows] | None = None) -> Rows:
        """`rows` with the numbers that are `free` (N, columns) moved, as far as they may, until relations hold.

        They may move `within` a smallest and largest value each (N, columns), left out all of their range.
        """
        if not self.relations:
            return rows
        low, high = within or self.ranges(own)
        rows = rows.copy()
        for relation in self.relations * min(2, len(self.relations)):  # a column may stand in several
            for i, weight in relation.weights:
                if self.columns[i].kind != "number":
                    continue
                excess = self.excess(relation, own, rows)
                target = rows[:, i] - excess / weight
                if self.columns[i].integer:
                    lower = np.floor(target) if weight > 0 else np.ceil(target)  # never above what is at most
                    target = lower if relation.equals is None else np.round(target)
                moved = np.clip(target, low[:, i], high[:, i])
                rows[:, i] = np.where(free[:, i] & (excess != 0), moved, rows[:, i])
        return rows

    def admissible(self, own: Rows, rows: Rows) -> Which:
        """(N,) whether `rows` are allowed changes of `own`."""
        low, high = self.ranges(own)
        inside = (rows >= low) & (rows <= high) & (~self.whole | (rows == np.round(rows)))
        categories = np.array([c.kind == "category" for c in self.columns])
        known = rows < [len(c.values) for c in self.columns]
        allowed = self.movable & np.where(categories, known, inside)
        kept = ((rows == own) | allowed).all(1)
        for relation in self.relations:
            kept &= self.excess(relation, own, rows) == 0
        return np.asarray(kept)

    @staticmethod
    def excess(relation: Relation, own: Rows, rows: Rows) -> Rows:
        """(N,) by how much the sum of a relation is off; 0 where it holds, and where none of its columns is changed."""
        places, weights = [i for i, _ in relation.weights], np.array([w for _, w in relation.weights])
        parts = rows[:, places] * weights
        bound = relation.at_most if relation.equals is None else relation.equals
        assert bound is not None  # noqa: S101 - one of them is given
        off = parts.sum(1) - bound
        off = np.maximum(off, 0.0) if relation.equals is None else off
        small = np.abs(off) <= CLOSE * (np.abs(parts).sum(1) + abs(bound))
        unchanged = (rows[:, places] == own[:, places]).all(1)
        return np.asarray(np.where(small | unchanged, 0.0, off))
