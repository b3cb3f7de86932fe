"""Every legal row of a small ball: where there are few, none is left to luck."""

from __future__ import annotations

import math

import numpy as np

from auditor.attacks.tables.front import Front
from auditor.subject import Integers
from auditor.tables.file_units import Rows

__all__ = ["all_tried"]

FEW = 2048


def all_tried(front: Front) -> Front:
    """`front` with the best of all legal rows, for rows whose ball holds at most FEW combinations of values.

    Whole numbers, categories and flags take every value they may, other numbers both ends of their range and what they
    are. A row with more combinations is as it was.
    """
    ends = front.ball.ranges(front.own, front.epsilon)
    for i in range(len(front.of)):
        values = _values(front, i, ends)
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


def _values(front: Front, row: Integers | int, ends: tuple[Rows, Rows]) -> list[Rows]:
    """What each column of one row may be; more than FEW of one column as two too many."""
    low, high = (end[row] for end in ends)
    found = []
    for i, (own, choices) in enumerate(zip(front.own[row], front.ball.choices, strict=True)):
        if not front.ball.constraints.movable[i]:
            values = np.zeros(0)
        elif choices is not None:
            values = choices if front.epsilon[row] >= 1 else np.zeros(0)
        elif front.ball.constraints.whole[i] and high[i] - low[i] <= FEW:
            values = np.arange(low[i], high[i] + 1)
        elif front.ball.constraints.whole[i]:
            values = np.zeros(FEW)
        else:
            values = np.array([low[i], high[i]])
        found.append(np.unique(np.append(values, own)) if len(values) < FEW else np.zeros(FEW + 1))
    return found
