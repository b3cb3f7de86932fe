"""fairness.tradeoff: what accuracy it would cost to close a gap by thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from auditor.columns import Labels
from auditor.contingency import RATES_OF, Criterion
from auditor.errors import NotApplicable, UsageError
from auditor.fairness.yardstick import answers_of, steps
from auditor.registry import Context, check, sizes
from auditor.subject import Data
from auditor.training.fit import fit_to_train
from auditor.types import Measure, Result, Table
from auditor.wrapped.cuts import Cuts, Floats, cuts_of, leads
from auditor.wrapped.group_thresholds import of_no_group

Strengths = Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1, max_length=20)]


@check(
    "fairness.tradeoff",
    title="Trade-off",
    measures=("accuracy", "demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference"),
    source="Hardt et al. 2016, arXiv:1610.02413 (thresholds); Agresti et al. 2008 and Wilson 1927 (intervals)",
)
def tradeoff(
    ctx: Context,
    *,
    strengths: Strengths = (0.25, 0.5, 0.75, 1.0),
    smallest_group: Annotated[int, Field(ge=1)] = 10,
    samples: int = sizes(20_000, 100_000, 0),
) -> Result:
    """What accuracy it would cost to close a gap by a threshold of its own for each group.

    What it measures: for each attribute and each of three gaps (`demographic_parity_difference`,
    `equal_opportunity_difference`, `equalized_odds_difference`), `accuracy` and the gap with thresholds that go part of
    the way, by `strengths`: 0, which is always there, is the model as it is, 1 the thresholds at which the rates of all
    groups are nearest to those that fairlearn's ThresholdOptimizer makes equal. They are found on at most `samples`
    reference rows (0: all) whose inputs are not among the audited ones, and measured on the audited rows. A group
    without 10 favourable reference rows and 10 others keeps the plain threshold; gaps are between groups in which at
    least `smallest_group` audited rows are what a rate is about.

    How to read it: as a yardstick. A gap that closes at no cost says that a choice was there; another mitigation can
    be held against the line. It is no advice: thresholds by group read the attribute of each person, which in some
    places is unlawful.

    When it misleads: thresholds found on rows that the model was trained on are too sure of its scores. Where a gap
    closes because nobody gets the favourable answer, accuracy can look good.
    """
    positive = _need_positive(ctx)
    reference, caveats = _unseen(ctx, samples)
    found = ctx.predictions
    assert found.probabilities is not None  # noqa: S101 - a model of classes has them
    answers = answers_of(found.predicted, found.probabilities, ctx.data.y, positive)
    scores = leads(ctx.need_model(), reference, positive)
    measures: list[Measure] = []
    tables: list[Table] = []
    for attribute, labels in ctx.data.groups.items():
        try:
            fitted = {c: _cuts(reference, attribute, scores, positive, c) for c in RATES_OF}
        except NotApplicable as e:
            caveats.append(f"{attribute}: {e}.")
            continue
        figures, table = steps(answers, labels, attribute, fitted, (0.0, *strengths), smallest_group)
        measures += figures
        tables.append(table)
        caveats += _plain(attribute, labels, fitted["demographic_parity"])
    if not measures:
        raise NotApplicable(" ".join(caveats).rstrip("."))
    return Result(tuple(measures), tuple(tables), (), tuple(caveats))


def _need_positive(ctx: Context) -> int:
    """The favourable class; NotApplicable where there is none, and where there are no groups."""
    ctx.need_classes()
    ctx.need_model()
    ctx.need_groups()
    if ctx.data.positive is None:
        msg = "no class is favourable, so that no group has a rate of it; [data] positive names one"
        raise NotApplicable(msg)
    return ctx.data.positive


def _unseen(ctx: Context, samples: int) -> tuple[Data, list[str]]:
    """The reference rows that are not audited, and what was left out of them."""
    if ctx.reference is None:
        msg = "there are no reference rows to find thresholds on; [data] reference names them"
        raise NotApplicable(msg)
    try:
        rows, said = fit_to_train(ctx.reference.take(samples, ctx.seed), ctx.data)
    except UsageError as e:
        raise NotApplicable(str(e)) from None
    return rows, list(said)


def _cuts(reference: Data, attribute: str, scores: Floats, positive: int, criterion: Criterion) -> dict[str, Cuts]:
    if attribute not in reference.groups:
        msg = "the reference has no such column, so that no thresholds can be found for it"
        raise NotApplicable(msg)
    return cuts_of(scores, reference.y == positive, reference.groups[attribute], criterion)


def _plain(attribute: str, labels: Labels, cuts: Mapping[str, Cuts]) -> list[str]:
    """How many audited rows keep the plain threshold, as none was found for their group."""
    n = of_no_group(labels, tuple(cuts))
    said = f"{n:,} of {len(labels):,} rows have a {attribute} that no threshold was found for: they keep the plain one."
    return [said] if n else []
