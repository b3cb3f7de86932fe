"""fairness.consistency: whether rows that are alike get the same answer, of one group and across groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from auditor.errors import NotApplicable
from auditor.fairness.groups import Groups
from auditor.fairness.neighbours import Values, in_deviations, nearest, steepness
from auditor.fairness.other_columns import with_other_columns
from auditor.fairness.situations import Situations, disagreements, distances_of, joined, situations
from auditor.integers import Integers
from auditor.registry import Context, check, sizes
from auditor.stats import share
from auditor.tabular import need_columns
from auditor.types import Measure, Result, Scalar, Table
from auditor.unsaid import TOO_FEW_GROUPS

FURTHER = 1.5  # as far away as the nearest row of the same group: worth a caveat
TITLE = "Nearest rows, by "
COLUMNS = (
    "group", "same group", "low", "high", "another group", "low", "high", "excess", "low", "high", "favoured alone",
    "neighbour favoured alone", "distance in the group", "distance across", "n",
)  # fmt: skip
Figures = tuple[str, Sequence[Situations], tuple[Measure, Measure, Measure]]


@check(
    "fairness.consistency",
    title="Consistency",
    measures=(
        "consistency", "consistency_by_chance", "cross_group_disagreement", "cross_group_excess",
        "lipschitz_95", "lipschitz_largest", "same_group_disagreement",
    ),
    source="Zemel et al. 2013, ICML, section 5; Dwork et al. 2012, arXiv:1104.3913; Luong et al. 2011, KDD",
)  # fmt: skip
def consistency(
    ctx: Context,
    *,
    samples: int = sizes(1000, 5000, 20_000),
    neighbours: Annotated[int, Field(ge=1, le=1000)] = 5,
    smallest_group: Annotated[int, Field(ge=2)] = 10,
) -> Result:
    """Whether rows that are alike get the same answer, and whether that holds across groups as well as within them.

    What it measures: `samples` rows (0: all), and how far they lie apart in their columns' standard deviations,
    sensitive columns left out. `consistency`: the share of a row's `neighbours` nearest rows that get its answer, on
    average, over all rows and in each group; 1 is always. `consistency_by_chance` is what answers dealt out at random
    would reach. `lipschitz_95` and `lipschitz_largest`: how far probabilities differ (total variation) for each unit of
    distance between a row and those neighbours, at most in 95 of 100 pairs, and in all. `cross_group_disagreement`: how
    often the nearest row of another group gets another answer; `same_group_disagreement`: the nearest of the row's own
    group, looked for among as many. `cross_group_excess` is the first less the second; for an attribute, and for each
    of its groups of at least `smallest_group` rows.

    How to read it: an excess of .05: of 100 rows 5 more find an answer other than theirs at their like of another group
    than at one of their own. Near 0, who belongs to which group makes no difference between rows that are alike.

    When it misleads: alike is what the columns say, each counting as much as any other; whether that is likeness that
    matters is for people to say. Where groups differ in the columns, the nearest row of another group lies further
    away, and disagrees for that alone: compare the distances in the table. A model that follows a proxy is consistent.
    Intervals of consistency take rows as independent, though neighbours share rows; they are wide enough for it where
    it was tried, as scores between 0 and 1 count as yes or no. Rows across groups that share a neighbour count as one.
    """
    ctx.need_groups()
    ctx.need_classes()
    if ctx.model is None:
        ctx = with_other_columns(ctx)
    else:
        need_columns(ctx)
    rows, x, caveats = _rows(ctx, samples, neighbours)
    answers, p = ctx.predictions.predicted[rows].astype(np.int64), ctx.predictions.of_rows(rows)
    near, distances = nearest(x, x, neighbours, np.arange(len(x)))
    same = (answers[near] == answers[:, None]).mean(1)
    chance = float(np.square(np.bincount(answers) / len(answers)).sum())
    measures = [share("consistency", same.tolist()), Measure("consistency_by_chance", "", chance, len(x))]
    steep, said = ([], []) if p is None else steepness(p, near, distances)
    measures, caveats = [*measures, *steep], [*caveats, *said]
    if chance == 1:
        caveats.append("Every row gets the same answer, so that all rows agree, whatever they are.")
    tables, scores = list[Table](), {measures[0]: same}
    for attribute, labels in ctx.data.groups.items():
        groups = Groups.of(attribute, labels.at(rows), smallest_group)
        caveats += groups.caveats
        for g in range(len(groups.names)):
            measures.append(share("consistency", same[groups.codes == g].tolist(), slice=groups.slice(g)))
            scores[measures[-1]] = np.where(groups.codes == g, same, np.nan)
        if groups.comparable:
            figures = _across(groups, situations(x, groups, ctx.seed), answers)
            measures += [m for _, _, of in figures for m in of]
            tables.append(_table(ctx, attribute, answers, figures))
            caveats += _far(attribute, figures)
        else:
            n = len(groups.named)
            measures.append(Measure("cross_group_excess", attribute, None, n, better="lower", why=TOO_FEW_GROUPS))
    ctx.keep_scores(ctx.data.row_ids[rows], scores)
    return Result(tuple(measures), tuple(tables), (), tuple(caveats))


def _rows(ctx: Context, samples: int, neighbours: int) -> tuple[Integers, Values, list[str]]:
    """Positions of rows in random order (n,), the rows in columns' standard deviations (n, D), and what to say of them.

    NotApplicable where too few can be used, or nothing is left to tell which are alike.
    """
    drawn = np.random.default_rng(ctx.seed).permutation(len(ctx.data))[: samples or None]
    x = torch.cat([b.x for b in ctx.data.at(drawn).batches(ctx.batch_size)])
    fine, p = x.isfinite().all(1).numpy(), ctx.predictions.of_rows(drawn)
    fine &= True if p is None else np.isfinite(p).all(1)
    odd = int((~fine).sum())
    caveats = [f"{odd:,} of {len(x):,} rows hold or give NaN or infinity and are left out."] * (odd > 0)
    if len(x) - odd < neighbours + 2:
        msg = f"{len(x) - odd} rows can be used; {neighbours} neighbours need at least {neighbours + 2}"
        raise NotApplicable(msg)
    hidden = [c.name for c in ctx.columns if c.name in ctx.data.groups]
    if hidden:
        caveats.append(f"Sensitive columns that are inputs do not count in what is alike: {', '.join(hidden)}.")
    found = in_deviations(x[torch.from_numpy(fine)], ctx.columns, hidden)
    if not found.shape[1]:
        msg = "no column is left to say which rows are alike: every input that varies is a sensitive column"
        raise NotApplicable(msg)
    return drawn[fine], found, caveats


def _across(groups: Groups, found: Sequence[Situations], answers: Integers) -> list[Figures]:
    """Of all groups, then of each: its slice, its rows with their neighbours, and how often the answers differ."""
    every = [(groups.attribute, found), *((groups.slice(g), [s]) for g, s in enumerate(found))]
    return [(where, of, disagreements(of, answers, where)) for where, of in every]


def _table(ctx: Context, attribute: str, answers: Integers, figures: Sequence[Figures]) -> Table:
    """All groups, then each: how often the neighbours disagree, who is favoured then, and how far away they are."""
    rows: list[tuple[Scalar, ...]] = []
    for where, of, found in figures:
        ends = [v for m in found for v in (m.value, m.low, m.high)]
        alone: list[Scalar] = [None, None]
        if ctx.data.positive is not None:
            own, other = (joined(of, name, answers) == ctx.data.positive for name in ("rows", "across"))
            alone = [float((own & ~other).mean()), float((other & ~own).mean())]
        rows.append((where.removeprefix(f"{attribute}="), *ends, *alone, *distances_of(of), found[0].n))
    return Table(f"{TITLE}{attribute}", COLUMNS, tuple(rows))


def _far(attribute: str, figures: Sequence[Figures]) -> list[str]:
    (_, of_all, _), *_ = figures
    within, across = distances_of(of_all)
    if across <= FURTHER * within:
        return []
    times = f"{across / within:.1f} times as far away as" if within > 0 else "further away than"
    return [f"By {attribute}, the nearest row of another group lies {times} that of the same: some disagree for that."]
