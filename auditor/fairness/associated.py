"""Which columns go with a group beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.columns import Column
from auditor.shifted.columns import ColumnShift, column_shifts
from auditor.tables.file_units import Rows

__all__ = ["Association", "associations"]

Q = 0.1  # the share of columns found that may go with no group (Benjamini & Hochberg 1995)


@dataclass(frozen=True, slots=True)
class Association:
    """How a column, by its place, goes with the groups.

    `distance` is the largest difference of a group's distribution function from that of all others (numbers), or the
    total variation: 0 the same, 1 nothing in common. `p` is that of no difference, after Benjamini-Hochberg over all
    columns.
    """

    column: int
    test: str
    distance: float
    p: float

    @property
    def found(self) -> bool:
        """Whether the column goes with the groups beyond chance."""
        return self.p <= Q


def associations(columns: Sequence[Column], which: Sequence[int], groups: Sequence[Rows]) -> list[Association]:
    """How the columns `which` go with the groups, of which `groups` holds rows (n, columns); the strongest first.

    Each group is compared with all others: Kolmogorov-Smirnov for numbers, chi-square or Fisher's exact test for
    categories and flags, with Bonferroni's correction over the groups. A column that is the same in all rows has none.
    """
    from scipy.stats import false_discovery_control

    named = [columns[i] for i in which]
    compared = 1 if len(groups) == 2 else len(groups)  # of two groups each is all others to the other
    shifts: dict[int, list[ColumnShift]] = {i: [] for i in which}
    for k in range(compared):
        rest = np.concatenate([g for j, g in enumerate(groups) if j != k])
        for i, shift in zip(which, column_shifts(named, groups[k][:, which], rest[:, which]), strict=True):
            shifts[i] += [shift] if shift.p is not None else []
    tested = [(i, found) for i, found in shifts.items() if found]
    if not tested:
        return []
    p = [min(1.0, compared * min(s.p or 0.0 for s in found)) for _, found in tested]
    adjusted = false_discovery_control(p, method="bh").tolist()
    known = [Association(i, found[0].test, max(s.distance or 0.0 for s in found), float(q))
             for (i, found), q in zip(tested, adjusted, strict=True)]  # fmt: skip
    return sorted(known, key=lambda f: (f.p, -f.distance, f.column))
