"""fairness.explanations: which columns the gap in mean score between groups comes through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from auditor.errors import NotApplicable
from auditor.explain.games import Floats
from auditor.explained.playing import background_of
from auditor.fairness.by_chance import ONE_IN, by_chance
from auditor.fairness.contributions import Split, shapley_values, split, versus
from auditor.fairness.groups import Groups
from auditor.integers import Integers
from auditor.registry import Context, check, sizes
from auditor.tabular import labels_of, need_columns
from auditor.types import Measure, Result, Scalar, Table
from auditor.unsaid import TOO_FEW_GROUPS

MOST_COLUMNS = 200
TITLE = "The gap in mean score, "


@check(
    "fairness.explanations",
    title="What a gap comes through",
    measures=("gap_contribution", "gap_ledger_error", "score_gap"),
    source="Begley et al. 2020, arXiv:2010.07389; Welch 1947, Biometrika 34:28 (intervals)",
)
def explanations(
    ctx: Context,
    *,
    samples: int = sizes(100, 400, 2000),
    background: Annotated[int, Field(ge=1, le=100_000)] = 32,
    budget: Annotated[int, Field(ge=32, le=1_000_000)] = 128,
    smallest_group: Annotated[int, Field(ge=5)] = 10,
) -> Result:
    """Which columns the gap in mean score between a group and all others comes through, added up without remainder.

    What it measures: `score_gap`: the mean probability of the favourable class (of a model without classes the mean
    value) in `samples` rows of a group (0: all), less that in as many rows drawn from all other groups. Each row's
    score is shared among its columns by Shapley values, a category being one column, an absent column taking its values
    from the same `background` rows for everybody. `gap_contribution` is a column's mean share in the group less that in
    the others: all of them sum to the gap. `gap_ledger_error` is what they leave of it, against its size. Of two groups
    the smaller is compared with the larger; of more each of at least `smallest_group` rows with all others. Where all
    coalitions are no more than `budget` they are counted, else so many are played.

    How to read it: of a gap of -.19 a contribution of -.12 by `relationship` says that the model's use of this column
    makes up .12 of it, through how groups differ in it. The sensitive column itself, where it is an input, shows what
    the model does with it directly. A contribution of the other sign narrows the gap. Probabilities and not logits are
    shared, as it is they that people are judged by, and a gap in logits may be that of the rows already decided.

    When it misleads: a contribution says through which column the model's scores differ, not whether that is justified,
    nor what would happen without the column, whose part others may take over. Of columns that go together the share is
    divided as the model uses them, in rows that may not exist. Intervals are those of the rows that were drawn, not of
    another background; each alone holds at 95 %.
    """
    ctx.need_groups()
    need_columns(ctx)
    target, names = _explained(ctx), labels_of(ctx.columns)
    if len(names) > MOST_COLUMNS:
        msg = f"{len(names):,} columns share the gap; at most {MOST_COLUMNS} do"
        raise NotApplicable(msg)
    absent, source = background_of(ctx, background)
    assert absent is not None  # noqa: S101 - rows of columns have one
    scores, usable = _scores(ctx, target)
    order = np.random.default_rng(ctx.seed).permutation(usable)
    every = [Groups.of(a, labels, smallest_group) for a, labels in ctx.data.groups.items()]
    compared = [list(versus(groups, order, samples)) for groups in every]
    caveats = [f"Scores are {_what(ctx, target)}. {source}", *_left_out(len(ctx.data), len(usable))]
    caveats += [said for groups in every for said in groups.caveats]
    measures = [
        Measure("score_gap", g.attribute, None, len(g.named), why=TOO_FEW_GROUPS)
        for g, v in zip(every, compared, strict=True)
        if not v
    ]
    rows = np.unique([p for found in compared for v in found for p in (*v.inside, *v.outside)]).astype(np.int64)
    if not len(rows):
        return Result(tuple(measures), caveats=tuple(caveats))
    x = torch.cat([b.x for b in ctx.data.at(rows).batches(ctx.batch_size)])
    model, size = ctx.need_model(), ctx.batch_size
    values = shapley_values(model, x, absent, ctx.columns, target, budget, ctx.seed, size)
    splits = [split(v.among(rows), values, scores[rows], names) for found in compared for v in found]
    measures += [m for s in splits for m in (s.gap, s.error, *s.parts)]
    tables = tuple(_table(s, names) for s in splits)
    return Result(tuple(measures), tables, (), (*caveats, *_still(scores), *_by_chance(splits)))


def _explained(ctx: Context) -> int:
    """The output whose gap is split."""
    if ctx.is_regression:
        return 0
    if ctx.data.positive is None:
        msg = f"no class is favourable; name one of the {len(ctx.classes)} with [data] positive"
        raise NotApplicable(msg)
    return ctx.data.positive


def _scores(ctx: Context, target: int) -> tuple[Floats, Integers]:
    """(N,) the score of every row, and the positions of those that hold and give finite numbers alone."""
    p = ctx.predictions
    found = p.values if p.probabilities is None else p.probabilities[:, target]
    scores = np.asarray(found, np.float64)
    finite = np.concatenate([b.x.isfinite().all(1).numpy() for b in ctx.data.batches(ctx.batch_size)])
    return scores, np.flatnonzero(finite & np.isfinite(scores))


def _table(s: Split, names: Sequence[str]) -> Table:
    """The columns `names` by what they add, and last the gap that they sum to."""
    told = s.gap.low is not None and s.gap.high is not None and not s.gap.low <= 0 <= s.gap.high
    gap = s.gap.value if told else None  # a share of what may be nothing says nothing
    ordered = sorted(zip(names, s.parts, strict=True), key=lambda part: -abs(part[1].value or 0.0))
    rows: list[tuple[Scalar, ...]] = [
        (name, m.value, m.low, m.high, (m.value or 0.0) / gap if gap else None) for name, m in ordered
    ]
    rows.append(("all columns: the gap", s.gap.value, s.gap.low, s.gap.high, 1.0 if gap else None))
    return Table(f"{TITLE}{s.gap.slice}", ("column", "contribution", "low", "high", "share of the gap"), tuple(rows))


# ---- caveats -----------------------------------------------------------------------------------------------------
def _what(ctx: Context, target: int) -> str:
    return "the model's values" if ctx.is_regression else f"the probability of {ctx.classes[target]!r}"


def _left_out(rows: int, usable: int) -> list[str]:
    return [f"{rows - usable:,} of {rows:,} rows hold or give NaN or infinity and are left out."] * (usable < rows)


def _still(scores: Floats) -> list[str]:
    known = scores[np.isfinite(scores)]
    return ["The model gives every row the same score: there is no gap to split."] * (float(np.ptp(known)) == 0)


def _by_chance(splits: Sequence[Split]) -> list[str]:
    n = sum(len(s.parts) for s in splits)
    if not by_chance(n):
        return []
    return [f"{n:,} contributions are measured: of those that are 0, one in {ONE_IN} has an interval off 0."]
