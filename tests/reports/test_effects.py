"""Bars of single rows: what their thin line is, and none where a figure has no interval."""

from __future__ import annotations

from auditor.types import Outcome, Result, Status, Table
from reports.parts import Chart
from reports.pillars.effects import bar_rows


def chart(columns: tuple[str, ...], *rows: tuple[str | float | None, ...]) -> Chart:
    """The one chart of a check that explains one row."""
    result = Result((), tables=(Table("row 3: yes (0.91)", columns, rows),))
    blocks = bar_rows([Outcome("explain.occlusion", "Occlusion", "", Status.MEASURED, "", result=result)])
    (found,) = [b for b in blocks if isinstance(b, Chart)]
    return found


def test_the_thin_line_is_said_to_be_what_the_table_has() -> None:
    interval = chart(("column", "value", "drop", "low", "high"), ("age", "3", 0.4, 0.3, 0.5))
    runs = chart(("column", "value", "effect", "run 1", "run 2"), ("age", "3", 0.4, 0.3, 0.5))
    neither = chart(("column", "value", "drop"), ("age", "3", 0.4))

    assert interval.note.endswith("The thin line is the 95 % interval.")
    assert runs.note.endswith("The thin line joins what two runs said.")
    assert neither.note == "Filled bars raise, outlined bars lower."


def test_what_has_no_interval_has_no_line() -> None:
    columns = ("column", "value", "drop", "low", "high")
    without = chart(columns, ("age", "3", 0.4, 0.3, 0.5), ("2 further columns", "", 0.2, None, None))
    pointed = chart(columns, ("age", "3", 0.4, 0.3, 0.5), ("2 further columns", "", 0.2, 0.2, 0.2))
    at_zero = chart(columns, ("age", "3", 0.4, 0.3, 0.5), ("2 further columns", "", 0.2, 0.0, 0.2))

    assert without.svg == pointed.svg
    assert without.svg != at_zero.svg
