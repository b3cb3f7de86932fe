"""fairness.robustness: whether one group's rows stand less than another's, under everything that was tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from auditor.by_group import MOST_GROUPS, Compared, codes_of, compared, unchanged
from auditor.columns import Labels
from auditor.contingency import MISSING
from auditor.errors import NotApplicable
from auditor.fairness.by_chance import by_chance, differences
from auditor.registry import Context, check
from auditor.scores import Scored
from auditor.types import Measure, Result, Scalar, Table

TOPIC = "robustness"
SMALL, LISTED = 30, 8
MOST_MEASURES = 10_000  # then no further attribute is taken


@check(
    "fairness.robustness",
    title="Robustness by group",
    measures=("accuracy", "*_accuracy", "*_rate", "*_share", "*_difference"),
    source="Nanda et al. 2021, arXiv:2006.12621; Newcombe 1998 (intervals); Zou & Donner 2008, Stat. Med. 27:1693",
    reads=TOPIC,
)
def robustness(ctx: Context, *, smallest_group: Annotated[int, Field(ge=1)] = 10) -> Result:
    """Whether one group's rows stand less than another's under what the robustness checks of this audit tried.

    What it measures: nothing is run again. `robustness.curve`, `robustness.certified`, `robustness.corruption` and
    `robustness.missing` keep what each of their rows counts, at every size or kind of change that they audit; here the
    same rows are taken by sensitive group. For every such measure: its rate in each group of an attribute (the 20
    largest groups, crossings of attributes not); the largest difference between two groups, such as
    `robust_accuracy_difference`; and the largest difference between what two groups lose,
    `robust_accuracy_fall_difference`: of each group the rate as it is, minus the rate under change, on the same rows.
    Differences are between named groups of at least `smallest_group` rows; None where there are no two.

    How to read it: 0 is no difference. A group may be less accurate to begin with: then the first difference is there
    without any change, too. Or it may lose more: then the second has an interval above 0. A group that starts low has
    less to lose, so that a small second difference excuses nothing.

    When it misleads: robustness checks take few rows, of a small group a handful: wide intervals say nothing either
    way, and `samples` of those checks must be raised. The largest of many differences is large by chance, too. What
    weakens a robustness check, such as attacks that find little, weakens its figures of groups.
    """
    ctx.need_groups()
    kept = [s for s in ctx.scored if s.check.startswith(f"{TOPIC}.") and _is_share(s)]
    if not kept:
        msg = (
            "no robustness check of this audit has kept what its rows count; run it with robustness.curve, "
            "robustness.certified, robustness.corruption or robustness.missing"
        )
        raise NotApplicable(msg)
    measures: list[Measure] = []
    tables: list[Table] = []
    caveats: list[str] = []
    for done, (attribute, labels) in enumerate(ctx.data.groups.items()):
        if len(measures) > MOST_MEASURES:
            caveats.append(f"Only the first {done} of {len(ctx.data.groups)} sensitive columns are compared.")
            break
        found = [_compared(ctx, s, kept, attribute, smallest_group) for s in kept]
        measures += [m for c in found for m in c.measures]
        tables.append(_shown(attribute, labels, found))
        caveats += _number_of_groups(attribute, labels)
    for source in {s.check: s for s in kept}.values():
        caveats += _few(ctx, source, smallest_group)
    return Result(tuple(measures), tuple(tables), (), (*_by_chance(measures), *caveats))


def _is_share(scored: Scored) -> bool:
    """Whether rows count from 0 to 1; errors of values may be any numbers, and have no rate."""
    known = scored.scores[np.isfinite(scored.scores)]
    return bool(((known >= 0) & (known <= 1)).all())


def _compared(ctx: Context, scored: Scored, kept: Sequence[Scored], attribute: str, smallest: int) -> Compared:
    labels = ctx.data.groups[attribute]
    codes = codes_of(scored.rows, ctx.data.row_ids, labels)
    return compared(scored, unchanged(kept, scored.check), attribute, labels.names, codes, smallest)


def _shown(attribute: str, labels: Labels, found: Sequence[Compared]) -> Table:
    names = [g for g in labels.names if any(g in c.groups for c in found)]
    rows: list[tuple[Scalar, ...]] = []
    for c in found:
        rates = [c.groups[g].value if g in c.groups else None for g in names]
        ends = [(m.value, m.low, m.high) if m else (None, None, None) for m in (c.gap, c.fall)]
        rows.append((c.name, c.about, *rates, *ends[0], *ends[1]))
    columns = ("measure", "change", *names, "difference", "low", "high", "difference of falls", "low", "high")
    return Table(f"Under change, by {attribute}", columns, tuple(rows))


# ---- caveats -----------------------------------------------------------------------------------------------------
def _by_chance(measures: Sequence[Measure]) -> list[str]:
    n = differences(measures)
    if not by_chance(n):
        return []
    expected = f"at least {by_chance(n):,} of them have an interval above 0 by chance"
    more = "far more where an attribute has many groups, as each is that of the two furthest apart"
    return [f"{n:,} differences are measured: where groups do not differ at all, {expected}, {more}."]


def _number_of_groups(attribute: str, labels: Labels) -> list[str]:
    present = [labels.names[g] for g in np.unique(labels.codes).tolist()]
    said, named = [], sum(g != MISSING for g in present)
    if named < 2:
        said.append(f"{attribute} has one group only: there is nothing to compare.")
    if named > 2:
        pairs = min(named, MOST_GROUPS) * (min(named, MOST_GROUPS) - 1) // 2
        said.append(
            f"Each difference by {attribute} is the largest of up to {pairs} pairs: one is large by chance, too."
        )
    if len(present) > MOST_GROUPS:
        said.append(f"{attribute} has {len(present):,} groups: in each check the {MOST_GROUPS} largest are compared.")
    return said


def _few(ctx: Context, scored: Scored, smallest: int) -> list[str]:
    """Which groups have few rows in a check, and what gives them more."""
    small: list[tuple[int, str]] = []
    for attribute, labels in ctx.data.groups.items():
        sizes = np.bincount(codes_of(scored.rows, ctx.data.row_ids, labels), minlength=len(labels.names))
        present = [g for g in np.unique(labels.codes).tolist() if labels.names[g] != MISSING]
        small += [(int(sizes[g]), f"{attribute}={labels.names[g]}") for g in present if sizes[g] < max(SMALL, smallest)]
    if not small:
        return []
    small.sort()
    listed = ", ".join(f"{n} of {group}" for n, group in small[:LISTED])
    listed += f" and {len(small) - LISTED} more such groups" if small[LISTED:] else ""
    needed = f"; a difference needs {smallest}" if small[0][0] < smallest else ""
    more = "All rows are in: only further data say more."
    if len(scored.rows) < len(ctx.data):
        more = f"Raise `samples` of {scored.check}."
    return [f"{scored.check} has {len(scored.rows):,} rows, few of some groups: {listed}{needed}. {more}"]
