"""Slices of a table on which a model is wrong more often than elsewhere (SliceLine: Sagadeeva & Boehm, SIGMOD 2021).

A slice is the rows that have given values in up to `depth` columns. Its score weighs how much more often they are wrong
against how few they are: `alpha (e / E - 1) - (1 - alpha) (N / n - 1)`, with the share e of its n rows wrong, and E of
all N. It is 0 for all rows, and only slices above 0 are of interest.

The search is exact. All slices of the same columns are counted in one table, and those are left out that cannot come
among the best: by the fewest rows and wrong answers of the slices that have one value less, the paper's upper bound.
Beyond the paper, every value of a slice must tell something: it takes away a fifth of the rows or more, and what is
left is wrong more often than chance makes it. Other slices are searched through and not listed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from typing import Any

import numpy as np

from auditor.integers import Integers

__all__ = ["Found", "Slice", "distinct", "inside", "search"]

Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
Places = np.ndarray[tuple[int], np.dtype[np.int32]]
Where = tuple[tuple[int, int], ...]
Counts = np.ndarray[Any, np.dtype[np.int64]]  # (2, values of a column, of another ...): rows, and those that are wrong
Scores = np.ndarray[Any, np.dtype[np.float64]]
SAME = 0.8  # two slices of which one has more of the other's rows than this say the same
BEYOND = 1.645  # standard deviations, which chance exceeds in one of twenty


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows that have the values `where`: pairs of a column and its code, in the order of the columns."""

    where: Where
    rows: int
    wrong: int
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """The slices with the best scores, best first, and how many were scored to find them."""

    slices: tuple[Slice, ...]
    scored: int


@dataclass(frozen=True, slots=True)
class _Score:
    """The score among `rows` rows of which `wrong` are wrong, for slices of at least `smallest` rows."""

    rows: int
    wrong: int
    smallest: int
    alpha: float

    def of(self, rows: Counts, wrong: Counts) -> Scores:
        """Of slices of so many rows and wrong answers; minus infinity below the smallest."""
        n = np.maximum(rows, 1)
        gain = self.alpha * (wrong * self.rows / (n * self.wrong) - 1)
        return np.where(rows < self.smallest, -np.inf, gain - (1 - self.alpha) * (self.rows / n - 1))

    def most(self, rows: Counts, wrong: Counts) -> Scores:
        """The highest that slices can have of at most so many rows and wrong answers.

        With all of the wrong answers the score only rises or only falls with the rows: one of the two ends is highest.
        """
        least = np.minimum(rows, np.maximum(wrong, self.smallest))
        return np.maximum(self.of(least, np.minimum(wrong, least)), self.of(rows, np.minimum(wrong, rows)))


def search(columns: Sequence[Integers], wrong: Flags, *, top: int, depth: int, smallest: int, alpha: float) -> Found:
    """The `top` slices of at least `smallest` rows with the highest scores above 0, of those whose values all tell.

    `columns` are codes (N,) from 0 on, -1 where a row is of no slice by that column; `wrong` (N,) says of each row
    whether the model is. Of equal scores the one with fewer values comes first, then the one of earlier columns.
    """
    errors = np.flatnonzero(wrong)
    if not len(errors):
        return Found((), 0)
    frequent = [np.flatnonzero(np.bincount(c[c >= 0]) >= smallest) for c in columns]
    dense = [_dense(c, values) for c, values in zip(columns, frequent, strict=True)]
    score = _Score(len(wrong), len(errors), smallest, alpha)
    best: list[Slice] = []
    scored = 0
    tables: Mapping[tuple[int, ...], Counts] = {(): np.array([len(wrong), len(errors)])}
    for level in range(1, depth + 1):
        above, tables = tables, {}
        for which in combinations(range(len(columns)), level):
            parents = _parents(above, which)
            threshold = best[-1].score if len(best) == top else 0.0
            if not parents or not (promising := score.most(*reduce(np.minimum, parents)) > threshold).any():
                continue
            counts = _counted([dense[i] for i in which], [len(frequent[i]) for i in which], errors) * promising
            scored += int(np.broadcast_to(promising, counts.shape[1:]).sum())
            if level < depth and (counts[0] >= smallest).any():
                tables[which] = counts
            fresh = _above(np.where(_tells(counts, parents), score.of(*counts), -np.inf), threshold, top)
            found = [_slice(which, at, frequent, counts, float(s)) for at, s in fresh]
            best = sorted([*best, *found], key=lambda s: (-s.score, len(s.where), s.where))[:top]
    return Found(tuple(best), scored)


