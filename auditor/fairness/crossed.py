"""The figures of every group of every crossing of the sensitive attributes, and the gaps between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from auditor.columns import Labels
from auditor.contingency import MISSING
from auditor.counting.crossings import Crossing, crossing_of, slice_of
from auditor.counting.ordered import Ranks
from auditor.counting.tally import Rows
from auditor.counting.values import spreads
from auditor.fairness.figures import gaps, of_answers, of_area, of_distance, of_scores, of_values
from auditor.fairness.ranked import ranker
from auditor.registry import Context
from auditor.types import Measure

__all__ = ["Asked", "Found", "answered", "sizes", "valued"]

Group = tuple[str, ...]
QuantileRow = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured in the groups of crossed `attributes`, of the favourable class that `about` names.

    `sizes` are the rows of each group that has any; `figures` and `quantiles` are of those that are not suppressed.
    `off` is how far areas, distances and quantiles may be off.
    """

    attributes: Group
    about: str
    sizes: Mapping[Group, int]
    figures: Mapping[Group, tuple[Measure, ...]]
    gaps: tuple[Measure, ...]
    quantiles: Mapping[Group, QuantileRow]
    off: tuple[float, float, float]

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All of them."""
        return (*(m for found in self.figures.values() for m in found), *self.gaps)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which crossings are asked for, from how many rows on groups are compared, and which groups are not shown."""

    crossed: Sequence[Group]
    smallest: int
    hidden: AbstractSet[tuple[Group, Group]] = frozenset()


def answered(ctx: Context, positive: int, about: str, asked: Asked) -> Iterator[Found]:
    """The crossings of a classifier's answers, with `positive` as the favourable class."""
    rows, scores = ctx.counted(positive), ctx.predictions.ordering(positive)
    ranks = None if scores is None else ranker(replace(rows, score=scores))
    for attributes in asked.crossed:
        tally = ctx.tally(attributes, positive)
        order = ranks(tally.crossing) if ranks else None
        figures: dict[Group, tuple[Measure, ...]] = {}
        for g in tally.present:
            group = tally.crossing.group(g)
            where = slice_of(attributes, group) + about
            found = list(of_answers(tally.cell(g), where))
            found += of_scores(tally.sums, g, where) if tally.sums is not None else ()
            found += [*of_area(order, g, where), *of_distance(order, g, where)] if order is not None else ()
            figures[group] = tuple(found)
        sizes = {tally.crossing.group(g): tally.cell(g).n for g in tally.present}
        yield _found(tally.crossing, about, sizes, figures, order, asked)


def valued(ctx: Context, asked: Asked) -> Iterator[Found]:
    """The crossings of a regression's values against their targets."""
    values, y, groups = ctx.predictions.values, ctx.data.y, ctx.data.groups
    assert values is not None  # noqa: S101 - of a regression
    nobody = np.zeros(len(y), np.bool_)
    ranks = ranker(Rows(len(y), groups, lambda at: nobody[at], lambda at: nobody[at], values))
    for attributes in asked.crossed:
        crossing = crossing_of(attributes, groups)
        order, found = ranks(crossing), spreads(values, y, groups, crossing)
        present = [int(g) for g in np.flatnonzero(found.n)]
        figures = {}
        for g in present:
            where = slice_of(attributes, crossing.group(g))
            figures[crossing.group(g)] = (*of_values(found, g, where), *of_distance(order, g, where))
        sizes = {crossing.group(g): int(found.n[g]) for g in present}
        yield _found(crossing, "", sizes, figures, order, asked)


def _found(
    crossing: Crossing, about: str, sizes: Mapping[Group, int], figures: Mapping[Group, tuple[Measure, ...]],
    order: Ranks | None, asked: Asked,
) -> Found:  # fmt: skip
    shown = {group: found for group, found in figures.items() if (crossing.attributes, group) not in asked.hidden}
    compared = [m for group, found in shown.items() if MISSING not in group for m in found]
    between = gaps(compared, "&".join(crossing.attributes) + about, asked.smallest)
    quantiles: dict[Group, QuantileRow] = {}
    if order is not None:
        for g in np.flatnonzero(order.positives + order.negatives):
            group = crossing.group(int(g))
            if group in shown:
                quantiles[group] = tuple(order.quantiles[g].tolist())
    off = (0.0, 0.0, 0.0) if order is None else order.off
    return Found(crossing.attributes, about, sizes, shown, tuple(between), quantiles, off)


def sizes(groups: Mapping[str, Labels], rows: int, crossed: Sequence[Group]) -> dict[Group, dict[Group, int]]:
    """How many of the rows are in each group that has any, by the attributes that are crossed."""
    found = {}
    for attributes in crossed:
        crossing = crossing_of(attributes, groups)
        counts = np.bincount(crossing.codes(groups, slice(0, rows)), minlength=crossing.size)
        found[attributes] = {crossing.group(int(g)): int(counts[g]) for g in np.flatnonzero(counts)}
    return found
