"""Proxies in a report: a chart for each attribute, and the sentence that its figures allow."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from auditor.audit import run
from auditor.columns import Column, Labels
from auditor.selection import Selection
from auditor.types import Limit, Outcome, Policy
from reports.parts import Chart, CheckHead
from reports.pillars.proxies import proxies
from tests import zoo
from tests.checks.audited import outcome_of
from tests.checks.tables import classifier, normal

CHECK = "fairness.proxies"


def outcome(x: Tensor, groups: dict[str, list[str]], columns: tuple[Column, ...] = ()) -> Outcome:
    case = classifier(lambda x: x[:, 0], x, columns)
    named = {a: Labels.of(names) for a, names in groups.items()}
    return outcome_of(zoo.Case(case.model, replace(case.data, groups=named)), CHECK)


def charts(o: Outcome) -> list[Chart]:
    head, *found = proxies(o)
    assert isinstance(head, CheckHead) and all(isinstance(c, Chart) for c in found)
    return found


def shifted(by: float) -> tuple[Tensor, list[str]]:
    x, sex = normal(400, 3), ["f", "m"] * 200
    x[1::2, 2] += by
    return x, sex


def test_it_says_in_how_many_pairs_a_group_is_told() -> None:
    x, sex = shifted(2.0)
    (chart,) = charts(outcome(x, {"sex": sex}))

    assert chart.title == "What tells sex."
    assert chart.answer.startswith("All inputs tell which of two rows is of which group in 89 of 100 pairs")
    assert chart.answer.endswith(" (50 by chance); c2 alone in 90.")
    assert chart.figures is not None
    assert [row[0] for row in chart.figures.rows[:2]] == ["all inputs", "c2"]
    assert chart.svg.count(">c2<") == 2  # wide and narrow


def test_a_limit_marks_what_it_judged() -> None:
    x, sex = shifted(2.0)
    case = classifier(lambda x: x[:, 0], x)
    data = replace(case.data, groups={"sex": Labels.of(sex)})
    policy = Policy("p", (Limit(CHECK, "column_auc", "sex&column=c2", fail_above=0.6),))
    o = run(case.model, data, selection=Selection("quick", (CHECK,)), policy=policy).outcome(CHECK)
    assert o is not None
    (chart,) = charts(o)

    assert chart.svg.count('class="m fail"') == 2  # wide and narrow, of one row


def test_where_nothing_was_found_it_says_so() -> None:
    x, sex = shifted(0.0)
    (chart,) = charts(outcome(x, {"sex": sex}))

    assert chart.answer == (
        "Nothing was found that tells which of two rows is of which group: the interval does not lie above 0.5."
    )


def test_of_more_groups_the_one_told_best_is_named() -> None:
    x = normal(600, 2)
    x[::3, 1] += 3.0
    (chart,) = charts(outcome(x, {"race": ["a", "b", "c"] * 200}))

    assert chart.answer.startswith("All inputs tell a row of a from another in 9")
    assert "; c1 alone in 9" in chart.answer


def test_the_attribute_itself_is_not_what_gives_it_away() -> None:
    x, sex = shifted(2.0)
    x[:, 0] = torch.tensor([float(s == "m") for s in sex])
    columns = (Column("sex", 0, 1, "flag"), Column("none", 1, 2), Column("proxy", 2, 3))
    (chart,) = charts(outcome(x, {"sex": sex}, columns))
    (alone,) = charts(outcome(x[:, :1], {"sex": sex}, columns[:1]))

    assert chart.answer.startswith("All but itself tell which of two rows is of which group in 89 of 100 pairs")
    assert chart.answer.endswith("; proxy alone in 90.")
    assert alone.answer == "The attribute is the only input."


def test_an_attribute_of_one_group_has_no_chart() -> None:
    x, sex = shifted(0.0)

    assert charts(outcome(x, {"sex": ["f"] * 400})) == []
    assert len(charts(outcome(x, {"sex": ["f"] * 400, "race": sex}))) == 1


def test_names_are_text() -> None:
    x, sex = shifted(2.0)
    columns = tuple(Column(name, i, i + 1) for i, name in enumerate(("a", "b", "<script>")))
    (chart,) = charts(outcome(x, {"sex": sex}, columns))

    assert "<script>" not in chart.svg and "&lt;script&gt;" in chart.svg
