"""A changed row of a table nearer to what it was: as few columns changed as can be, and their numbers as little."""

from __future__ import annotations

from typing import Any

import numpy as np

from auditor.explain.counterfactual.mad import Distance
from auditor.explain.counterfactual.trials import Candidates, nearest
from auditor.integers import Integers
from auditor.tables.constraints import Constraints, Which
from auditor.tables.file_units import Rows
from auditor.tables.margins import Margins

__all__ = ["fewer_columns", "moved_nearer", "put_back"]

HALVINGS = 24
Order = np.ndarray[Any, np.dtype[np.int64]]


def fewer_columns(
    margins: Margins, own: Rows, found: Candidates, constraints: Constraints, distance: Distance
) -> Candidates:
    """For each candidate the columns that turn the answer alone, each by itself; where none does, the strongest.

    The strongest are as many as it takes, in the order of what each does alone. Columns that a relation ties together
    change together.
    """
    units, s = constraints.units, len(found.of)
    of = np.repeat(np.arange(s), len(units))
    unit = np.tile(np.arange(len(units)), s)

    def alone(i: Integers) -> Rows:
        return np.where(units[unit[i]], found.rows[of[i]], own[found.of[of[i]]])

    effects = margins.lazily(found.of[of], alone).reshape(s, len(units))
    differs = ((found.rows != own[found.of]) @ units.T) > 0
    effects = np.where(differs, effects, -np.inf)
    turned = np.flatnonzero((effects > 0).ravel())
    apart = (distance.parts(found.rows, own[found.of]) @ units.T).ravel()[turned]
    turned = turned[nearest(found.of[of[turned]], apart)]
    single = Candidates(found.of[of[turned]], alone(turned))
    rest = np.flatnonzero(~(effects > 0).any(1))
    several = _strongest(margins, own, found.at(rest), units, effects[rest], differs[rest].sum(1))
    return single.with_those_of(several)


def _strongest(
    margins: Margins, own: Rows, found: Candidates, units: Which, effects: Rows, most: Integers
) -> Candidates:
    """Each candidate with as many of its units as it takes, by halving between none and all (`most`, (S,))."""
    rank = np.argsort(np.argsort(-effects, 1, kind="stable"), 1, kind="stable")
    few, many = np.zeros(len(most), np.int64), most.copy()

    def first(n: Integers) -> Rows:
        return np.where((rank < n[:, None]) @ units, found.rows, own[found.of])

    while (many - few > 1).any():
        middle = (few + many + 1) // 2
        holds = margins(found.of, first(middle)) > 0
        few, many = np.where(holds, few, np.minimum(middle, many - 1)), np.where(holds, middle, many)
    return Candidates(found.of, first(many))


def put_back(margins: Margins, own: Rows, found: Candidates, constraints: Constraints) -> Candidates:
    """Candidates with every column as it was whose change is not needed, the least needed first."""
    several = (found.rows != own[found.of]).sum(1) > 1
    alone, found = found.at(np.flatnonzero(~several)), found.at(np.flatnonzero(several))
    rows, before = found.rows.copy(), own[found.of]
    order = _by_need(margins, own, found, constraints)
    for column in order.T:
        some = np.flatnonzero(column >= 0)
        if not len(some):
            break
        trial = _with(rows[some], before[some], column[some], before[some, column[some]], constraints)
        fewer = (trial != before[some]).sum(1) < (rows[some] != before[some]).sum(1)
        holds = fewer & constraints.admissible(before[some], trial)
        holds[holds] = margins(found.of[some[holds]], trial[holds]) > 0
        rows[some[holds]] = trial[holds]
    return alone.with_those_of(Candidates(found.of, rows))


def moved_nearer(
    margins: Margins, own: Rows, found: Candidates, constraints: Constraints, distance: Distance
) -> Candidates:
    """Candidates with their numbers moved toward what they were, by halving, as long as the answer stays turned.

    Columns that turn the answer least for their distance move first. Numbers stop at whole steps: powers of ten from a
    thousandth to a hundredth of a MAD, at least 1 for whole numbers.
    """
    rows, before = found.rows.copy(), own[found.of]
    step = 10.0 ** (np.floor(np.log10(np.where(distance.scale > 0, distance.scale, 1.0))) - 2)
    step = np.where(constraints.whole, np.maximum(step, 1.0), step)
    numbers = np.array([c.kind == "number" for c in constraints.columns])
    order = _by_need(margins, own, found, constraints, distance)
    for next_ in order.T:
        column = np.where((next_ >= 0) & numbers[next_], next_, -1)
        some = np.flatnonzero(column >= 0)
        some = some[rows[some, column[some]] != before[some, column[some]]]
        near = before[np.arange(len(rows)), column]
        for _ in range(HALVINGS):
            if not len(some):
                break
            j = column[some]
            far = rows[some, j]
            up, unit = far > near[some], step[j]
            middle = (near[some] + far) / 2 / unit
            middle = np.where(up, np.ceil(middle), np.floor(middle)) * unit
            inside = np.where(up, middle < far, middle > far)
            some, j, middle, up = some[inside], j[inside], middle[inside], up[inside]
            trial = _with(rows[some], before[some], j, middle, constraints)
            nearer = distance.parts(trial, before[some]).sum(1) < distance.parts(rows[some], before[some]).sum(1)
            holds = nearer & constraints.admissible(before[some], trial)
            holds[holds] = margins(found.of[some[holds]], trial[holds]) > 0
            rows[some[holds]] = trial[holds]
            near[some[~holds]] = middle[~holds]
    return Candidates(found.of, rows)


def _with(rows: Rows, before: Rows, column: Integers, value: Rows, constraints: Constraints) -> Rows:
    """`rows` with `value` in one column each, relations kept by the other columns that are changed already."""
    trial, each = rows.copy(), np.arange(len(rows))
    trial[each, column] = value
    free = rows != before
    free[each, column] = False
    return constraints.repaired(before, trial, free)


def _by_need(
    margins: Margins, own: Rows, found: Candidates, constraints: Constraints, distance: Distance | None = None
) -> Order:
    """(S, most changed) the changed columns of each candidate, -1 behind the last, those that turn it least first.

    A column's part in the turn is what the margin loses without it, for a unit of its distance where one is given.
    """
    changed = found.rows != own[found.of]
    of, column = np.nonzero(changed)
    before = own[found.of]

    def without(i: Integers) -> Rows:
        k, j = of[i], column[i]
        return _with(found.rows[k], before[k], j, before[k, j], constraints)

    lost = np.nan_to_num(margins(found.of, found.rows)[of] - margins.lazily(found.of[of], without), posinf=1e300)
    if distance is not None:
        lost = lost / np.maximum(distance.parts(found.rows, before)[of, column], 1e-12)
    order = np.full((len(found.of), int(changed.sum(1).max(initial=0))), -1)
    sorted_ = np.lexsort((lost, of))
    place = np.concatenate([np.arange(n) for n in changed.sum(1)]) if len(of) else of
    order[of[sorted_], place] = column[sorted_]
    return order
