"""What the rows of an audit count in a figure, as its checks kept it, and only where it adds up to the figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.scores import SCORED_ROWS, group_key, score_key
from auditor.store import Record
from auditor.types import Measure

__all__ = ["Groups", "Ids", "Rate", "Scores", "groups_of", "kept_of_rows", "scores_of"]

CLOSE = 1e-4  # scores are kept as float32
Ids = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Scores:
    """What each of the `rows` (n,), in rising order, counts in a figure: `values` (n,)."""

    rows: Ids
    values: np.ndarray[Any, np.dtype[np.float64]]

    def at(self, rows: Ids) -> Scores:
        """Those of `rows`, all of which it has, in rising order."""
        return Scores(rows, self.values[np.searchsorted(self.rows, rows)])


@dataclass(frozen=True)
class Rate:
    """A group's rate: its `rows` (n,) in rising order, and whether each is counted: `outcome` (n,) of 0 and 1."""

    rows: Ids
    outcome: np.ndarray[Any, np.dtype[np.float64]]

    @property
    def counts(self) -> tuple[int, int]:
        """(counted, all)."""
        return int(self.outcome.sum()), len(self.outcome)


@dataclass(frozen=True)
class Groups:
    """The two groups whose rates a gap lies between."""

    highest: Rate
    lowest: Rate


def scores_of(record: Record, check: str, m: Measure) -> Scores | None:
    """The scores behind a measure; None where none were kept, or they do not add up to it."""
    found = kept_of_rows(record, check, score_key(m.name, m.slice))
    if found is None or m.value is None:
        return None
    rows, values = found
    known = np.isfinite(values)
    rows, values = rows[known], values[known].astype(np.float64)
    if len(rows) != m.n or not len(rows) or abs(values.mean() - m.value) > CLOSE * max(1.0, abs(m.value)):
        return None
    if m.method == "wilson" and not (values.min() >= 0 and values.max() <= 1):
        return None
    return Scores(rows, values)


def groups_of(record: Record, check: str, m: Measure) -> Groups | None:
    """The groups behind a gap, as the check chose them; None where they were not kept, or do not make it up."""
    found = kept_of_rows(record, check, group_key(m.name, m.slice))
    if found is None:
        return None
    rows, codes = found[0], found[1].astype(np.int64)
    inside = codes >= 0
    group, outcome, rows = codes[inside] // 2, (codes[inside] % 2).astype(np.float64), rows[inside]
    rates = [Rate(rows[group == g], outcome[group == g]) for g in np.unique(group)]
    if len(rates) < 2:
        return None
    ordered = sorted(rates, key=lambda r: r.counts[0] / r.counts[1])
    groups = Groups(ordered[-1], ordered[0])
    pairs = m.counts[len(m.counts) % 2 :]  # a gap in two rates has how many groups are of the first before them
    known = set(zip(pairs[::2], pairs[1::2], strict=True))
    if m.value is None or not {r.counts for r in rates} <= known:
        return None
    (k1, n1), (k2, n2) = groups.highest.counts, groups.lowest.counts
    return groups if abs(k1 / n1 - k2 / n2 - m.value) < CLOSE else None


def kept_of_rows(record: Record, check: str, key: str) -> tuple[Ids, np.ndarray[Any, Any]] | None:
    """Ids in rising order and an array kept of them; None where the two are missing or do not fit together."""
    rows, values = record.arrays.get(f"{check}/{SCORED_ROWS}"), record.arrays.get(f"{check}/{key}")
    if rows is None or values is None or rows.ndim != 1 or rows.shape != values.shape:
        return None
    if rows.dtype.kind not in "iu" or values.dtype.kind not in "iufb" or len(np.unique(rows)) != len(rows):
        return None
    order = np.argsort(rows)
    return rows[order].astype(np.int64), values[order]
