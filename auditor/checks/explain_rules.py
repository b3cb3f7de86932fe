"""explain.rules: rules that follow the whole model, where there are any, and anchors that hold single answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from auditor.errors import NotApplicable
from auditor.explain.anchors import Anchor, Background, anchors
from auditor.explain.batched import Floats
from auditor.explain.conditions import Condition, Flags, words_of
from auditor.explain.surrogate import RESAMPLES, Rule, follows, holds, mixed_rows, r_squared, surrogate
from auditor.explained.samples import explained_samples
from auditor.percents import percent
from auditor.registry import Context, check, sizes
from auditor.stats import mean_size, rate
from auditor.tabular import Rows, finite_outputs, labels_of, need_columns, usable
from auditor.types import Measure, Result, Scalar, Table

FEWEST = 8
TARGET = 0.95
NEAR = 0.25  # standard deviations within which two values are the same answer
ROWS = 1000
STABLE = 0.5
Found = tuple[list[Measure], list[Table], list[str]]


@check(
    "explain.rules",
    title="Rules and anchors",
    measures=("anchor_coverage", "anchor_precision", "fidelity", "majority", "stability"),
    source="Craven & Shavlik 1996, NIPS 8:24 (Trepan); Ribeiro et al. 2018, AAAI 32:1527 (anchors)",
)
def explain_rules(
    ctx: Context,
    *,
    samples: int = sizes(2, 4, 16),
    rows: int = sizes(1000, 4000, 20000),
    draws: Annotated[int, Field(ge=10, le=100_000)] = sizes(50, 100, 200),
) -> Result:
    """Rules that follow the model in nearly all rows, where there are any, and what holds the answer of single rows.

    What it measures: a decision tree of 3 to 6 questions in a row learns the model's answers for at most `rows` rows
    (0: all) of the reference data (half of the audited data where there is none), and, where that helps, for as many
    made by mixing their columns. `fidelity` is the share of rows it never saw in which it says what the model says; for
    regression R2. `majority` is what always naming the model's commonest answer reaches. `stability` is how many of its
    rules, their thresholds apart, come again in trees learnt from five resamples: the share of common among all rules,
    a stricter figure than how often the trees agree. For `samples` rows (0: all) an anchor is sought: at most five
    conditions that hold the answer in .95 of all rows that meet them. `anchor_precision` is the share of fresh rows
    that meet them and keep the answer, drawn after the anchor was chosen; `anchor_coverage` the share of all rows that
    meet them. Each candidate is tried with `draws` rows.

    How to read it: rules are shown only where the fidelity is at least .9 and closes half of the gap between majority
    and 1; otherwise no simple rules exist, and none should be told. Their own precision is on rows never used.

    When it misleads: rules say what the model answers, not why; of columns that go together a tree names one, and with
    a low stability another one the next time. The rows of an anchor are made of values from different rows and need
    not be possible. For regression, values within a quarter of their standard deviation count as the same answer.
    """
    need_columns(ctx)
    learn, held_out, source = _split(ctx, rows)
    names = _Names.of(ctx, learn)
    measures, tables, caveats = _surrogate(ctx, names, learn, held_out)
    found, table, said = _anchors(ctx, names, samples, draws)
    caveats = [*learn.caveats, f"The rules were learnt from {len(learn.x):,} rows of {source}.", *caveats, *said]
    return Result((*measures, *found), (*tables, *table), (), tuple(caveats))


def _split(ctx: Context, rows: int) -> tuple[Rows, Rows, str]:
    """Rows to learn from, rows that are kept from it, and where the first come from."""
    if ctx.reference is not None:
        learn, rest = usable(ctx, ctx.reference.take(rows, ctx.seed)), usable(ctx, ctx.data.take(rows, ctx.seed))
        source = "the reference data"
    else:
        both = usable(ctx, ctx.data.take(2 * rows, ctx.seed))
        order = np.random.default_rng(ctx.seed).permutation(len(both.x))
        learn, rest = both.at(order[: len(order) // 2]), both.at(order[len(order) // 2 :])
        source = "the audited data, as no reference was given; the others were kept for the fidelity"
    if min(len(learn.x), len(rest.x)) < FEWEST:
        msg = f"{len(learn.x)} rows to learn from and {len(rest.x)} to try on; at least {FEWEST} of each are needed"
        raise NotApplicable(msg)
    return learn, rest, source


@dataclass(frozen=True)
class _Names:
    """What columns and answers are called; `binary` are the flags that are 0 or 1 in all rows."""

    ctx: Context
    labels: Sequence[str]
    binary: Sequence[bool]

    @classmethod
    def of(cls, ctx: Context, rows: Rows) -> _Names:
        columns = ctx.columns
        flags = [c.kind == "flag" and bool(np.isin(rows.x[:, c.start], (0, 1)).all()) for c in columns]
        return cls(ctx, labels_of(columns), flags)

    def rule(self, conditions: Sequence[Condition]) -> str:
        columns = self.ctx.columns
        parts = [
            words_of(c, columns[c.column], self.labels[c.column], binary=self.binary[c.column]) for c in conditions
        ]
        return " and ".join(parts) or "(every row)"

    def answer(self, answer: float) -> str | float:
        return answer if self.ctx.is_regression else self.ctx.classes[int(answer)]


# ---- rules for the whole model -----------------------------------------------------------------------------------
def _answers(ctx: Context, rows: Rows) -> Floats:
    """(N,) what the model says: the number of a class, or a value."""
    return rows.outputs[:, 0] if ctx.is_regression else rows.said.astype(np.float64)


def _surrogate(ctx: Context, names: _Names, learn: Rows, held_out: Rows) -> Found:
    run, classify = finite_outputs(ctx), not ctx.is_regression
    extra = mixed_rows(learn.x, ctx.columns, ctx.seed)
    further = np.concatenate([run(part) for part in extra.split(ctx.batch_size)])
    both = replace(learn, x=torch.cat([learn.x, extra]), outputs=np.concatenate([learn.outputs, further]))
    found = surrogate(both.x, _answers(ctx, both), len(extra), ctx.columns, classify=classify, seed=ctx.seed)
    said, told = found.tree.predict(held_out.x.numpy()), _answers(ctx, held_out)
    stability = Measure("stability", "", found.stability, RESAMPLES, better="higher")
    measures = [*_fidelity(said, told, classify=classify), stability]
    fidelity, enough = follows(said, told, classify=classify)
    if len(np.unique(told)) == 1:
        return measures, [], [f"The model gives one answer for all {len(told):,} rows: there are no rules to tell."]
    if not enough:
        beside = f", majority {measures[1].value:.2f}" if classify else ""
        return measures, [], [f"No simple rule set follows this model: fidelity {fidelity:.2f}{beside}; none is shown."]
    come = f"{percent(found.stability)} come again"
    caveat = f"Other rows give other rules ({come}): take none of them for a reason."
    caveats = [caveat] if found.stability < STABLE else []
    return measures, [_rules_table(ctx, names, found.rules, held_out, told)], caveats


def _fidelity(said: Floats, told: Floats, *, classify: bool) -> list[Measure]:
    n = len(told)
    if not classify:
        return [Measure("fidelity", "", r_squared(said, told), n, better="higher")]
    common = int(np.unique(told, return_counts=True)[1].max())
    return [rate("fidelity", int((said == told).sum()), n), rate("majority", common, n, better="neither")]


def _rules_table(ctx: Context, names: _Names, rules: Sequence[Rule], held_out: Rows, told: Floats) -> Table:
    """The rules that cover most first, each with how well it does in rows that no tree saw."""
    rows: list[tuple[Scalar, ...]] = []
    covered = [holds(r, held_out.x, ctx.columns) for r in rules]
    for i in sorted(range(len(rules)), key=lambda i: -covered[i].sum()):
        r, own = rules[i], told[covered[i]]
        right = rate("", int((own == r.answer).sum()), len(own))
        m = mean_size("", np.abs(own - r.answer)) if ctx.is_regression else right
        share = len(own) / len(told)
        rows.append((names.rule(r.conditions), names.answer(r.answer), share, m.value, m.low, m.high, m.n))
    how = "mean distance" if ctx.is_regression else "precision"
    columns = ("rule", "answer", "share of rows", how, "low", "high", "rows")
    return Table("Rules that follow the model", columns, tuple(rows))


# ---- anchors -----------------------------------------------------------------------------------------------------
def _anchors(ctx: Context, names: _Names, samples: int, draws: int) -> Found:
    shown = [s for s in explained_samples(ctx, samples) if bool(s.x.isfinite().all())]
    if not shown:
        return [], [], ["All rows to be explained hold NaN or infinity; no anchors."]
    given = usable(ctx, (ctx.reference or ctx.data).take(ROWS, ctx.seed))
    run, x = finite_outputs(ctx), torch.stack([s.x for s in shown])
    background = Background(given.x, ctx.columns)
    values = np.concatenate([run(part) for part in x.split(ctx.batch_size)])[:, 0]
    near = NEAR * float(given.outputs[:, 0].std())

    def same(s: int, outputs: Floats) -> Flags:
        if ctx.is_regression:
            return np.asarray(np.abs(outputs[:, 0] - values[s]) <= near)
        return np.asarray(outputs.argmax(1) == shown[s].predicted)

    found = anchors(run, same, x, background, target=TARGET, draws=draws, size=ctx.batch_size, seed=ctx.seed)
    measures, rows = [], []
    for s, a in zip(shown, found, strict=True):
        at = f"row={s.row}"
        precision = rate("anchor_precision", a.kept, a.draws, slice=at)
        coverage = rate("anchor_coverage", a.covered, a.of, slice=at)
        measures += [precision, coverage]
        figures = precision.value, precision.low, precision.high, coverage.value
        rows.append((s.title, s.answer, names.rule(a.conditions), *figures))
    columns = ("row", "answer", "holds where", "precision", "low", "high", "share of rows")
    return measures, [Table("Anchors", columns, tuple(rows))], _short_of(found)


def _short_of(found: Sequence[Anchor]) -> list[str]:
    short = sum(a.kept < TARGET * a.draws for a in found)
    said = "the best of at most five conditions is shown"
    return (
        [f"In {short} of {len(found)} rows no anchor held the answer in 0.95 of fresh rows; {said}."] if short else []
    )
