"""fairness.impact_ratio: how often each group gets the favourable answer, against the group that gets it most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from auditor.contingency import Flags
from auditor.counting.crossings import countable
from auditor.counting.tally import Rows, Tally, tallied
from auditor.errors import NotApplicable
from auditor.fairness.impact import SCORED, SELECTED, Share, categories, measures_of, table_of, unknown_count
from auditor.fairness.impact_notes import empty, left_out, rule_table, suppressed, tied
from auditor.fairness.regulations import REGULATIONS, clash
from auditor.fairness.suppression import Group, hidden_groups
from auditor.registry import Context, check
from auditor.types import Measure, Result

MOST_TABLES = 100


@check(
    "fairness.impact_ratio",
    title="Impact ratio",
    measures=("impact_ratio", "scoring_impact_ratio", "scoring_rate", "selection_rate", "unknown_count"),
    source="29 CFR 1607.4(D); 6 RCNY 5-301; Donner & Zou 2012 (intervals)",
    clash=clash,
)
def impact_ratio(
    ctx: Context,
    *,
    profile: Literal["four-fifths", "nyc-ll144"] = "four-fifths",
    depth: Annotated[int, Field(ge=0)] | None = None,
    smallest_share: Annotated[float, Field(ge=0, lt=1)] | None = None,
    justification: Annotated[str, Field(max_length=1000)] = "",
    suppress_below: Annotated[int, Field(ge=0)] = 0,
) -> Result:
    """How often each group gets the favourable answer, over how often the group does that gets it most.

    What it measures: `selection_rate` of each category, that is of each group of a sensitive attribute and of each
    crossing of up to `depth` attributes (0: of all; None: of one in the `profile` four-fifths, which asks for no
    crossings, of two in nyc-ll144), and its `impact_ratio`: that rate over the highest among the categories compared.
    Where the model gives scores, `scoring_rate` is the share strictly above the median score of all rows, and
    `scoring_impact_ratio` its ratio. Categories below `smallest_share` of the rows are counted and shown, not compared:
    2 % in four-fifths (29 CFR 1607.4(D)); none in nyc-ll144 (6 RCNY 5-301), which allows it below 2 % and with a
    `justification`, which is printed. Rows whose group is missing are counted (`unknown_count`), not compared.
    Categories of fewer than `suppress_below` rows are not shown, nor others whose size would give theirs away. 1 is as
    often, 0 never; None where nobody gets the favourable answer.

    How to read it: below 0.8, the four-fifths convention says, look closer; only an interval wholly below it says that
    this is no accident of these rows. The interval holds whichever category truly is the highest, so it is wider than
    that of a pair picked by hand. The rule of New York City asks for the figures and sets no number.

    When it misleads: with few rows equal groups often fall below 0.8 by chance (two groups of 100: 44 % of the time),
    a ratio of rare answers exaggerates, and where many rows share the median score the scoring rate says little.
    """
    ctx.need_groups()
    share = REGULATIONS[profile].smallest_share if smallest_share is None else smallest_share
    outcomes, median = _outcomes(ctx)
    crossed, uncounted = countable(ctx.data.groups, REGULATIONS[profile].depth if depth is None else depth)
    some = crossed[:MOST_TABLES]
    counted = [_tables(ctx, flags, some) for flags in outcomes.values()]
    sizes = {attributes: {g: cell.n for g, cell in table} for attributes, table in zip(some, counted[0], strict=True)}
    hidden = hidden_groups(sizes, suppress_below)
    measures: list[Measure] = []
    shown = [rule_table(profile, share, justification, median)]
    caveats = [*_about_outcomes(ctx, outcomes), *suppressed(len(hidden), suppress_below), *uncounted]
    if len(some) < len(crossed):
        caveats.append(f"Of {len(crossed):,} attributes and crossings the first {MOST_TABLES} are counted.")
    for attributes, *tables in zip(some, *counted, strict=True):
        found = [categories(table, {g for a, g in hidden if a == attributes}, share) for table in tables]
        for of, its in zip(outcomes, found, strict=True):
            own = measures_of(of, attributes, its)
            measures += own
            shown.append(table_of(of, attributes, its, own, suppress_below))
        measures.append(unknown_count(attributes, found[0]))
        caveats += left_out(attributes, found[0], share, justification)
        caveats += empty(attributes, [[g for (g,) in sizes[a,]] for a in attributes], sizes[attributes])
    return Result(tuple(measures), tuple(shown), (), tuple(caveats))


def _tables(ctx: Context, flags: Flags, crossed: Sequence[Group]) -> list[Tally]:
    """How many rows of each crossing have an outcome (N,), which takes the place of both answer and label."""
    rows = Rows(len(flags), ctx.data.groups, lambda at: flags[at], lambda at: flags[at])
    kept: dict[Group, Tally] = {}
    return [tallied(rows, attributes, kept) for attributes in crossed]


def _outcomes(ctx: Context) -> tuple[dict[Share, Flags], float | None]:
    """(N,) who is selected, and who has a score above the median; and that median, where there are scores."""
    if ctx.is_regression:
        outcomes, scores = {}, ctx.predictions.values
    else:
        if (positive := ctx.data.positive) is None:
            msg = f"no class is favourable; name one of the {len(ctx.classes)} with [data] positive"
            raise NotApplicable(msg)
        outcomes = {SELECTED: ctx.predictions.predicted == positive}
        scores = ctx.predictions.ordering(positive)
    if scores is None:
        return outcomes, None
    median = float(np.median(scores))
    return outcomes | {SCORED: scores > median}, median


def _about_outcomes(ctx: Context, outcomes: Mapping[Share, Flags]) -> list[str]:
    said = []
    if ctx.is_regression:
        said.append("The answers are values: nobody is selected, and a higher value is taken to be the better one.")
    elif ctx.model is not None and ctx.model.rejects:
        said.append("The model may reject a row: that counts as an answer other than the favourable one.")
    if SCORED in outcomes:
        said += tied(int(outcomes[SCORED].sum()), len(ctx.data))
    return said
