"""Every legal row of a small ball: where there are few, none is left to luck."""

from __future__ import annotations

import math

import numpy as np

from auditor.attacks.tables.front import Front
from auditor.tables.constraints import Which
from auditor.tables.file_units import Rows

__all__ = ["all_tried"]

FEW = 2048


def all_tried(front: Front) -> Front:
    """`front` with the best of all legal rows, for rows whose ball holds at most FEW combinations of values.

    Whole numbers, categories and flags take every value they may, other numbers both ends of their range and what they
    are. A row with more combinations is as it was.
    """
    low, high = front.ball.ranges(front.own, front.epsilon)
    whole = front.ball.constraints.whole
    for i in np.flatnonzero((low < high).sum(1) <= math.log2(FEW)).tolist():  # two values a column at least
        values = _values(front, i, low[i], high[i], whole)
        if 1 < math.prod(map(len, values)) <= FEW:
            rows = np.stack(np.meshgrid(*values, indexing="ij"), -1).reshape(-1, len(values))
            of = np.full(len(rows), i)
            legal = front.ball.legal(front.own[of], rows, front.epsilon[of])
            rows, of = rows[legal], of[legal]
            margin = front.judged(of, rows)
            best = int(margin.argmax())
            place = np.array([i])
            front = front.with_those(place, front.at(place).with_best(rows[best : best + 1], margin[best : best + 1]))
    return front


def _values(front: Front, row: int, low: Rows, high: Rows, whole: Which) -> list[Rows]:
    """What each column of one row may be, from `low` to `high` (columns,); more than FEW values as one too many."""
    found = []
    for i, (own, choices) in enumerate(zip(front.own[row], front.ball.choices, strict=True)):
        if not low[i] < high[i]:
            values = np.array([low[i], high[i]])
        elif choices is not None:
            values = choices
        elif whole[i] and high[i] - low[i] <= FEW:
            values = np.arange(low[i], high[i] + 1)
        else:
            values = np.zeros(FEW) if whole[i] else np.array([low[i], high[i]])
        found.append(np.unique(np.append(values, own)) if len(values) < FEW else np.zeros(FEW + 1))
    return found
