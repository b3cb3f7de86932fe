"""Consistency in a report: who agrees with their like, and with their like of another group."""

from __future__ import annotations

from dataclasses import replace

from auditor.audit import run
from auditor.columns import Labels
from auditor.selection import Selection
from auditor.types import Limit, Outcome, Policy
from reports.parts import Chart, CheckHead
from reports.pillars.consistency import consistency
from tests import zoo
from tests.checks.audited import outcome_of
from tests.checks.tables import classifier, normal

CHECK = "fairness.consistency"


def case(by_group: float, race: list[str]) -> zoo.Case:
    """Answers by a column that says nothing of race, and by race as far as `by_group`."""
    x = normal(len(race), 2)
    x[:, 1] = 0.0
    x[: len(race) // 2, 1] = by_group
    made = classifier(lambda x: x[:, 0] + x[:, 1] - x[:, 1].mean(), x)
    return zoo.Case(made.model, replace(made.data, groups={"race": Labels.of(race)}))


def charts(o: Outcome) -> list[Chart]:
    head, *found = consistency(o)
    assert isinstance(head, CheckHead) and all(isinstance(c, Chart) for c in found)
    return found


def test_groups_stand_below_all_rows_and_what_chance_would_reach_is_said() -> None:
    levels, _ = charts(outcome_of(case(0.0, ["a", "b"] * 100), CHECK))

    assert levels.title == "Rows that are alike, and agree."
    assert levels.answer == (
        "Of 100 of its nearest rows 100 get a row's answer; answers dealt out at random would reach 50."
    )
    assert levels.svg.count(">race = a<") == 2  # wide and narrow


def test_where_the_groups_are_treated_alike_it_is_chance() -> None:
    _, across = charts(outcome_of(case(0.0, ["a", "b"] * 100), CHECK))

    assert across.title == "Alike, and of another group, by race."
    assert across.answer == (
        "0 of 100 rows differ from their like of another group, 0 from that of their own: no more than chance makes of "
        "it."
    )
    assert across.figures is not None
    assert [row[0] for row in across.figures.rows] == ["race", "a", "b"]
    assert across.figures.columns[:4] == ("group", "same group", "another group", "difference")


def test_what_is_more_than_chance_is_said_and_a_limit_marks_it() -> None:
    """The answer turns with the group, which is an input under its own name and does not count in what is alike."""
    race = ["a"] * 100 + ["b"] * 100
    made = case(50.0, race)
    columns = tuple(replace(c, name=name) for c, name in zip(made.data.columns, ("x", "race"), strict=True))
    policy = Policy("p", (Limit(CHECK, "cross_group_excess", "race", fail_above=0.05),))
    audit = run(made.model, replace(made.data, columns=columns), selection=Selection(only=(CHECK,)), policy=policy)
    o = audit.outcome(CHECK)
    assert o is not None
    _, across = charts(o)

    assert across.answer == (
        "100 of 100 rows differ from their like of another group, 0 from that of their own: 100 more, beyond chance."
    )
    assert o.judgements[0].status == "fail"
    assert 'class="m fail"' in across.svg


def test_an_attribute_of_one_group_has_no_chart_of_its_own() -> None:
    assert len(charts(outcome_of(case(0.0, ["a"] * 60), CHECK))) == 1
