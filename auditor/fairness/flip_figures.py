"""How many answers change when rows are as another group would have them, in whose favour, and by how much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from auditor.fairness.changed import Changed, Flags, Floats
from auditor.integers import Integers
from auditor.stats import mean, paired, rate
from auditor.types import Measure, Scalar, Table

__all__ = ["EITHER", "Flips", "against_chance", "measures_of"]

EITHER = "(both)"  # stands for a group among texts with words of two: they are no group of their own


@dataclass
class Flips:
    """What the check has found so far; `scores` are what each of the rows `row_ids` (N,) counts in a measure."""

    row_ids: Integers
    measures: list[Measure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)
    scores: dict[Measure, Floats] = field(default_factory=dict)

    def add(self, found: Changed, behind: str, title: str) -> None:
        """Take up the figures of `found`, whose names end with `behind`, and its table under a `title`."""
        measures = measures_of(found, behind)
        self.measures += measures
        self.tables.append(pairs_of(found, title))
        if found.own.said is not None:
            self.scores[measures[0]] = found.flipped
        if found.lost:
            self.caveats.append(f"{title}: for {found.lost:,} of the changed rows the model has no finite answer.")


def measures_of(found: Changed, behind: str = "") -> list[Measure]:
    """`flip_rate` of all rows and of each group, with each group's `favourable_shift` and `score_change`.

    `behind` stands behind the names.
    """
    whole = [_flip_rate(found, behind, found.attribute, np.ones(len(found.codes), np.bool_))]
    for code, group in enumerate(found.groups):
        if group != EITHER:
            whole += _of_group(found, behind, f"{found.attribute}={group}", found.codes == code)
    return [m for m in whole if m is not None]


def _of_group(found: Changed, behind: str, where: str, rows: Flags) -> Iterator[Measure | None]:
    yield _flip_rate(found, behind, where, rows)
    counted = rows & found.asked.any(0)
    if found.favourable is not None:
        before, after = (f[counted].tolist() for f in found.favourable)
        yield paired(f"favourable_shift{behind}", after, before, slice=where, better="neither")
    if found.shift is not None:
        yield mean(f"score_change{behind}", found.shift[counted].tolist(), slice=where)


def _flip_rate(found: Changed, behind: str, where: str, rows: Flags) -> Measure | None:
    if found.own.said is None:
        return None
    flipped = found.flipped[rows]
    known = flipped[np.isfinite(flipped)]
    return rate(f"flip_rate{behind}", int(known.sum()), len(known), slice=where, better="lower")


def against_chance(found: Changed, lots: Changed) -> list[Measure]:
    """`flip_rate_by_chance` of the same rows among `lots`, groups drawn by lot, and how much more flips in `found`."""
    by_chance = _flip_rate(lots, "_by_chance", found.attribute, np.ones(len(lots.codes), np.bool_))
    if by_chance is None:
        return []
    both = np.isfinite(found.flipped) & np.isfinite(lots.flipped)
    flipped = [f.flipped[both].tolist() for f in (found, lots)]
    return [by_chance, paired("flips_above_chance", *flipped, slice=found.attribute)]


def pairs_of(found: Changed, title: str) -> Table:
    """A row for each group made another: how many answers change, which way, and by how much the score does."""
    rows: list[tuple[Scalar, ...]] = []
    for code, group in enumerate(found.groups):
        for target, other in enumerate(found.groups):
            at = found.asked[target] & (found.codes == code)
            if at.any():
                rows.append((group, other, int(at.sum()), *_of_pair(found, target, at)))
    columns = ["from", "to", "n"]
    if found.own.said is not None:
        columns += ["answers changed", "low", "high"]
    if found.favourable is not None:
        columns += ["to the favourable", "away from it"]
    if found.shift is not None:
        columns += ["mean change of the score", "low", "high"]
    return Table(title, tuple(columns), tuple(rows))


def _of_pair(found: Changed, target: int, at: Flags) -> Iterator[Scalar]:
    if found.own.said is not None:
        m = rate("", int(found.flips[target, at].sum()), int(at.sum()))
        yield from (m.value, m.low, m.high)
    if found.favourable is not None and found.made.said is not None:
        before, after = found.own.said == found.positive, found.made.said[target] == found.positive
        yield from (int((at & ~before & after).sum()), int((at & before & ~after).sum()))
    if found.own.score is not None and found.made.score is not None:
        m = mean("", (found.made.score[target, at] - found.own.score[at]).tolist())
        yield from (m.value, m.low, m.high)