def _dense(codes: Integers, values: Integers) -> Places:
    """The place of each row's code among `values`, their number where it is none of them."""
    place = np.full(int(codes.max(initial=0)) + 2, len(values), np.int32)  # the last one is that of -1
    place[values] = np.arange(len(values))
    return np.asarray(place[codes])


def _parents(above: Mapping[tuple[int, ...], Counts], which: tuple[int, ...]) -> list[Counts]:
    """The counts of the slices without one of the columns, one table a column; none where all of one are out."""
    tables = [above.get(which[:i] + which[i + 1 :]) for i in range(len(which))]
    known = [np.expand_dims(counts, i + 1) for i, counts in enumerate(tables) if counts is not None]
    return known if len(known) == len(which) else []


def _tells(counts: Counts, parents: Sequence[Counts]) -> Flags:
    """Whether slices have at most SAME of the rows of every parent, and more wrong ones than chance draws from it."""
    return reduce(np.logical_and, [(counts[0] <= SAME * p[0]) & (_excess(counts, p) > BEYOND) for p in parents])


def _excess(counts: Counts, parent: Counts) -> Scores:
    """By how many standard deviations more rows are wrong than in so many drawn from the parent's."""
    (rows, wrong), n, share = counts, np.maximum(parent[0], 2), parent[1] / np.maximum(parent[0], 1)
    spread = np.sqrt(np.maximum(rows * share * (1 - share) * (n - rows) / (n - 1), 0))
    return np.asarray((wrong - rows * share) / np.maximum(spread, 1e-9))


def _counted(places: Sequence[Places], shape: Sequence[int], errors: Integers) -> Counts:
    """Rows, and wrong ones, of every combination of values."""
    whole = [k + 1 for k in shape]
    code = places[0].astype(np.int64)
    for column, k in zip(places[1:], whole[1:], strict=True):
        code = code * k + column
    counts = [np.bincount(c, minlength=math.prod(whole)).reshape(whole) for c in (code, code[errors])]
    return np.stack(counts)[(slice(None), *(slice(k) for k in shape))]


def _above(scores: Scores, threshold: float, top: int) -> Iterator[tuple[tuple[int, ...], float]]:
    """Where the `top` highest scores above the threshold stand, and they themselves."""
    at = np.flatnonzero(scores > threshold)
    at = at[np.argsort(-scores.flat[at], kind="stable")[:top]]
    for i in at.tolist():
        where = tuple(int(k) for k in np.unravel_index(i, scores.shape))
        yield where, scores[where]


def _slice(
    which: tuple[int, ...], at: tuple[int, ...], frequent: Sequence[Integers], counts: Counts, score: float
) -> Slice:
    where = tuple((column, int(frequent[column][k])) for column, k in zip(which, at, strict=True))
    return Slice(where, int(counts[0][at]), int(counts[1][at]), score)


# ---- slices of the same rows -------------------------------------------------------------------------------------
def inside(where: Where, columns: Sequence[Integers]) -> Flags:
    """(N,) whether each row of `columns` has these values; every row has none."""
    every = np.ones(len(columns[0]), np.bool_)
    return reduce(np.logical_and, [columns[column] == code for column, code in where], every)


def distinct(found: Sequence[Slice], columns: Sequence[Integers], top: int) -> list[Slice]:
    """The first `top` of `found` that do not share more than SAME of the rows in either with one before them."""
    kept: list[tuple[Slice, Flags]] = []
    for candidate in found:
        rows = inside(candidate.where, columns)
        if len(kept) < top and all((rows & other).sum() <= SAME * (rows | other).sum() for _, other in kept):
            kept.append((candidate, rows))
    return [s for s, _ in kept]
