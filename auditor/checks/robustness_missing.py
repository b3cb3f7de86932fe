"""robustness.missing: what values that are missing cost, and whether the model notices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from auditor.errors import NotApplicable
from auditor.missing.answers import Answers, answers_of
from auditor.missing.doubts import doubts
from auditor.missing.figures import column_figures, group_figures, kind_figures, nan_figures
from auditor.missing.fill import How, fill_of
from auditor.missing.nan import given_nan
from auditor.registry import Context, check, sizes
from auditor.tabular import labels_of, need_columns
from auditor.types import Measure, Result


@check(
    "robustness.missing",
    title="Missing values",
    measures=(
        "accuracy_fall", "clean_accuracy", "clean_error", "error_rise", "missing_accuracy", "missing_error",
        "nan_answered", "nan_out", "nan_raises",
    ),
    source="Rubin 1976, Biometrika 63:581; Newcombe 1998, Stat. Med. 17:2635 (falls of the same rows)",
)  # fmt: skip
def missing(
    ctx: Context,
    *,
    samples: int = sizes(500, 2000, 10_000),
    columns: int = sizes(40, 200, 0),
    fill: How = "median",
) -> Result:
    """How far the accuracy falls where values are missing and others are put in their place, and what NaN gives.

    What it measures: of `samples` rows (0: all) 5, 10, 20 and 40 % of the values are taken out and filled in: numbers
    with the `fill` (median or mean) of the reference data, else of the audited data, categories and flags with their
    commonest value there. `missing_accuracy` is what is left, `accuracy_fall` how much less that is than the
    `clean_accuracy` of the same rows as they are; 0 is no fall, below 0 a gain. `missing=random`: each value on its
    own. `missing=column-block`: in each row a run of neighbouring columns. `missing=row-block`: all values of
    consecutive rows of the file, as when a source is down. `missing=group`: at random in the rows of one sensitive
    group alone, of which the figures are. `column=` (the fall alone): one column in that share of the rows (1: in all),
    for at most `columns` columns (0: all), drawn by the seed. A model that gives a value has mean absolute errors:
    `missing_error`, `clean_error`, `error_rise`.

    `nan_answered` is the share of rows with NaN in one drawn column (`nan=one`) or in all (`nan=all`) that get a class
    or value as if nothing were missing; `nan_out` have NaN or infinity as output, `nan_raises` raise an error. The
    table has each column, too, on at most 32 rows.

    How to read it: a column whose loss costs accuracy is one to watch over. NaN that gives NaN or an error is noticed,
    if somebody looks: the class with the highest output of NaN is still a class. An answer to NaN is noticed by nobody.

    When it misleads: values are rarely missing at random: who has no entry differs from who has one. Another
    imputation, such as that of the service around the model, has other figures. Any column may be missing, also one
    that cannot change (`mutable`). One column is the costliest of many by chance, too.
    """
    need_columns(ctx)
    model, data = ctx.need_model(), ctx.data.take(samples, ctx.seed)
    named = [replace(c, name=name) for c, name in zip(ctx.columns, labels_of(ctx.columns), strict=True)]
    chosen: Sequence[int] = range(len(named))
    if 0 < columns < len(named):
        chosen = np.sort(np.random.default_rng(ctx.seed).permutation(len(named))[:columns]).tolist()
    stand_in = fill_of(ctx, named, fill)
    found = answers_of(model, data, named, chosen, stand_in.x, ctx.batch_size, ctx.seed)
    known = np.flatnonzero(~np.isnan(found.clean))
    if not len(known):
        msg = f"the model has a finite answer to none of {len(data)} rows as they are; expected at least one"
        raise NotApplicable(msg)
    given = given_nan(model, data.at(known), named, chosen, ctx.batch_size, ctx.seed)
    parts = [kind_figures(found)]
    if data.groups:
        parts.append(group_figures(found, data.groups))
    parts += [nan_figures(given, values=found.values), column_figures(found, [c.name for c in named], stand_in.shown)]
    _keep(ctx, found, parts[0][0])
    measures = tuple(m for measured, _ in parts for m in measured)
    return Result(
        measures, tuple(t for _, t in parts), (), tuple(doubts(ctx, found, given, fill, stand_in, len(chosen)))
    )


def _keep(ctx: Context, found: Answers, measures: list[Measure]) -> None:
    """What each row counts in the accuracies; errors of values are no scores from 0 to 1."""
    if found.values:
        return
    levels = [m for m in measures if m.name != "accuracy_fall"]
    answers = [found.clean, *found.kinds.values()]
    ctx.keep_scores(found.row_ids, {m: found.scores(a) for m, a in zip(levels, answers, strict=True)})
