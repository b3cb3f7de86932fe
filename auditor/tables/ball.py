"""How far a row of a table may be changed at an epsilon, and which changed rows are legal there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column, Relation
from auditor.subject import Data, Model
from auditor.tables.constraints import Constraints, Which
from auditor.tables.file_units import Rows, decoded

__all__ = ["Ball", "ball_of"]


@dataclass(frozen=True)
class Ball:
    """The rows within an epsilon of a row: Linf over the columns, under the `constraints`.

    An epsilon of 1 moves a number by its `spread` (columns,), in units of the file. A category or flag that takes
    another of its `choices` is 1 away, whichever value it takes (the overlap metric: Wilson & Martinez 1997, JAIR 6:1,
    section 2.2), so that it moves from epsilon 1 on; `choices` are None for numbers.
    """

    constraints: Constraints
    spread: Rows
    choices: tuple[Rows | None, ...]

    @property
    def discrete(self) -> Which:
        """(columns,) which are categories or flags."""
        return np.array([c is not None for c in self.choices])

    def ranges(self, own: Rows, epsilon: Rows) -> tuple[Rows, Rows]:
        """(N, columns) the smallest and largest value that each column of rows `own` may change to within `epsilon`
        (N,); its own value twice where it may not change."""
        low, high = self.constraints.ranges(own)
        reach = epsilon[:, None] * np.where(self.discrete, 0.0, self.spread)
        near, far = own - reach, own + reach
        whole = self.constraints.whole
        near, far = np.where(whole, np.ceil(near), near), np.where(whole, np.floor(far), far)
        free = self.discrete & (epsilon[:, None] >= 1)
        low, high = np.where(free, low, np.maximum(low, near)), np.where(free, high, np.minimum(high, far))
        stuck = (low > high) | (self.discrete & ~free)
        return np.where(stuck, own, low), np.where(stuck, own, high)

    def reach(self, own: Rows) -> float:
        """The largest epsilon that any change of rows `own` (N, columns) needs."""
        low, high = self.constraints.ranges(own)
        with np.errstate(divide="ignore", invalid="ignore"):
            far = np.maximum(high - own, own - low) / self.spread
        numbers = self.constraints.movable & ~self.discrete
        discrete = 1.0 if (self.constraints.movable & self.discrete).any() else 0.0
        return max(discrete, float(np.nan_to_num(far[:, numbers], posinf=np.inf).max(initial=0.0)))

    def legal(self, own: Rows, rows: Rows, epsilon: Rows) -> Which:
        """(N,) whether `rows` (N, columns) are allowed changes of `own`, and within `epsilon` (N,) of them."""
        low, high = self.ranges(own, epsilon)
        categories = np.array([c.kind == "category" for c in self.constraints.columns])
        inside = np.where(categories, epsilon[:, None] >= 1, (low <= rows) & (rows <= high))
        for i, choices in enumerate(self.choices):
            if choices is not None:
                inside[:, i] &= np.isin(rows[:, i], choices)
        return np.asarray(((rows == own) | inside).all(1) & self.constraints.admissible(own, rows))

    def distance(self, own: Rows, rows: Rows) -> Rows:
        """(N,) the smallest epsilon that holds `rows`; infinite where a column without spread has changed."""
        scale = np.where(self.discrete, 1.0, self.spread)
        apart = np.where(self.discrete, rows != own, np.abs(rows - own))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(apart > 0, apart / scale, 0.0).max(1, initial=0.0))


def ball_of(model: Model, columns: Sequence[Column], relations: Sequence[Relation], seen: Data) -> Ball:
    """The ball of rows of `columns`.

    Numbers keep to the model's bounds, which are what was seen, cut to what the audit file allows; their spread is the
    model's unit, and the standard deviation among the rows of `seen` where attacks by pixels would break what is said
    of a column: whole numbers, numbers that only rise, numbers in a relation. Categories and flags take the values that
    rows of `seen` hold.
    """
    held = _held(columns, seen)
    low, high = _bounds(model, columns, held)
    tied = {i for relation in relations for i, _ in relation.weights}
    unit = torch.as_tensor(model.unit, dtype=torch.float64).expand(columns[-1].stop)
    spread, choices = np.zeros(len(columns)), list[Rows | None]()
    for i, c in enumerate(columns):
        choices.append(None if c.kind == "number" else _choices(c, held.values[i], low[i], high[i]))
        as_pixels = float(unit[c.start]) * c.std
        own = held.spread[i] if c.integer or c.increasing_only or i in tied else 0.0
        spread[i] = as_pixels if as_pixels > 0 else own
    several = np.array([v > 0 if c is None else len(c) > 1 for c, v in zip(choices, spread, strict=True)])
    discrete = np.array([c is not None for c in choices])
    movable = several & np.array([c.mutable for c in columns]) & (discrete | (low <= high))
    constraints = Constraints(tuple(columns), tuple(relations), low, high, movable)
    return Ball(constraints, np.where(discrete, 0.0, spread), tuple(choices))


@dataclass(frozen=True)
class _Held:
    """What rows hold: the standard deviation, smallest and largest value (columns,) of each column, in units of the
    file; of categories and flags the values."""

    spread: Rows
    low: Rows
    high: Rows
    values: tuple[set[float], ...]


def _held(columns: Sequence[Column], seen: Data) -> _Held:
    """In parts, so that memory is set by their size; rows with NaN or infinity are left out."""
    count, base = 0, np.zeros(len(columns))
    total, squares = np.zeros(len(columns)), np.zeros(len(columns))
    low, high = np.full(len(columns), np.inf), np.full(len(columns), -np.inf)
    values = tuple(set[float]() for _ in columns)
    for batch in seen.batches(1024):
        rows = decoded(batch.x[batch.x.isfinite().all(1)], columns)
        if not len(rows):
            continue
        base = rows[0] if count == 0 else base  # sums of differences keep their digits
        count, total, squares = count + len(rows), total + (rows - base).sum(0), squares + ((rows - base) ** 2).sum(0)
        low, high = np.minimum(low, rows.min(0)), np.maximum(high, rows.max(0))
        for i, c in enumerate(columns):
            if c.kind != "number":
                values[i].update(np.unique(rows[:, i]).tolist())
    n = max(count, 1)
    spread = np.sqrt(np.maximum(squares / n - (total / n) ** 2, 0.0))
    return _Held(np.where(low < high, spread, 0.0), low, high, values)


def _bounds(model: Model, columns: Sequence[Column], held: _Held) -> tuple[Rows, Rows]:
    """(columns,) the smallest and largest legal value in units of the file; what was seen where a bound is NaN."""
    width = columns[-1].stop
    ends = [torch.as_tensor(b, dtype=torch.float32).expand(1, width) for b in model.bounds]
    low, high = (np.where(_numbers(end, columns).isnan(), np.nan, decoded(end, columns)[0]) for end in ends)
    discrete = np.array([c.kind != "number" for c in columns])
    low = np.where(discrete, -np.inf, np.where(np.isnan(low), held.low, low))
    high = np.where(discrete, np.inf, np.where(np.isnan(high), held.high, high))
    low, high = np.maximum(low, [c.low for c in columns]), np.minimum(high, [c.high for c in columns])
    whole = np.array([c.integer for c in columns])
    return np.where(whole, np.ceil(low), low), np.where(whole, np.floor(high), high)


def _numbers(end: Tensor, columns: Sequence[Column]) -> Tensor:
    return end[0, [c.start for c in columns]]


def _choices(column: Column, values: set[float], low: float, high: float) -> Rows:
    """The values that a category or a flag may take, in order."""
    if column.kind == "category":
        return np.array(sorted(v for v in values if v < len(column.values)))
    return np.array(sorted(v for v in values if low <= v <= high and not (column.integer and v != round(v))))
