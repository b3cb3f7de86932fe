"""What a gap comes through, in a report: bars of the columns, the largest gaps in sight."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from auditor.columns import Labels
from auditor.types import Outcome
from reports.parts import Chart, CheckHead, Folded
from reports.pillars.gap_parts import gap_parts
from tests import zoo
from tests.checks.audited import outcome_of
from tests.checks.tables import normal, regression

CHECK = "fairness.explanations"
WEIGHTS = torch.tensor([1.0, 1.0, *[0.1] * 10])


def outcome(x: Tensor, names: list[str]) -> Outcome:
    case = regression(lambda x: x @ WEIGHTS, x)
    return outcome_of(zoo.Case(case.model, replace(case.data, groups={"sex": Labels.of(names)})), CHECK, samples=0)


def rows(lower: float) -> tuple[Tensor, list[str]]:
    x, sex = normal(300, 12), ["f", "m", "m"] * 100
    x[::3, 0] -= lower
    return x, sex


def test_the_gap_and_the_largest_part_beyond_chance_are_said() -> None:
    head, chart = gap_parts(outcome(*rows(2.0)))

    assert isinstance(head, CheckHead) and isinstance(chart, Chart)
    assert chart.title == "sex = f, against all others."
    assert chart.answer.startswith("The mean score is ")
    assert " lower; of the parts beyond chance the largest, " in chart.answer
    assert chart.answer.endswith("comes through c0.")
    assert chart.svg.count("2 further columns") == 2  # wide and narrow
    assert chart.figures is not None and chart.figures.rows[-1][0] == "all columns: the gap"


def test_a_gap_that_may_be_chance_is_said_to() -> None:
    _, chart = gap_parts(outcome(*rows(0.0)))

    assert isinstance(chart, Chart)
    assert chart.answer.endswith("which may be chance: the interval holds 0.")


def test_a_gap_of_which_no_part_is_certain_is_said_to() -> None:
    """Twelve columns that each differ by .1, noise of which adds up to nothing in any row."""
    x = normal(60, 12)
    x -= x.mean(1, keepdim=True)
    x[::2] += 0.1
    case = regression(lambda x: 10 * x.sum(1), x)
    data = replace(case.data, groups={"sex": Labels.of(["f", "m"] * 30)})
    _, chart = gap_parts(outcome_of(zoo.Case(case.model, data), CHECK, samples=0))

    assert isinstance(chart, Chart)
    assert chart.answer == "The mean score is 12.00 higher; of no single column is the part in it beyond chance."


def test_the_largest_gaps_are_in_sight_the_others_folded() -> None:
    x = normal(400, 12)
    for g, lower in enumerate((0.0, 5.0, 0.5, 1.0)):
        x[g::4, 0] -= lower
    _, first, second, folded = gap_parts(outcome(x, ["a", "b", "c", "d"] * 100))

    assert isinstance(first, Chart) and first.title.startswith("sex = b")
    assert isinstance(second, Chart) and second.title.startswith("sex = a")
    assert isinstance(folded, Folded) and len(folded.blocks) == 2


def test_without_a_gap_there_is_the_head_alone() -> None:
    assert len(gap_parts(outcome(normal(40, 12), ["f"] * 40))) == 1
