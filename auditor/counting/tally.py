"""The counts of every group, made in one pass over the rows: answers against labels, and sums over scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.columns import Labels
from auditor.contingency import Cell
from auditor.counting.crossings import MOST_CELLS, Crossing, crossing_of

__all__ = ["BINS", "Rows", "Sums", "Tally", "tallied", "tally"]

BATCH = 1 << 18
BINS = 15  # of equal width, for calibration errors (Guo et al. 2017, arXiv:1706.04599)
Counts = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Rows:
    """What is counted: whether each of N rows is answered favourably, is so truly, and its score (N,) from 0 to 1.

    `predicted` and `actual` give (n,) booleans for a slice of the rows; `score` is None where no score is known.
    """

    n: int
    groups: Mapping[str, Labels]
    predicted: Any
    actual: Any
    score: Any = None


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over the scores p of G groups, by label (0, 1): sum of p^2 and of (p - y)^4, (G, 2) each.

    `n` and `p` (G, 2, BINS) are the rows and the sum of p in each bin.
    """

    n: Counts
    p: Floats
    squares: Floats
    fourths: Floats

    def over(self, group: Counts, groups: int) -> Sums:
        """The sums of coarser groups, `group` (G,) being that of each."""
        return Sums(*(_added(a, group, groups) for a in (self.n, self.p, self.squares, self.fourths)))

    def mean(self, g: int) -> tuple[float, float, int]:
        """(sum, sum of squares, n) of the scores of a group."""
        return float(self.p[g].sum()), float(self.squares[g].sum()), int(self.n[g].sum())

    def brier(self, g: int) -> tuple[float, float, int]:
        """(sum, sum of squares, n) of (p - y)^2 of a group."""
        p, (n0, n1) = self.p[g].sum(1), self.n[g].sum(1)
        error = self.squares[g].sum() - 2 * p[1] + n1
        return max(0.0, float(error)), float(self.fourths[g].sum()), int(n0 + n1)

    def bins(self, g: int) -> tuple[float, ...]:
        """(rows, sum of scores, truly favourable) of every bin of a group that has rows, one after the other."""
        n, p, positives = self.n[g].sum(0), self.p[g].sum(0), self.n[g, 1]
        return tuple(v for b in np.flatnonzero(n) for v in (int(n[b]), float(p[b]), int(positives[b])))


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of the groups of a crossing, G of which may exist: `squares` (G, 2, 2) by [label, answer]."""

    crossing: Crossing
    squares: Counts
    sums: Sums | None

    def over(self, crossing: Crossing) -> Tally:
        """The counts of a coarser crossing."""
        group = crossing.within(self.crossing)
        sums = None if self.sums is None else self.sums.over(group, crossing.size)
        return Tally(crossing, _added(self.squares, group, crossing.size), sums)

    def __iter__(self) -> Iterator[tuple[tuple[str, ...], Cell]]:
        """The groups that have rows, with their counts."""
        return ((self.crossing.group(g), self.cell(g)) for g in self.present)

    @property
    def n(self) -> int:
        """Rows in all groups."""
        return int(self.squares.sum())

    @property
    def present(self) -> list[int]:
        """The groups that have rows."""
        return [int(g) for g in np.flatnonzero(self.squares.sum((1, 2)))]

    def cell(self, g: int) -> Cell:
        """The counts of one group."""
        (tn, fp), (fn, tp) = self.squares[g].tolist()
        return Cell(tp, fp, fn, tn)


def tally(rows: Rows, crossing: Crossing) -> Tally:
    """The counts of every group of `crossing`, in batches: memory depends on the number of groups."""
    size = crossing.size
    squares = np.zeros(size * 4, np.int64)
    binned, p = np.zeros(size * 2 * BINS, np.int64), np.zeros(size * 2 * BINS)
    squared, fourths = np.zeros(size * 2), np.zeros(size * 2)
    for start in range(0, rows.n, BATCH):
        at = slice(start, min(start + BATCH, rows.n))
        actual = rows.actual(at)
        labelled = crossing.codes(rows.groups, at) * np.int32(2) + actual
        squares += np.bincount(labelled * np.int32(2) + rows.predicted(at), minlength=len(squares))
        if rows.score is None:
            continue
        score = np.asarray(rows.score[at], np.float64)
        code = labelled * np.int32(BINS) + np.minimum((score * BINS).astype(np.int32), np.int32(BINS - 1))
        binned += np.bincount(code, minlength=len(binned))
        p += np.bincount(code, score, len(p))
        squared += np.bincount(labelled, score * score, len(squared))
        fourths += np.bincount(labelled, (score - actual) ** 4, len(fourths))
    shape = (size, 2, BINS)
    sums = Sums(binned.reshape(shape), p.reshape(shape), squared.reshape(size, 2), fourths.reshape(size, 2))
    return Tally(crossing, squares.reshape(size, 2, 2), None if rows.score is None else sums)


def tallied(rows: Rows, attributes: Sequence[str], kept: MutableMapping[tuple[str, ...], Tally]) -> Tally:
    """The counts of crossed `attributes`. What was counted is `kept`: all attributes at once, if they form few groups.

    Every crossing adds up from that one; where MOST_CELLS are exceeded each is counted by itself.
    """
    crossing, whole = crossing_of(attributes, rows.groups), crossing_of(tuple(rows.groups), rows.groups)
    counted = whole if whole.size <= MOST_CELLS else crossing
    if counted.attributes not in kept:
        kept[counted.attributes] = tally(rows, counted)
    return kept[counted.attributes].over(crossing)


def _added(values: np.ndarray[Any, Any], group: Counts, groups: int) -> np.ndarray[Any, Any]:
    """The `values` (G, ...) of groups that become one, added."""
    if groups == len(values):
        found = np.empty_like(values)
        found[group] = values
        return found
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(groups))
    return np.add.reduceat(values[order], starts, axis=0)
