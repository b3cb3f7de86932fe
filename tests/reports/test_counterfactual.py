"""Counterfactuals in the report: a line a way, rows without one told, and names that stay text."""

from __future__ import annotations

from dataclasses import replace

from markupsafe import Markup

from auditor.types import Measure, Outcome, Result, Status, Table
from reports.html import render
from reports.parts import Folded, Grid, Prose
from reports.pillars.counterfactual import COLUMNS, COUNTERFACTUALS, counterfactual_blocks
from tests.reports.records import record
from tests.reports.test_html import Page

WAYS = Table(
    "row 12: denied (0.83)",
    COLUMNS,
    (
        (1, "approved", "income", "41000", "46200", 0.5),
        (2, "approved", "years", "2", "5", 1.25),
        (2, "approved", "member", "0", "1", 1.0),
    ),
)
RATES = (
    Measure("validity", "", 0.5, 2, 0.1, 0.9, "wilson", (1, 2)),
    Measure("recourse", "", 0.25, 4, 0.1, 0.6, "wilson", (1, 4)),
    Measure("changed_columns", "", 1.5, 1),
)


def outcome(*tables: Table, measures: tuple[Measure, ...] = RATES) -> Outcome:
    return Outcome(COUNTERFACTUALS, "Counterfactuals", "", Status.MEASURED, "", {}, (), Result(measures, tables))


def grids(*tables: Table) -> list[Grid]:
    return [b for b in counterfactual_blocks(outcome(*tables)) if isinstance(b, Grid)]


def test_each_way_is_a_line_with_what_changes_and_how_far() -> None:
    found = grids(WAYS)[0]

    assert found.caption == "Row 12: denied (0.83)"
    assert [[Markup(cell).striptags() for cell in line] for line in found.rows] == [
        ["approved", "income 41000 → 46200", "0.50"],
        ["approved", "years 2 → 5, member 0 → 1", "2.25"],
    ]


def test_a_row_without_a_way_says_so() -> None:
    assert grids(replace(WAYS, rows=()))[0].rows == [["no admissible change was found", "", ""]]


def test_it_opens_with_how_many_rows_have_a_way() -> None:
    (said,) = [b.text for b in counterfactual_blocks(outcome(WAYS)) if isinstance(b, Prose)]

    assert said == (
        "In 1 of 2 rows an admissible change gets another answer; it changes 1.5 columns on average. "
        "In 1 of 4 rows without the favourable answer an admissible change gets it."
    )


def test_every_figure_of_the_whole_is_told_with_its_n() -> None:
    rows = [replace(m, slice="row=1") for m in RATES]
    figures = next(
        b
        for b in counterfactual_blocks(outcome(WAYS, measures=(*RATES, *rows)))
        if isinstance(b, Grid) and b.columns[0] == "figure"
    )

    assert [line[0] for line in figures.rows] == ["validity", "recourse", "changed columns"]
    assert figures.rows[0][1:4] == ["0.50", "0.10 to 0.90", "2"]
    assert all(line[4] for line in figures.rows)


def test_many_rows_and_many_columns_are_cut_and_counted() -> None:
    wide = replace(WAYS, rows=tuple((1, "yes", f"c{i}", "0", "1", 1.0) for i in range(20)))
    many = [replace(wide, title=f"row {i}: no") for i in range(60)]
    blocks = counterfactual_blocks(outcome(*many))
    (folded,) = [b for b in blocks if isinstance(b, Folded)]

    assert Markup(next(b for b in blocks if isinstance(b, Grid)).rows[0][1]).striptags().endswith("and 14 more columns")
    assert folded.summary == "36 further rows"
    assert any("20 more rows explained" in b.text for b in blocks if isinstance(b, Prose))


def test_text_from_models_and_data_stays_text() -> None:
    bad = "<script>alert(1)</script>"
    hostile = replace(WAYS, title=f"row 1: {bad}", rows=((1, bad, bad, bad, bad, 1.0),))
    found = record("biased_table")
    html = render(replace(found, audit=found.audit.with_outcome(outcome(hostile))))

    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 4


def test_a_real_audit_shows_what_would_have_changed_the_answer() -> None:
    words = Page(render(record("biased_table"))).words

    assert "group 1 → 0" in words
    assert "How often each column is changed" in words
    assert "no admissible change was found" not in words
