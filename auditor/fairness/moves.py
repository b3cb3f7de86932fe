"""One column of a group's rows as another group would have it: at the same quantile, or in the same shares of values.

Numbers keep their quantile (Feldman et al. 2015, arXiv:1412.3756, section 5; Plecko & Meinshausen 2020, JMLR 21(242)).
Categories have no order: as many rows as possible keep their value, which is a maximal coupling of both distributions.
Every value that comes out stands in a row of the other group, so that whole numbers stay whole and ranges are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from auditor.columns import Column
from auditor.integers import Integers
from auditor.tables.file_units import Rows

__all__ = ["as_group", "carried"]

Values = np.ndarray[Any, np.dtype[np.float64]]


def as_group(
    rows: Rows, codes: Integers, target: int, groups: Sequence[Rows], columns: Sequence[Column],
    which: Sequence[int], draws: Values,
) -> Rows:  # fmt: skip
    """(N, columns) `rows` with the columns `which` as group `target` would have them.

    `codes` (N,) are the groups of the rows, and `groups` the rows (n, columns) that each is known by. Rows of the
    target itself, and of none, stay as they are. `draws` (N, columns) from 0 to 1 tell equal values apart. All are in
    units of the file.
    """
    made = rows.copy()
    for code, own in enumerate(groups):
        at = np.flatnonzero(codes == code)
        if code == target or not len(at):
            continue
        for i in which:
            ordered = columns[i].kind == "number"
            made[at, i] = carried(rows[at, i], own[:, i], groups[target][:, i], draws[at, i], ordered=ordered)
    return made


def carried(values: Values, own: Values, other: Values, draws: Values, *, ordered: bool) -> Values:
    """(N,) `values` of a group known by `own` (n,), as the group would have them that is known by `other` (m,).

    `ordered` for numbers. NaN is a missing value: it stays, and what is missing of the groups is left out; where one of
    them then has no value, all stay.
    """
    own, other = np.sort(own[~np.isnan(own)]), np.sort(other[~np.isnan(other)])
    if not len(own) or not len(other):
        return values
    found = _at_the_quantile(values, own, other, draws) if ordered else _in_the_shares(values, own, other, draws)
    return np.where(np.isnan(values), values, found)


def _at_the_quantile(values: Values, own: Values, other: Values, draws: Values) -> Values:
    """A value that several rows of the group have stands for a range of quantiles, of which `draws` pick one.

    Of a value that no two have it is the middle, so that columns which rise together still do.
    """
    low, high = (np.searchsorted(own, values, side) for side in ("left", "right"))
    rank = low + np.where(high - low > 1, draws, 0.5) * (high - low)
    place = (rank * len(other) / len(own)).astype(np.int64)
    return np.asarray(other[np.minimum(place, len(other) - 1)])


def _in_the_shares(values: Values, own: Values, other: Values, draws: Values) -> Values:
    """A value that the other group has at least as often stays; of one that it has less often the excess goes, to those
    that it has more often.
    """
    known = np.union1d(own, other)
    shares = [np.bincount(np.searchsorted(known, held), minlength=len(known)) / len(held) for held in (own, other)]
    kept = np.minimum(shares[1] / np.where(shares[0] > 0, shares[0], 1), 1.0)
    wanted = np.cumsum(np.maximum(shares[1] - shares[0], 0.0))
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    stays = (known[place] != values) | (shares[0][place] == 0) | (draws < kept[place])  # not of the group: stays
    if wanted[-1] <= 0:
        return values
    of_excess = (draws - kept[place]) / np.where(stays, 1.0, 1 - kept[place])
    new = np.searchsorted(wanted, of_excess.clip(0, 1) * wanted[-1], side="right")
    return np.where(stays, values, known[np.minimum(new, int(np.argmax(wanted)))])
