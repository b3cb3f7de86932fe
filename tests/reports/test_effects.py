"""Bars of single rows: what their thin line is, and none where a figure has no interval."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.types import Measure, Outcome, Result, Status, Table
from reports.parts import Chart
from reports.pillars.effects import bar_rows
from reports.pillars.worth import Worth


def chart(
    columns: tuple[str, ...],
    *rows: tuple[str | float | None, ...],
    found: Mapping[str, Worth] | None = None,
    measures: tuple[Measure, ...] = (),
) -> Chart:
    """The one chart of a check that explains one row."""
    result = Result(measures, tables=(Table("row 3: yes (0.91)", columns, rows),))
    blocks = bar_rows([Outcome("explain.occlusion", "Occlusion", "", Status.MEASURED, "", result=result)], found or {})
    (drawn,) = [b for b in blocks if isinstance(b, Chart)]
    return drawn


def test_the_thin_line_is_said_to_be_what_the_table_has() -> None:
    interval = chart(("column", "value", "drop", "low", "high"), ("age", "3", 0.4, 0.3, 0.5))
    neither = chart(("column", "value", "drop"), ("age", "3", 0.4))

    assert interval.note.endswith("The thin lines are 95 % intervals.")
    assert neither.note == "Filled bars raise, outlined bars lower."


def test_the_line_of_the_evidence_travels_with_every_bar_chart_of_the_method() -> None:
    told = {"Occlusion": Worth("Occlusion", "weak", 1, 0, 4, 12)}
    one = chart(("column", "value", "drop"), ("age", "3", 0.4), found=told)
    other = chart(("column", "value", "drop"), ("age", "3", 0.4), found={"LRP": Worth("LRP", "usable", 4, 0, 4, 12)})

    assert one.note.endswith("Weak here: beats chance and model-free orders in 1 of 4 measures (12 rows).")
    assert "Usable" not in other.note


def test_a_chart_says_how_many_bars_are_in_their_order() -> None:
    notes = [
        chart(("column", "value", "effect"), ("age", "3", 0.4), measures=(Measure("certain_bars", "row=3", n, 1),)).note
        for n in (0, 1, 3)
    ]

    assert notes[0].endswith("Which bar is the longest is not certain.")
    assert notes[1].endswith("The longest bar is in this order beyond chance.")
    assert notes[2].endswith("The 3 longest bars are in this order beyond chance.")


def test_a_weight_of_a_deviation_is_not_said_of_the_value() -> None:
    columns = ("column", "value", "weight", "low", "high", "standard deviation")
    rows = (("gain", "0", -0.3, -0.4, -0.2, 7410.0), ("sex", "Female", 0.1, 0.0, 0.2, None), ("2 further columns", "", 0.0, None, None, None))  # fmt: skip # noqa: E501
    number, category = chart(columns, *rows), chart(columns, *rows[1:])

    assert number.answer == "One standard deviation more of <bdi>gain</bdi> lowers the probability most."
    assert "gain = 0" not in f"{number.svg}{number.answer}{number.note}"
    assert "+1 SD of gain" in number.svg and "sex = Female" in number.svg
    assert "The bar of a number is what one standard deviation (SD) more of it does" in number.note
    assert category.answer == "<bdi>sex = Female</bdi> raises the probability most."
    assert number.figures.columns == columns
    assert number.figures.rows[0][-1] == "7,410.000"


def test_a_bar_without_a_deviation_is_said_of_the_value() -> None:
    drawn = chart(("column", "value", "effect"), ("age", "3", 0.4))

    assert drawn.answer == "<bdi>age = 3</bdi> raises the probability most."
    assert "SD" not in drawn.note


def test_what_has_no_interval_has_no_line() -> None:
    columns = ("column", "value", "drop", "low", "high")
    without = chart(columns, ("age", "3", 0.4, 0.3, 0.5), ("2 further columns", "", 0.2, None, None))
    pointed = chart(columns, ("age", "3", 0.4, 0.3, 0.5), ("2 further columns", "", 0.2, 0.2, 0.2))
    at_zero = chart(columns, ("age", "3", 0.4, 0.3, 0.5), ("2 further columns", "", 0.2, 0.0, 0.2))

    assert without.svg == pointed.svg
    assert without.svg != at_zero.svg
