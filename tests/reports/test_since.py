"""The baseline in the report: beside the figures of tables, and in what was audited."""

from __future__ import annotations

import re

from auditor.comparing.baseline import against
from auditor.policy import judge
from auditor.schema import digest_of
from auditor.stats import rate
from auditor.store import Record
from auditor.types import Limit, Measure, Policy, Status, Verdict
from reports.html import render
from reports.parts import Chart, Folded, Grid, measures_grid
from reports.since import beside_baseline, fixed
from tests.reports.compared import ACCURACY, outcome, record, right
from tests.reports.records import record as of_zoo
from tests.reports.test_html import Page

FIRST, SECOND = [1.0] * 95 + [0.0] * 5, [1.0] * 60 + [0.0] * 40


def beside(block: object, found: Record) -> object:
    (made,) = beside_baseline(found.audit, ACCURACY, [block])
    return made


def test_a_table_of_figures_gets_the_baselines_and_the_change_of_each() -> None:
    known = right(SECOND).audit.outcomes[0].measures
    bare, new = Measure("majority_share", "", 0.5, 100), rate("recall", 3, 4, slice="class=a")
    before = record(
        outcome(ACCURACY, *right(FIRST).audit.outcomes[0].measures, Measure("majority_share", "", 0.4, 100))
    )
    after = against(before, record(outcome(ACCURACY, *known, bare, new)))
    grid = measures_grid("x", [*known, bare, new])

    made = beside(grid, after)

    assert isinstance(made, Grid)
    assert made.columns == (*grid.columns, "baseline", "change since")
    shift = after.audit.baseline.shift(ACCURACY, "accuracy", "")
    ends = f"{shift.low:+.3f} to {shift.high:+.3f}".replace("-", "\N{MINUS SIGN}")
    assert [row[-2:] for row in made.rows] == [
        ["0.950", f"\N{MINUS SIGN}0.350 ({ends})"], ["0.400", "+0.100"], ["not measured", ""],
    ]  # fmt: skip
    assert [row[:-2] for row in made.rows] == grid.rows


def test_tables_behind_clicks_and_charts_get_them_too_and_others_do_not() -> None:
    after = against(right(FIRST), right(SECOND))
    grid = measures_grid("x", after.audit.outcomes[0].measures)
    plain = Grid("y", ("a",), [["b"]])

    folded, chart = beside(Folded("z", [grid, plain]), after), beside(Chart("t", "a", grid.key, grid), after)

    assert isinstance(folded, Folded) and isinstance(chart, Chart) and chart.figures is not None
    assert [len(g.columns) for g in folded.blocks] == [len(grid.columns) + 2, 1]
    assert len(chart.figures.columns) == len(grid.columns) + 2


def test_without_a_baseline_nothing_changes() -> None:
    grid = measures_grid("x", right(SECOND).audit.outcomes[0].measures)

    assert beside(grid, right(SECOND)) is grid
    assert "Since the baseline" not in render(of_zoo("biased_table"))


def test_the_report_names_its_baseline_and_has_it_beside_its_figures() -> None:
    first = of_zoo("biased_table")
    html = render(against(first, first))
    words = Page(html).words

    assert first.audit.verdict is not Verdict.PASS
    assert f"Baseline zoo 1.0 Its record audit.json, sha256 {digest_of(first.audit)[:12]}" in words
    assert re.search(r"Findings 0 new, 0 fixed, 0 worse, 0 better, [1-9]\d* unchanged", words)
    tables = re.findall(r"<table>.*?</table>", html, re.DOTALL)
    captions = {re.search(r"<span>(.*?)</span>", t)[1] for t in tables if ">change since</th>" in t}
    assert {"Accuracy of all rows, and recall by class", "Accuracy by size of change"} < captions
    assert any(caption.startswith("By group: what each criterion asks for") for caption in captions)


def test_a_finding_is_fixed_only_where_its_limit_is_met() -> None:
    """Not where its check ran with other settings than the policy asks for, so that nothing judged it."""
    policy = Policy("p", (Limit(ACCURACY, "accuracy", fail_below=0.9, settings={"of": 1}),))

    def of(scores: list[float], setting: int) -> Record:
        found = right(scores, params={"of": setting})
        return Record(judge(found.audit, policy), found.arrays)

    before = of(SECOND, 1)
    assert before.audit.outcomes[0].status is Status.FAIL
    assert [s.check for s in fixed(against(before, of(FIRST * 3, 1)).audit)] == [ACCURACY]
    assert list(fixed(against(before, of(FIRST * 3, 2)).audit)) == []
