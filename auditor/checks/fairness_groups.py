"""fairness.groups: who gets the favourable answer, and who bears which errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from auditor.contingency import MISSING, rows_of
from auditor.counting.crossings import countable
from auditor.fairness.crossed import Asked, Found, answered, sizes, valued
from auditor.fairness.figures import GAPS
from auditor.fairness.suppression import hidden_groups
from auditor.fairness.told import about_empty, about_groups, about_order, about_rates, quantile_table, table
from auditor.registry import Context, check
from auditor.scores import MOST_GROUPED_ROWS, SCORED_ROWS, group_key, grouped
from auditor.types import Measure, Result

MOST_MEASURES = 50_000  # then no further class is taken


@check(
    "fairness.groups",
    title="Groups",
    measures=(
        "accuracy", "accuracy_difference", "accuracy_ratio", "auc", "auc_difference", "balanced_accuracy",
        "base_rate", "base_rate_difference", "between_group_generalized_entropy", "brier", "brier_difference",
        "demographic_parity_difference", "demographic_parity_ratio", "ece", "equal_opportunity_difference",
        "equal_opportunity_ratio", "equalized_odds_difference", "equalized_odds_mean_difference",
        "equalized_odds_ratio", "fdr", "fn_fp_ratio", "fnr", "for", "fpr", "fpr_difference",
        "generalized_entropy", "ks_distance", "mcc", "mean_absolute_error", "mean_absolute_error_difference",
        "mean_residual", "mean_residual_difference", "mean_score", "mean_score_difference", "mean_value",
        "mean_value_difference", "npv", "npv_difference", "ppv", "predictive_parity_difference",
        "predictive_parity_ratio", "selection_rate", "tnr", "tpr", "treatment_equality_difference",
    ),
    source="Hardt et al. 2016, arXiv:1610.02413; Agarwal et al. 2018, arXiv:1803.02453; Speicher et al. 2018, "
    "arXiv:1807.00787; Newcombe 1998, Agresti et al. 2008 (intervals)",
)  # fmt: skip
def groups(
    ctx: Context,
    *,
    depth: Annotated[int, Field(ge=0)] = 2,
    smallest_group: Annotated[int, Field(ge=1)] = 10,
    suppress_below: Annotated[int, Field(ge=0)] = 0,
) -> Result:
    """Who gets the favourable answer, and who bears which errors: for every group and every crossing of attributes.

    What it measures: of each group of each sensitive attribute, and of each crossing of up to `depth` of them (0: of
    all): `base_rate` and `selection_rate` (share truly favourable, and given the favourable answer), `tpr` and `fnr`
    (share of the truly favourable found, missed), `fpr` and `tnr` (share of the others wrongly, rightly told), `ppv`
    and `fdr` (share of favourable answers that are true, false), `npv` and `for` (the same of unfavourable ones),
    `accuracy`, `balanced_accuracy` (mean of tpr and tnr), `mcc` (correlation of answer and label), `fn_fp_ratio`
    (missed to wrongly favoured) and `generalized_entropy` (inequality of benefits, 0 is none). Of scores: `mean_score`,
    `brier` (mean squared error, 0 is best), `ece` (expected calibration error in 15 bins), `auc` (area under the
    group's ROC curve, .5 is chance) and `ks_distance` (to the scores of all other rows: 0 the same, 1 apart). Of a
    regression: `mean_residual` (value minus target), `mean_absolute_error`, `mean_value` and `ks_distance`.

    Between the groups of an attribute or a crossing: the largest difference and the smallest ratio in selection_rate
    (`demographic_parity`), tpr (`equal_opportunity`), ppv (`predictive_parity`) and accuracy; `equalized_odds`, the
    worse of tpr and fpr, and as `equalized_odds_mean_difference` their mean; differences in fpr, npv, base rate, mean
    score, Brier score, area, residual, and in the share of errors that are missed ones (`treatment_equality`); and
    `between_group_generalized_entropy`. They are between named groups in which at least `smallest_group` rows are what
    a figure is about. Without a favourable class each class is taken in turn. None where there is nobody to speak of.
    Groups of fewer than `suppress_below` rows are counted and not shown.

    How to read it: a difference of 0 or a ratio of 1 is none. The intervals of gaps hold whichever two groups lie
    furthest apart, so that a gap whose interval leaves 0 out is there. Selection is about allocation: who is given
    something. Errors are about quality of service: for whom the model works. Where base rates differ, not all of this
    can be equal at once: which error matters is for people to say.

    When it misleads: labels that are unequal themselves make an unequal model look right. Groups below 30 rows say
    little, and an interval that holds 0 is no evidence that there is no gap.
    """
    ctx.need_groups()
    crossed, uncounted = countable(ctx.data.groups, depth)
    hidden = hidden_groups(sizes(ctx.data.groups, len(ctx.data), crossed), suppress_below) if suppress_below else set()
    asked = Asked(crossed, smallest_group, hidden)
    found, skipped = _found(ctx, asked)
    if not ctx.is_regression and not suppress_below and len(ctx.data) <= MOST_GROUPED_ROWS:
        _keep(ctx, found, smallest_group)
    by_class = [f for f in found if f.about == found[0].about]
    notes = [*_refusals(ctx), *skipped, *uncounted]
    for f in by_class:
        notes += [*about_groups(f), *about_empty(f, ctx.data.groups), *about_rates(f)]
    notes += about_order(found, len(ctx.data))
    tables = [t for f in found for t in (table(f, suppress_below), quantile_table(f)) if t.rows]
    return Result(tuple(m for f in found for m in f.measures), tuple(tables), (), tuple(notes))


def _found(ctx: Context, asked: Asked) -> tuple[list[Found], list[str]]:
    """Every crossing, of each class in turn where none is favourable, and what was left out."""
    if ctx.is_regression:
        return list(valued(ctx, asked)), []
    if ctx.data.positive is not None:
        return list(answered(ctx, ctx.data.positive, "", asked)), []
    found: list[Found] = []
    for positive, name in enumerate(ctx.classes):
        if sum(len(f.measures) for f in found) > MOST_MEASURES:
            return found, [f"Only the first {positive:,} of {len(ctx.classes):,} classes are taken as favourable."]
        found += answered(ctx, positive, f"&class={name}", asked)
    return found, []


def _keep(ctx: Context, found: list[Found], smallest: int) -> None:
    """Keep group and outcome of the rows that a gap is about, so that two audits of the same rows can be compared."""
    ctx.keep(SCORED_ROWS, ctx.data.row_ids)
    of_class = {f"&class={name}": i for i, name in enumerate(ctx.classes)} | {"": ctx.data.positive}
    for f in found:
        if len(f.attributes) > 1:
            continue
        positive, labels = of_class[f.about], ctx.data.groups[f.attributes[0]]
        for gap, rate in _rates_behind(f):
            about, outcome = rows_of(rate, ctx.predictions.predicted == positive, ctx.data.y == positive)
            about = about & np.array([name != MISSING for name in labels.names])[labels.codes]
            large = np.bincount(labels.codes[about], minlength=len(labels.names)) >= smallest
            codes = labels.codes.astype(np.int64)
            ctx.keep(group_key(gap.name, gap.slice), grouped(codes, outcome, about & large[labels.codes]))


def _rates_behind(found: Found) -> Iterator[tuple[Measure, str]]:
    """The differences that are known, each with the rate that it is one of."""
    known = {m.name: m for m in found.gaps if m.value is not None}
    for name in ("demographic_parity", "equal_opportunity", "predictive_parity", "accuracy"):
        if gap := known.get(f"{name}_difference"):
            yield gap, GAPS[gap.name].figures[0]
    if gap := known.get("equalized_odds_difference"):
        missed, wrong = (known[name].value or 0.0 for name in ("equal_opportunity_difference", "fpr_difference"))
        yield gap, "tpr" if missed >= wrong else "fpr"


def _refusals(ctx: Context) -> list[str]:
    """How the answers of a model are counted that may refuse to give one."""
    if ctx.model is None or not ctx.model.rejects:
        return []
    return ["The model may reject a row: that counts as an answer other than the favourable one, and as a wrong one."]
