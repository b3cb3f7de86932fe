"""What scores promise and what comes of them, by group: overall, in bins of the score, and at equal scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.contingency import MISSING
from auditor.counting.crossings import Crossing, slice_of
from auditor.counting.tally import BATCH, Rows, Sums, Tally
from auditor.fairness.suppression import Group
from auditor.stats import measured
from auditor.types import Measure
from auditor.unsaid import TOO_FEW_GROUPS

__all__ = ["MOST_COMPARED", "Calibration", "Gap", "bands_of", "calibration", "residuals"]

BANDS, MOST_COMPARED = 5, 50
Floats = np.ndarray[Any, np.dtype[np.float64]]


def bands_of(score: np.ndarray[Any, Any]) -> Floats:
    """The scores (at most BANDS - 1) that part scores (N,) into bands of as many rows each, as far as ties allow."""
    edges: Floats = np.unique(np.quantile(score, np.arange(1, BANDS) / BANDS))
    return edges[edges < float(score.max())]


def residuals(rows: Rows, crossing: Crossing, edges: Floats) -> Floats:
    """(G, bands, 3) sum of score minus outcome, sum of its squares, and rows, of every group in every band."""
    bands = len(edges) + 1
    found = np.zeros((3, crossing.size * bands))
    for start in range(0, rows.n, BATCH):
        at = slice(start, min(start + BATCH, rows.n))
        score = np.asarray(rows.score[at], np.float64)
        code = crossing.codes(rows.groups, at).astype(np.int64) * bands + np.searchsorted(edges, score)
        off = score - rows.actual(at)
        found += [np.bincount(code, weights, found.shape[1]) for weights in (off, off * off, None)]
    return np.moveaxis(found.reshape(3, crossing.size, bands), 0, -1)


@dataclass(frozen=True, slots=True)
class Gap:
    """The largest difference in score minus outcome, and the groups that it lies between; () where there is none."""

    measure: Measure
    over: Group = ()
    under: Group = ()


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured in the groups of crossed `attributes`: in the MOST_COMPARED largest of those `present`.

    `large` and `ece` are by group, as its code in the `tally`; `bands` has a gap for each band of the score.
    """

    tally: Tally
    present: int
    large: Mapping[int, Measure]
    ece: Mapping[int, Measure]
    gap: Gap
    bands: tuple[Gap, ...]

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All of them."""
        return (*self.large.values(), *self.ece.values(), *(g.measure for g in (self.gap, *self.bands)))


def calibration(tally: Tally, sums: Sums, found: Floats, smallest: int) -> Calibration:
    """The figures of the groups of a `tally` with `sums`, whose `residuals` are `found`.

    Gaps are between named groups of at least `smallest` rows, in a band of as many there.
    """
    attributes, rows = tally.crossing.attributes, found[:, :, 2].sum(1)
    present = np.flatnonzero(rows)
    largest = np.sort(present[np.argsort(-rows[present], kind="stable")[:MOST_COMPARED]]).tolist()
    names = {g: tally.crossing.group(g) for g in largest}
    large, ece = {}, {}
    for g, group in names.items():
        where, n = slice_of(attributes, group), int(rows[g])
        total = found[g].sum(0).tolist()
        large[g] = measured("calibration_in_the_large", where, "mean-of-differences", total, n=n)
        ece[g] = measured("ece", where, "ece", sums.bins(g), n=n, better="lower")
    compared = {group: found[g] for g, group in names.items() if MISSING not in group}
    by = "&".join(attributes)
    whole = {group: f.sum(0) for group, f in compared.items()}
    gap = _gap("calibration_in_the_large_difference", by, whole, smallest)
    bands = (
        _gap("sufficiency_difference", f"{by}&band={b + 1}", {g: f[b] for g, f in compared.items()}, smallest)
        for b in range(found.shape[1])
    )
    return Calibration(tally, len(present), large, ece, gap, tuple(bands))


def _gap(name: str, where: str, found: Mapping[Group, Floats], smallest: int) -> Gap:
    """The largest difference of means between the groups with enough rows; `found` has (sum, squares, rows) of each."""
    enough = {group: sums for group, sums in found.items() if sums[2] >= smallest}
    n = int(sum(sums[2] for sums in enough.values()))
    if len(enough) < 2:
        return Gap(Measure(name, where, None, n, better="lower", why=TOO_FEW_GROUPS))
    ordered = sorted(enough, key=lambda group: float(enough[group][0] / enough[group][2]))
    counts = np.concatenate(list(enough.values())).tolist()
    m = measured(name, where, "largest-gap-of-differences", counts, n=n, better="lower")
    return Gap(m, ordered[-1], ordered[0])
