"""A check in a sentence: the ends of its figures, of enough rows, and one value where all agree."""

from __future__ import annotations

import pytest

from auditor.types import Measure, Outcome, Result, Status
from reports.pillars.common import in_short


def said(*measures: Measure) -> list[str]:
    o = Outcome("robustness.missing", "Missing", "", Status.MEASURED, "", result=Result(measures))
    return [p.text for p in in_short(o)]


def test_the_ends_are_of_enough_rows_and_say_of_how_many() -> None:
    found = said(
        Measure("missing_accuracy", "missing=group&race=Other", 0.0, 1),
        Measure("missing_accuracy", "missing=any", 0.7, 300),
        Measure("missing_accuracy", "", 0.89, 1600),
    )

    assert found == [
        "Accuracy with values missing: from 0.70 (missing = any; n = 300) to 0.89 (overall; n = 1,600)."
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [1, 9])
def test_slices_of_few_rows_make_no_sentence_of_ends(rows: int) -> None:
    few = [Measure("drop", f"row={i}", i / 10, rows) for i in range(3)]

    assert said(*few) == []
    assert said(Measure("drop", "", 0.1, 3), *few) == ["Drop: 0.10 (n = 3)."]
    assert said(few[0]) == [f"Drop of row = 0: 0.00 (n = {rows})."]


def test_values_that_are_all_the_same_are_said_once() -> None:
    layers = [Measure("dead_units", f"layer={i}", 0.0, 64) for i in (1, 2)]
    whole = Measure("dead_units", "", 0.0, 128, 0.0, 0.03)

    assert said(whole, *layers) == [
        "Dead units: 0.00 (95 % interval 0.00 to 0.03; n = 128), and the same in 2 further figures."
    ]
    assert said(*layers) == ["Dead units: 0.00 in each of 2 figures."]


def test_a_figure_that_is_not_known_is_in_no_sentence() -> None:
    assert said(Measure("accuracy", "", None, 0, why="no rows")) == []
