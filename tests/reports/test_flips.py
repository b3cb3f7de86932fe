"""Changed groups in a report: the chart of what changes, who would gain in words, tables behind it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from auditor.types import Measure, Outcome, Result, Status, Table
from reports.html import render
from reports.parts import Chart, CheckHead, Folded, Prose
from reports.pillars.flips import flip_blocks
from tests import zoo
from tests.checks.audited import outcome_of
from tests.checks.flipped import SEX, X, case, two_groups
from tests.checks.test_fairness_flips_texts import TEXTS, reading
from tests.reports.records import HOSTILE, audited

CHECK = "fairness.flips"


def outcome(*measures: Measure, tables: tuple[Table, ...] = (), caveats: tuple[str, ...] = ()) -> Outcome:
    return Outcome(CHECK, "Changed groups", "", Status.MEASURED, "", result=Result(measures, tables, (), caveats))


def rate(name: str, where: str, value: float, low: float, high: float, n: int = 100) -> Measure:
    return Measure(name, where, value, n, low, high, "wilson", (value * n, n), "lower")


RATES = (
    rate("flip_rate_with_proxies", "sex", 0.2, 0.15, 0.27),
    rate("flip_rate", "sex", 0.04, 0.02, 0.08),
    rate("flip_rate_by_chance", "sex", 0.3, 0.25, 0.36),
    rate("flip_rate", "sex=f", 0.5, 0.4, 0.6, 50),
)


def test_shares_of_attributes_are_in_the_chart_and_those_of_groups_are_not() -> None:
    head, chart = flip_blocks(outcome(*RATES))

    assert isinstance(head, CheckHead) and isinstance(chart, Chart)
    assert chart.answer == (
        "Of what was changed, sex and proxies changes the most answers: a share of 0.200 (95 % interval 0.150 to "
        "0.270; n = 100)."
    )
    assert chart.figures is not None
    assert [(row[0], row[2]) for row in chart.figures.rows] == [
        ("flip rate", "0.040"), ("flip rate with proxies", "0.200"), ("flip rate by chance", "0.300"),
    ]  # fmt: skip
    for label in ("sex and proxies", "sex, by chance"):
        assert f">{label}<" in chart.svg
    assert "only what lies above it" in chart.note


def test_of_one_change_none_is_said_to_be_the_most() -> None:
    _, chart = flip_blocks(outcome(RATES[1]))

    assert isinstance(chart, Chart)
    assert chart.answer.startswith("Answers that change with sex: a share of 0.040 (")


def test_groups_that_would_gain_or_lose_are_named_and_others_are_not() -> None:
    shifts = (
        Measure("favourable_shift", "sex=f", 0.1, 50, 0.05, 0.15),
        Measure("favourable_shift", "sex=m", -0.1, 50, -0.15, 0.01),
        Measure("favourable_shift_with_proxies", "r=R&D", -0.25, 50, -0.4, -0.125),
    )
    said = [b.text for b in flip_blocks(outcome(*shifts)) if isinstance(b, Prose)]

    would = "would get the favourable answer"
    assert said == [
        f"With another sex, rows with sex = f {would} more often: by 0.100 (0.050 to 0.150) of them.",
        f"With another r and its proxies, rows with r = R&D {would} less often: by 0.250 (0.125 to 0.400) of them.",
    ]


def test_without_a_figure_there_is_no_chart() -> None:
    blocks = flip_blocks(outcome(Measure("flip_rate", "sex", None, 40), caveats=("nothing to compare",)))

    assert len(blocks) == 1 and blocks[0].caveats == ("nothing to compare",)
    assert flip_blocks(replace(outcome(), result=None)) == []


def test_real_results_are_shown_with_every_table_that_has_rows() -> None:
    names, sex, z = two_groups(200, 1.0)
    of_table = outcome_of(case(lambda r: r[:, 0] + r[:, 1] - 1, {SEX: sex, X: z}, {"sex": names}), CHECK)
    for found in (of_table, outcome_of(reading({"he": 1.0}, TEXTS, -0.1), CHECK), outcome_of(zoo.texts(), CHECK)):
        folded = [b.summary for b in flip_blocks(found) if isinstance(b, Folded)]
        assert [t.title for t in found.result.tables if t.rows] == [
            f for f in folded if not f.startswith("What changes")
        ]


def test_hostile_groups_are_text_alone() -> None:
    z = np.linspace(-2, 2, 100)
    groups = [HOSTILE[i % len(HOSTILE)] for i in range(100)]
    record = audited(case(lambda r: r[:, 0] + r[:, 1], {SEX: np.arange(100) % 5, X: z}, {"sex": groups}))
    found = record.audit.outcome(CHECK)
    page = render(record)

    assert found.result is not None and found.result.tables[0].rows
    assert "<script>alert(1)" not in page and "<img src=x" not in page
