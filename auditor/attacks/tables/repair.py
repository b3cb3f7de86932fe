"""Any wanted row made a legal change of the row that it came from."""

from __future__ import annotations

import numpy as np

from auditor.columns import Relation
from auditor.tables.ball import Ball
from auditor.tables.constraints import Which
from auditor.tables.file_units import Rows

__all__ = ["legal_near"]

SWEEPS = 4  # over the relations, since columns may stand in several


def legal_near(ball: Ball, own: Rows, wanted: Rows, epsilon: Rows, hold: Which | None = None) -> Rows:
    """(N, columns) legal rows within `epsilon` (N,) of `own`, near `wanted`.

    Numbers are clipped and rounded, categories and flags take the value wanted where they may. Then numbers that
    relations tie share what is off, each by its spread, as far as they may; those in `hold` (N, columns) do not.
    Columns whose relation is not met even so are as in `own`. (In the spirit of the repair of Simonetto et al. 2024,
    arXiv:2406.00775, section 3.)
    """
    low, high = ball.ranges(own, epsilon)
    whole, constraints = ball.constraints.whole, ball.constraints
    rows = np.clip(np.where(whole, np.round(wanted), wanted), low, high)
    rows = np.where(wanted == own, own, rows)
    for i, choices in enumerate(ball.choices):
        if choices is not None:
            may = (epsilon >= 1) & constraints.movable[i] & np.isin(wanted[:, i], choices)
            if constraints.columns[i].kind == "flag":
                may &= (low[:, i] <= wanted[:, i]) & (wanted[:, i] <= high[:, i])
            rows[:, i] = np.where(may, wanted[:, i], own[:, i])
    if constraints.relations:
        free = (low < high) & ~ball.discrete & (np.True_ if hold is None else ~hold)
        rows = _kept(ball, own, rows, low, high, free)
    return rows


def _kept(ball: Ball, own: Rows, rows: Rows, low: Rows, high: Rows, free: Which) -> Rows:
    """`rows` with their `free` numbers moved until the relations hold: shared first, then what rounding leaves off."""
    constraints = ball.constraints
    for _ in range(min(SWEEPS, 2 * len(constraints.relations) - 1)):
        for relation in constraints.relations:
            rows = _shared(ball, relation, own, rows, low, high, free)
    whole = constraints.whole
    rows = np.where(whole & free & (rows != own), np.clip(np.round(rows), low, high), rows)
    for some in (free & ~whole, free):
        rows = constraints.repaired(own, rows, some, (low, high))
    unit = constraints.unit_of
    for relation in constraints.relations:
        tied = unit == unit[relation.weights[0][0]]
        rows = np.where((constraints.excess(relation, own, rows) != 0)[:, None] & tied, own, rows)
    return rows


def _shared(ball: Ball, relation: Relation, own: Rows, rows: Rows, low: Rows, high: Rows, free: Which) -> Rows:
    """What a relation is off by, spread over its free columns: the nearest point in units of the spreads, unless an end
    of a range is met; then what is left goes to the others."""
    places = [i for i, _ in relation.weights]
    weights = np.array([w for _, w in relation.weights])
    part, pull = rows[:, places].copy(), weights * ball.spread[places] ** 2
    low, high, may = low[:, places], high[:, places], free[:, places]
    off = ball.constraints.excess(relation, own, rows)
    for _ in places:
        shares = may * pull * weights
        total = shares.sum(1, keepdims=True)
        step = np.where(total > 0, may * pull / np.where(total > 0, total, 1.0), 0.0) * off[:, None]
        moved = np.where(step == 0, part, np.clip(part - step, low, high))
        off = off + ((moved - part) * weights).sum(1)
        part, may = moved, may & (low < moved) & (moved < high)
        if not off.any():
            break
    rows = rows.copy()
    rows[:, places] = part
    return rows
