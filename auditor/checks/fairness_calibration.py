"""fairness.calibration: whether a score means the same in every group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from auditor.counting.crossings import countable
from auditor.counting.tally import Rows, Tally, tallied
from auditor.errors import NotApplicable
from auditor.fairness.by_chance import by_chance, differences
from auditor.fairness.calibration import bands_of, calibration, residuals
from auditor.fairness.calibration_tables import about_groups, band_table, group_table, reliability_table
from auditor.registry import Context, check
from auditor.types import Measure, Result, Table


@check(
    "fairness.calibration",
    title="Calibration by group",
    measures=("calibration_in_the_large", "calibration_in_the_large_difference", "ece", "sufficiency_difference"),
    source="Naeini et al. 2015, AAAI (ece); Guo et al. 2017, arXiv:1706.04599; Chouldechova 2017, arXiv:1703.00056; "
    "Scheffe 1953, Wilson 1927 (intervals)",
)
def calibration_by_group(
    ctx: Context,
    *,
    depth: Annotated[int, Field(ge=0)] = 2,
    smallest_group: Annotated[int, Field(ge=1)] = 10,
) -> Result:
    """Whether a score means the same in every group: of rows with a score of .7, are 70 of 100 favourable in each?

    What it measures: of each group of a sensitive attribute, and of each crossing of up to `depth` of them (0: of all),
    `calibration_in_the_large`, the mean score minus the share that is truly favourable: above 0 the group is overrated,
    below 0 underrated, from -1 to 1; and `ece`, the mean distance of score and share in 15 bins of the score (0 is
    none). Between named groups of at least `smallest_group` rows: `calibration_in_the_large_difference`, and as
    `sufficiency_difference` the same in each of five bands of the score that hold as many rows each: whether at equal
    scores outcomes are equal. The score is the probability of the favourable class; without one, that of the predicted
    class, and the outcome whether it is right. None where there is nobody to speak of.

    How to read it: a difference whose interval leaves 0 out says that a score promises one group more than another, so
    that one threshold for all is not the same for all. Whose scores promise too much is overrated: more of it is
    selected than its outcomes bear out. Scores count minus outcome, so that groups whose scores lie differently inside
    of a band are not held apart for that.

    When it misleads: labels that are unequal themselves make an unequal model look calibrated. `ece` is above 0 by
    chance, far above in small groups; its interval is wide on purpose. Calibrated groups with unequal base rates have
    unequal errors (`fairness.groups`): both cannot be had.
    """
    rows, tally_of = _counted(ctx)
    edges = bands_of(rows.score)
    outcome = "share right" if ctx.data.positive is None else "share favourable"
    crossed, uncounted = countable(ctx.data.groups, depth)
    measures: list[Measure] = []
    tables: list[Table] = []
    caveats = [*([] if ctx.data.positive is not None else [TOP]), *uncounted]
    for attributes in crossed:
        tally = tally_of(attributes)
        sums = tally.sums
        assert sums is not None  # noqa: S101 - there are scores
        found = calibration(tally, sums, residuals(rows, tally.crossing, edges), smallest_group)
        measures += found.measures
        tables += [group_table(found, sums, outcome), band_table(found, edges.tolist())]
        if len(attributes) == 1:
            tables.append(reliability_table(found, sums, outcome))
        caveats += about_groups(found, smallest_group)
    return Result(tuple(measures), tuple(tables), (), (*caveats, *_by_chance(measures)))


TOP = "No class is favourable: the probability of the predicted class is set against whether it is right."


def _counted(ctx: Context) -> tuple[Rows, Callable[[tuple[str, ...]], Tally]]:
    """Scores and outcomes of the rows, and what counts them by group; NotApplicable without probabilities or groups."""
    ctx.need_classes()
    ctx.need_groups()
    probabilities = ctx.predictions.probabilities
    if probabilities is None:
        msg = "the predictions are decisions or plain scores, not probabilities; give [data] score from 0 to 1"
        raise NotApplicable(msg)
    if ctx.model is not None and ctx.model.rejects:
        msg = "the model may reject a row, so that its probabilities are not those of the classes alone"
        raise NotApplicable(msg)
    if (positive := ctx.data.positive) is not None:
        return ctx.counted(positive), lambda attributes: ctx.tally(attributes, positive)
    right, kept = ctx.right, dict[tuple[str, ...], Tally]()
    rows = Rows(len(right), ctx.data.groups, lambda at: right[at], lambda at: right[at], probabilities.max(1))
    return rows, lambda attributes: tallied(rows, attributes, kept)


def _by_chance(measures: list[Measure]) -> list[str]:
    n = differences(measures)
    if not (expected := by_chance(n)):
        return []
    return [f"{n:,} differences are measured: where groups do not differ, about {expected:,} leave 0 out by chance."]
