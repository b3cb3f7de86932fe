"""Random legal changes of rows: what breaks a row by chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auditor.attacks.tables.front import Front
from auditor.tables.ball import Ball
from auditor.tables.file_units import Rows
from auditor.tables.margins import Margins

__all__ = ["by_chance", "random_changes"]

DRAWN = 8


def by_chance(front: Front) -> Front:
    """`front` with the best of DRAWN random legal rows."""
    rows = front.random(DRAWN)
    each = np.arange(len(rows))
    for k in range(DRAWN):
        front = front.with_best(rows[:, k], front.judged(each, rows[:, k]))
    return front


def random_changes(
    margins: Margins, ball: Ball, epsilons: Sequence[float], draws: Sequence[np.random.Generator]
) -> Rows:
    """(E, N, columns) one random legal change of each row within each of `epsilons`."""
    n, of = len(margins.own), np.arange(len(margins.own))
    start = Front(margins, ball, of, np.zeros(n), margins.own, np.full(n, -np.inf), tuple(draws))
    return np.stack([start.within(np.full(n, e)).random(1)[:, 0] for e in epsilons])
