"""Whether single columns of two samples come from one distribution, and how far apart they lie.

Numbers: Kolmogorov-Smirnov. Categories and flags: Pearson's chi-square, by Fisher's exact test where counts are small.
Holm 1979 over all columns.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from auditor.columns import Column
from auditor.stats import holm
from auditor.tables.file_units import said

__all__ = ["ColumnShift", "column_shifts"]

Values = np.ndarray[Any, np.dtype[np.float64]]
Counts = np.ndarray[Any, np.dtype[np.int64]]
EXACT = 500  # rows of a side up to which the p-value of Kolmogorov-Smirnov is exact
EXPECTED = 5.0  # the smallest expected count for which chi-square holds (Cochran 1954)


@dataclass(frozen=True, slots=True)
class ColumnShift:
    """One column of both samples.

    `distance` is the largest difference of the distribution functions (numbers), or the total variation: 0 the same, 1
    nothing in common. `p` is that of no difference, `adjusted` after Holm; both None for a column that is the same in
    every row of both, which tells nothing. `reference` and `audited` say what stands there: the median, or the share of
    the value that differs most. `missing` are the shares of rows without a value, in the reference and in the audited.
    """

    name: str
    test: str
    distance: float | None
    p: float | None
    reference: str
    audited: str
    missing: tuple[float, float]
    adjusted: float | None = None


def column_shifts(columns: Sequence[Column], reference: Values, audited: Values) -> list[ColumnShift]:
    """The columns of `reference` (N, columns) against `audited` (M, columns), in units of the file.

    NaN is a missing value; a category is the index of its value.
    """
    found = [_shift(c, reference[:, i], audited[:, i]) for i, c in enumerate(columns)]
    tested = [i for i, f in enumerate(found) if f.p is not None]
    for i, p in zip(tested, holm([found[i].p or 0.0 for i in tested]), strict=True):
        found[i] = replace(found[i], adjusted=p)
    return found


def _shift(column: Column, first: Values, second: Values) -> ColumnShift:
    gaps = np.isnan(first), np.isnan(second)
    a, b = first[~gaps[0]], second[~gaps[1]]
    found = ColumnShift(column.name, "", None, None, "", "", (float(gaps[0].mean()), float(gaps[1].mean())))
    if len(a) and len(b) and not (a[0] == a).all() & (a[0] == b).all():
        found = _number(column, a, b, found) if column.kind == "number" else _category(column, a, b, found)
    counts = np.array([[g.sum(), (~g).sum()] for g in gaps], np.int64)
    if not counts.sum(0).all():  # none is missing, or all are
        return found
    # two tests of one column, of its values and of which are missing: Bonferroni
    known = [p for p in (found.p, _independence(counts)[1]) if p is not None]
    return replace(
        found, test=f"{found.test}, missing" if found.test else "missing", p=min(1.0, len(known) * min(known))
    )


def _number(column: Column, a: Values, b: Values, found: ColumnShift) -> ColumnShift:
    from scipy.stats import ks_2samp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where the exact p-value cannot be had it takes the other one
        distance, p = ks_2samp(a, b, method="auto" if max(len(a), len(b)) <= EXACT else "asymp")[:2]
    medians = [f"median {said(float(np.median(v)), column)}" for v in (a, b)]
    return replace(
        found, test="Kolmogorov-Smirnov", distance=float(distance), p=float(p), reference=medians[0], audited=medians[1]
    )


def _category(column: Column, a: Values, b: Values, found: ColumnShift) -> ColumnShift:
    values = np.union1d(a, b)
    counts = np.stack([_counted(v, values) for v in (a, b)])
    shares = counts / counts.sum(1, keepdims=True)
    test, p = _independence(counts)
    most = int(np.abs(shares[0] - shares[1]).argmax())
    name = said(float(values[most]), column)
    shown = [f"{name}: {s:.3f}" for s in shares[:, most]]
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    return replace(found, test=test, distance=distance, p=p, reference=shown[0], audited=shown[1])


def _counted(values: Values, among: Values) -> Counts:
    return np.bincount(np.searchsorted(among, values), minlength=len(among))


def _independence(counts: Counts) -> tuple[str, float]:
    """The name and p-value of the test that both rows of `counts` (2, values) are drawn from one distribution.

    The rarest values are counted together until each is expected often enough for chi-square; where two are left that
    are not, Fisher's exact test.
    """
    from scipy.stats import chi2_contingency, fisher_exact

    counts = counts[:, np.argsort(counts.sum(0), kind="stable")]
    smaller = counts.sum(1).min() / counts.sum()
    while counts.shape[1] > 2 and counts[:, 0].sum() * smaller < EXPECTED:
        counts = np.concatenate([counts[:, :1] + counts[:, 1:2], counts[:, 2:]], 1)
        counts = counts[:, np.argsort(counts.sum(0), kind="stable")]
    if counts[:, 0].sum() * smaller < EXPECTED:
        return "Fisher", float(fisher_exact(counts)[1])
    return "chi-square", float(chi2_contingency(counts, correction=False)[1])
