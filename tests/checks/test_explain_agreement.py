"""explain.agreement: methods agree on a linear model, and not on one whose gradient lies; other libraries are asked."""

from __future__ import annotations

import pytest

from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of
from tests.checks.liars import lying_gradient

CHECK = "explain.agreement"
SIZE = {"samples": 8, "passes": 10_000}
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::DeprecationWarning")


def test_methods_agree_where_the_model_leaves_no_choice() -> None:
    result = result_of(zoo.planted_patch(), CHECK, **SIZE)
    rows = {(r[0], r[1]): r for r in result.tables[0].rows}
    same = rows["LRP", "Input x gradient"]

    assert same[2] == pytest.approx(1)  # on a linear model both are w x
    assert same[5:7] == pytest.approx((1, 1))
    assert measures(result, "consensus")[""].value > 3 * measures(result, "consensus_by_chance")[""].value
    assert measures(result, "consensus_by_chance")[""].value == pytest.approx(5 / 64)


def test_methods_that_tell_different_stories_are_told_of() -> None:
    result = result_of(lying_gradient(), CHECK, **SIZE)
    rows = {(r[0], r[1]): r for r in result.tables[0].rows}

    assert rows["Input x gradient", "Occlusion"][2] < 0.2
    assert "Methods disagree" in result_of(zoo.ZOO["attention"](), CHECK, **SIZE).caveats[0]


def test_other_libraries_say_the_same_of_the_same_method() -> None:
    (table,) = (t for t in result_of(zoo.ZOO["gelu"](), CHECK, **SIZE).tables if t.title == "Beside other libraries")
    rows = {r[1]: r for r in table.rows}

    assert rows["captum InputXGradient"][2] == pytest.approx(1)
    assert rows["captum IntegratedGradients"][2] > 0.95


def test_texts_are_compared_without_other_libraries_and_one_column_is_not() -> None:
    result = result_of(zoo.texts(), CHECK, **SIZE)

    assert [t.title for t in result.tables] == ["How far the methods agree"]
    with pytest.raises(AssertionError):
        not_applicable(zoo.texts(), CHECK)
