"""explain.global: what the model relies on, and in which direction, where that is known by construction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from auditor.checks.explain_global import explain_global
from auditor.columns import Column
from auditor.errors import NotApplicable
from auditor.registry import Context
from auditor.subject import Data, Model
from auditor.tabular import usable
from auditor.types import Result, Table
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, result_of
from tests.checks.tables import Function, classifier, normal, regression

CHECK = "explain.global"


def curves(result: Result) -> dict[str, Table]:
    before = "The answer at each value of "
    return {t.title.removeprefix(before): t for t in result.tables if t.title.startswith(before)}


def column(table: Table, name: str) -> list[Any]:
    return [row[table.columns.index(name)] for row in table.rows]


def values(result: Result, name: str) -> dict[str, Any]:
    return {s.removeprefix("column="): m.value for s, m in measures(result, name).items()}


# ---- importance --------------------------------------------------------------------------------------------------
def test_a_model_that_decides_by_one_column_loses_half_without_it_and_nothing_without_others() -> None:
    result = result_of(classifier(lambda x: 5 * x[:, 0], normal(400, 3)), CHECK, rows=0, repeats=4)
    first, *others = measures(result, "permutation_importance").values()

    # the targets are its answers; another row's sign is the other one in half of the cases
    assert first.value == pytest.approx(0.5, abs=0.05)
    assert first.low < 0.5 < first.high and first.n == 400
    assert [(m.value, m.low, m.high) for m in others] == [(0, 0, 0)] * 2
    assert [row[0] for row in result.tables[0].rows] == ["c0", "c1", "c2"]


def test_the_mean_size_of_shapley_values_of_a_linear_value_is_that_of_its_weights_times_the_deviations() -> None:
    """phi_i = w_i (x_i - mean x_i), so the mean size is about |w_i| times the mean deviation."""
    x = normal(200, 20)
    weights = torch.zeros(20)
    weights[:3] = torch.tensor([2.0, -1.0, 0.5])
    found = measures(result_of(regression(lambda x: x @ weights, x), CHECK, rows=0, shap=200), "mean_absolute_shap")

    for i, m in enumerate(found.values()):
        assert m.n == 200
        if i < 3:
            expected = float((weights[i] * (x[:, i] - x[:, i].mean())).abs().mean())
            assert m.value == pytest.approx(expected, rel=0.1)  # against 32 of the rows
            assert m.low < m.value < m.high
        else:
            assert m.value == pytest.approx(0, abs=1e-5)


def test_both_columns_of_an_exclusive_or_matter() -> None:
    result = result_of(classifier(lambda x: 5 * x[:, 0] * x[:, 1], normal(400, 3)), CHECK, rows=0)
    found = values(result, "permutation_importance")

    assert found["c0"] == pytest.approx(0.5, abs=0.05) and found["c1"] == pytest.approx(0.5, abs=0.05)
    assert found["c2"] == 0
    mean_answer = column(curves(result)["c0"], "difference")
    low, high = (column(curves(result)["c0"], f"{p} % of rows") for p in (10, 90))
    assert max(map(abs, mean_answer)) < 0.15  # the average hides it
    assert min(low) < -0.4 and max(high) > 0.4  # the rows' own curves do not


def test_correlated_copies_are_worth_much_apart_and_nothing_beside_each_other() -> None:
    a = normal(600, 1)
    x = torch.cat([a, a + 0.02 * normal(600, 1, 1), normal(600, 1, 2)], 1)
    result = result_of(classifier(lambda x: 3 * x[:, 0] + 3 * x[:, 1] + 2 * x[:, 2], x), CHECK, rows=0)
    marginal, conditional = (values(result, f"{n}_importance") for n in ("permutation", "conditional"))

    assert min(marginal["c0"], marginal["c1"]) > 0.15
    assert max(conditional["c0"], conditional["c1"]) < 0.02
    assert conditional["c2"] == pytest.approx(marginal["c2"], abs=0.04)  # nothing goes with it
    assert any("c0 and c1 (1.00)" in c for c in result.caveats)


def test_of_a_value_importance_is_the_rise_of_the_mean_error() -> None:
    x = normal(500, 2)
    result = result_of(regression(lambda x: 3 * x[:, 0] + 0 * x[:, 1], x), CHECK, rows=0, repeats=8)
    apart = (x[:, 0][:, None] - x[:, 0]).abs().sum() / (500 * 499)  # of all pairs of other rows
    found = measures(result, "permutation_importance")

    assert found["column=c0"].value == pytest.approx(3 * float(apart), rel=0.05)
    assert found["column=c1"].value == 0
    assert any("of the value, over 500 rows" in c for c in result.caveats)


def test_where_no_answer_becomes_wrong_there_is_no_interval() -> None:
    result = result_of(classifier(lambda x: 4 + 0.5 * x[:, 0], normal(100, 2)), CHECK, rows=0)
    moves, still = measures(result, "permutation_importance").values()

    assert (moves.value, moves.low, moves.high) == (0, None, None)
    assert (still.value, still.low, still.high) == (0, 0, 0)


def test_what_costs_accuracy_for_certain_comes_first_then_what_moves_the_answer() -> None:
    # c2 decides; c1 moves the answer further than c0, and neither ever turns it
    case = classifier(lambda x: x[:, 2].sign() + 0.1 * x[:, 1].tanh() + 0.05 * x[:, 0].tanh(), normal(300, 3))
    table = result_of(case, CHECK, rows=0).tables[0]

    assert [row[0] for row in table.rows] == ["c2", "c1", "c0"]
    assert table.rows[1][7] > table.rows[2][7] and table.rows[1][1] == table.rows[2][1] == 0


# ---- curves ------------------------------------------------------------------------------------------------------
def test_of_a_line_partial_dependence_and_ale_are_the_line_in_the_units_of_the_file() -> None:
    columns = (Column("age", 0, 1, mean=40.0, std=10.0), Column("other", 1, 2))
    x = normal(300, 2)
    table = curves(result_of(regression(lambda x: 3 * x[:, 0] + x[:, 1], x, columns), CHECK, rows=0))["age"]
    line = [0.3 * (v - 40 - 10 * float(x[:, 0].mean())) for v in column(table, "at")]

    assert column(table, "ALE") == pytest.approx(line, abs=1e-3)
    assert column(table, "difference") == pytest.approx(line, abs=1e-3)
    assert column(table, "10 % of rows") == pytest.approx(column(table, "90 % of rows"), abs=1e-4)
    assert sum(column(table, "share of rows")) == pytest.approx(1)


def test_the_curves_of_single_rows_are_kept() -> None:
    case = classifier(lambda x: x[:, 0] + x[:, 1], normal(120, 2))
    arrays = arrays_of(case.model, case.data, CHECK, rows=0, grid=5)

    assert {n: a.shape for n, a in arrays.items()} == {f"{CHECK}/ice-{i}": (50, 5) for i in range(2)}
    assert (np.diff(arrays[f"{CHECK}/ice-0"]) > 0).all()


def test_a_model_that_rises_with_a_column_has_no_violation_and_one_that_turns_has() -> None:
    x = normal(200, 2)
    rising = result_of(regression(lambda x: torch.exp(x[:, 0]) - x[:, 1] ** 3, x), CHECK, rows=0)
    turning = result_of(regression(lambda x: x[:, 0] ** 2 * (1 + x[:, 1].sign()) + x[:, 1], x), CHECK, rows=0)

    assert set(values(rising, "monotonicity_violations").values()) == {0}
    assert [row[1] for row in rising.tables[-1].rows] == ["falls", "rises"]
    (m,) = [m for s, m in measures(turning, "monotonicity_violations").items() if s == "column=c0"]
    turned = float((x[:, 1] > 0).float().mean())  # the others' curves are flat
    assert m.value == pytest.approx(turned) and m.low < turned < m.high
    (row,) = [row for row in turning.tables[-1].rows if row[0] == "c0"]
    assert row[2:5] == pytest.approx((turned, turned, turned))


def test_ale_range_is_the_height_of_the_line() -> None:
    x = normal(300, 2)
    found = values(result_of(regression(lambda x: 2 * x[:, 0] - x[:, 1], x), CHECK, rows=0), "ale_range")
    span = (x.amax(0) - x.amin(0)).double()

    assert found == {"c0": pytest.approx(2 * float(span[0]), rel=1e-4), "c1": pytest.approx(float(span[1]), rel=1e-4)}


def test_categories_and_flags_have_curves_without_an_order() -> None:
    result = result_of(zoo.categories(), CHECK)

    assert column(curves(result)["city"], "at") == ["x", "y", "z"]
    assert column(curves(result)["member"], "at") == [0, 1]
    assert column(curves(result)["city"], "ALE") == [None] * 3
    assert set(values(result, "ale_range")) == {"age"}


# ---- what it says of odd input -----------------------------------------------------------------------------------
def test_a_model_that_gives_one_answer_is_told_in_words() -> None:
    result = result_of(classifier(lambda x: 0 * x[:, 0] + 1, normal(60, 3)), CHECK)

    assert "depends on none of the columns" in result.caveats[0]
    assert set(values(result, "permutation_importance").values()) == {0}
    assert set(values(result, "monotonicity_violations").values()) == {0}


def test_a_column_that_never_changes_is_worth_nothing_and_has_no_curve() -> None:
    x = normal(60, 3)
    x[:, 1] = 7
    result = result_of(classifier(lambda x: x[:, 0] + x[:, 1] - 7, x), CHECK)

    assert values(result, "permutation_importance")["c1"] == 0
    assert "c1" not in curves(result) and "c1" not in values(result, "ale_range")
    assert any("One value in all of these rows" in c and c.endswith("c1.") for c in result.caveats)


def test_a_model_no_better_than_the_commonest_class_is_doubted() -> None:
    case = zoo.biased_table()  # wrong in every row

    assert any("always naming the commonest class" in c for c in result_of(case, CHECK).caveats)
    assert not any("commonest class" in c for c in result_of(zoo.linear_table(), CHECK).caveats)


def test_one_column_is_enough() -> None:
    result = result_of(classifier(lambda x: 4 * x[:, 0], normal(80, 1)), CHECK)

    assert values(result, "permutation_importance")["c0"] > 0.3
    assert values(result, "conditional_importance") == values(result, "permutation_importance")


def test_rows_with_nan_are_left_out_and_counted() -> None:
    x = normal(60, 2)
    x[55:, 1] = torch.nan
    case = classifier(lambda x: x[:, 0] + x[:, 1].nan_to_num(), x)
    result = explain_global(Context(case.model, case.data), rows=0, repeats=2, grid=4, shap=9)

    assert result.caveats[0] == "5 of 60 rows hold or give NaN or infinity and are left out."
    assert {m.n for m in result.measures if m.name != "mean_absolute_shap"} == {55}
    with pytest.raises(NotApplicable, match="0 rows can be used, 5 more hold or give NaN or infinity; at least 2"):
        usable(Context(case.model, case.data), case.data.at(np.arange(55, 60)))


def test_nan_for_rows_that_do_not_occur_is_told_in_words() -> None:
    a = normal(60, 1)
    odd = classifier(lambda x: torch.where((x[:, 0] - x[:, 1]).abs() > 0.5, torch.nan, x[:, 0]), torch.cat([a, a], 1))

    assert "NaN or infinity for rows made of values that occur" in not_applicable(odd, CHECK)


def test_names_that_are_equal_or_hostile_stay_apart() -> None:
    columns = (Column("<b>a&x=1", 0, 1), Column("a", 1, 2), Column("a", 2, 3))
    found = values(result_of(classifier(lambda x: x.sum(1), normal(60, 3), columns), CHECK), "permutation_importance")

    assert list(found) == ["<b>a&x=1", "a (1)", "a (2)"]


def test_of_five_hundred_columns_the_strongest_are_shown() -> None:
    x = normal(120, 500)
    result = result_of(classifier(lambda x: 3 * x[:, 17] + x[:, 400], x), CHECK, repeats=1, grid=4)

    assert len(result.tables[0].rows) == 40
    assert [row[0] for row in result.tables[0].rows[:2]] == ["c17", "c400"]
    assert len(values(result, "permutation_importance")) == 500
    assert len(values(result, "conditional_importance")) == 40
    assert len(curves(result)) == 6
    assert any("40 strongest of 500" in c for c in result.caveats)


def test_of_several_classes_the_commonest_answer_is_followed() -> None:
    x = normal(90, 2)
    model = Model(Function(lambda x: torch.stack([x[:, 0], 2 + x[:, 1], -x[:, 0]], 1)), ("a", "b", "c"), (-50.0, 50.0))
    case = zoo.Case(model, Data.of(x, torch.zeros(90).long()))

    assert any("the probability of 'b'" in c for c in result_of(case, CHECK).caveats)


def test_inputs_that_are_no_rows_of_columns_are_none_of_its_business() -> None:
    assert "the inputs are images" in not_applicable(zoo.planted_patch(), CHECK)
    assert "the inputs are texts" in not_applicable(zoo.texts(), CHECK)
    flat = Model(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)), ("a", "b"))
    assert "neither images nor rows of columns" in not_applicable(
        zoo.Case(flat, Data.of(torch.rand(6, 3, 4), torch.zeros(6).long())), CHECK
    )
