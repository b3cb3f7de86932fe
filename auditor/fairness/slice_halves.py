"""Slices that are searched for on one half of the rows and tested on the other, which the search has not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from auditor.fairness.slice_search import Slice, distinct, inside, search
from auditor.integers import Integers
from auditor.stats import holm

__all__ = ["FEWEST", "Halves", "Tested", "searched_and_tested", "smallest_slice"]

Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
SMALLEST, SHARE = 32, 0.01  # rows, and of those of a half: no slice has fewer (as SliceLine)
FEWEST = 4 * SMALLEST  # rows of both halves in which there may be a slice and a rest
SPARE = 20  # slices looked at for one that is listed, as several may be of nearly the same rows
SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Tested:
    """A slice, and how many of its rows and of all others are wrong in the half that it was not searched on.

    Counts are (wrong, rows). `p` is that of a slice which is wrong no more often than all other rows, or than the other
    rows of a slice with one value less (Fisher's exact test; the largest of them), after Holm over all slices tested.
    """

    slice: Slice
    inside: tuple[int, int]
    rest: tuple[int, int]
    p: float

    @property
    def confirmed(self) -> bool:
        """Whether it is wrong more often, and each of its values has a part in that: at 5 % for all slices together."""
        return self.p < SIGNIFICANT


@dataclass(frozen=True, slots=True)
class Halves:
    """The (wrong, rows) of both halves, how many slices were scored on the first, and those tested on the second.

    Confirmed ones come first, then those with higher scores.
    """

    searched: tuple[int, int]
    tested: tuple[int, int]
    scored: int
    slices: tuple[Tested, ...]


def smallest_slice(rows: int) -> int:
    """The fewest rows that a slice may have among `rows`."""
    return max(SMALLEST, math.ceil(SHARE * rows))


def searched_and_tested(
    columns: Sequence[Integers], wrong: Flags, *, seed: int, top: int, depth: int, alpha: float
) -> Halves:
    """The best slices of `columns`, codes (N,), by one half of the rows, tested on the other; see `search`.

    The halves are drawn by `seed` and hold the same share of `wrong` (N,), which leaves the two independent of each
    other where it is known how many are wrong.
    """
    first, second = _halves(wrong, seed)
    ours = [c[first] for c in columns]
    least = smallest_slice(len(first))
    found = search(ours, wrong[first], top=SPARE * top, depth=depth, smallest=least, alpha=alpha)
    theirs, errors = [c[second] for c in columns], wrong[second]
    tested = [_tested(s, theirs, errors) for s in distinct(found.slices, ours, top)]
    adjusted = holm([t.p for t in tested])
    slices = [replace(t, p=p) for t, p in zip(tested, adjusted, strict=True)]
    slices.sort(key=lambda t: not t.confirmed)
    return Halves(_counts(wrong[first]), _counts(errors), found.scored, tuple(slices))


def _halves(wrong: Flags, seed: int) -> tuple[Integers, Integers]:
    """Positions of the rows of both halves, in order, each with half of the wrong and half of the right ones."""
    draw = np.random.default_rng(seed)
    parts = [draw.permutation(np.flatnonzero(side)) for side in (wrong, ~wrong)]
    first = np.sort(np.concatenate([part[: len(part) // 2] for part in parts]))
    second = np.sort(np.concatenate([part[len(part) // 2 :] for part in parts]))
    return first, second


def _tested(found: Slice, columns: Sequence[Integers], wrong: Flags) -> Tested:
    """`found` among the rows of `columns`, with the p-value before Holm."""
    shorter = [found.where[:i] + found.where[i + 1 :] for i in range(len(found.where))]
    k, n = _counts(wrong[inside(found.where, columns)])
    among = [_counts(wrong[inside(where, columns)]) for where in ((), *shorter)]
    whole, rows = among[0]
    return Tested(found, (k, n), (whole - k, rows - n), max(_by_chance(k, n, *counts) for counts in among))


def _by_chance(k: int, n: int, wrong: int, rows: int) -> float:
    """How likely `k` or more of `n` rows are wrong where any of `wrong` among `rows` are: Fisher's exact test.

    Not the inverted interval of the difference: where errors are rare that confirms three times as often as it may.
    """
    from scipy.stats import hypergeom

    return float(hypergeom.sf(k - 1, rows, wrong, n))


def _counts(wrong: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[int, int]:
    return int(wrong.sum()), len(wrong)
