"""What the rows of each group count in a measure under change, against what the same rows count as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.columns import Labels
from auditor.contingency import MISSING
from auditor.integers import Integers
from auditor.scores import Scored
from auditor.stats import difference, fall_difference, paired, share
from auditor.types import Measure
from auditor.unsaid import TOO_FEW_GROUPS

__all__ = ["MOST_GROUPS", "Compared", "codes_of", "compared", "unchanged"]

MOST_GROUPS = 20
Scores = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Compared:
    """One measure in the groups of an attribute, the largest gap between two, and that between what two of them lose.

    `about` is the slice of the measure. Of rows as they are `fall` is None.
    """

    name: str
    about: str
    groups: dict[str, Measure]
    gap: Measure
    fall: Measure | None

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All of them."""
        return (*self.groups.values(), self.gap, *(() if self.fall is None else (self.fall,)))


def unchanged(kept: Sequence[Scored], check: str) -> Scored | None:
    """What rows count as they are in a check: its scores under a change of size 0, or of an accuracy called clean."""
    found = (s for s in kept if s.check == check and (s.slice.endswith("@0") or s.name.startswith("clean_")))
    return next(found, None)


def codes_of(rows: Integers, row_ids: Integers, labels: Labels) -> Integers:
    """(n,) the group of each of `rows`, where `labels` (N,) are those of `row_ids` (N,)."""
    order = np.argsort(row_ids, kind="stable")
    return labels.codes[order[np.searchsorted(row_ids, rows, sorter=order)]]


def compared(
    scored: Scored, clean: Scored | None, attribute: str, names: Sequence[str], codes: Integers, smallest: int
) -> Compared:
    """`scored` in the groups `names` by the `codes` (n,) of its rows; the MOST_GROUPS largest where there are more.

    Both differences are the largest between two named groups with `smallest` rows or more; None without two of them.
    """
    about = scored.slice
    if scored is clean and not about:
        about = f"{scored.check.partition('.')[2]}=none"  # two checks may call it the same
    behind = f"&{about}" if about else ""
    rows = _rows(scored, names, codes)
    scores, where = scored.scores.astype(np.float64), f"{attribute}{behind}"
    groups = {g: share(scored.name, scores[at].tolist(), slice=f"{attribute}={g}{behind}", better=scored.better)
              for g, at in rows.items()}  # fmt: skip
    levels = [m for g, m in groups.items() if g != MISSING and m.n >= smallest]
    gap = _largest(f"{scored.name}_difference", levels, where, len(scores), _apart)
    if clean is None or scored is clean:
        return Compared(scored.name, about, groups, gap, None)
    before = clean.scores.astype(np.float64)
    losses = [_loss(scored, before, at) for g, at in rows.items() if g != MISSING]
    losses = [m for m in losses if m.n >= smallest]
    fall = _largest(f"{scored.name}_fall_difference", losses, where, len(scores), _further)
    return Compared(scored.name, about, groups, gap, fall)


def _rows(scored: Scored, names: Sequence[str], codes: Integers) -> dict[str, Integers]:
    """The positions of the rows of each group that have a score, in the order of the names."""
    known = np.isfinite(scored.scores)
    sizes = np.bincount(codes[known], minlength=len(names))
    largest = np.sort(np.argsort(-sizes, kind="stable")[:MOST_GROUPS])
    return {names[g]: np.flatnonzero(known & (codes == g)) for g in largest.tolist() if sizes[g]}


def _loss(scored: Scored, before: Scores, at: Integers) -> Measure:
    """How much worse the rows `at` are under change than as they are; below 0 where they are better."""
    both = at[np.isfinite(before[at])]
    clean, changed = before[both].tolist(), scored.scores[both].astype(np.float64).tolist()
    first, second = (changed, clean) if scored.better == "lower" else (clean, changed)
    return paired("fall", first, second)


def _largest(
    name: str, found: Sequence[Measure], where: str, n: int, gap: Callable[[str, Measure, Measure, str], Measure]
) -> Measure:
    """The `gap` between the highest and the lowest."""
    if len(found) < 2:
        return Measure(name, where, None, n, better="lower", why=TOO_FEW_GROUPS)
    ordered = sorted(found, key=lambda m: m.value or 0.0)
    return gap(name, ordered[-1], ordered[0], where)


def _apart(name: str, high: Measure, low: Measure, where: str) -> Measure:
    return difference(name, (high.counts[0], high.n), (low.counts[0], low.n), slice=where)


def _further(name: str, high: Measure, low: Measure, where: str) -> Measure:
    return fall_difference(name, high, low, slice=where)
