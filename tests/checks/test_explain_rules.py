"""explain.rules: rules of models that are rules, none of models that are not, and anchors that hold what they say."""

from __future__ import annotations

import pytest
import torch

from auditor.columns import Column
from auditor.subject import Data, Model
from auditor.types import Result, Table
from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of
from tests.checks.tables import classifier, normal, regression

CHECK = "explain.rules"
AGE = Column("age", 0, 1, mean=40.0, std=10.0)


def table(result: Result, title: str) -> Table | None:
    return next((t for t in result.tables if t.title == title), None)


def rules(result: Result) -> Table | None:
    return table(result, "Rules that follow the model")


def people(rows: int, seed: int = 0) -> tuple[torch.Tensor, tuple[Column, ...]]:
    chance = torch.Generator().manual_seed(seed)
    city = torch.eye(3)[torch.randint(0, 3, (rows,), generator=chance)]
    columns = (AGE, Column("city", 1, 4, "category", ("x", "y", "z")), Column("pay", 4, 5, mean=100.0, std=50.0))
    return torch.cat([normal(rows, 1, seed), city, normal(rows, 1, seed + 1)], 1), columns


def planted(x: torch.Tensor) -> torch.Tensor:
    """Those over 43, and of the others those in y."""
    return torch.where((x[:, 0] > 0.3) | (x[:, 2] > 0.5), 3.0, -3.0)


# ---- rules -------------------------------------------------------------------------------------------------------
def test_a_model_that_is_a_small_tree_is_told_in_words_and_units() -> None:
    x, columns = people(4000)
    result = result_of(classifier(planted, x, columns), CHECK, rows=2000)
    fidelity, majority = (measures(result, n)[""] for n in ("fidelity", "majority"))
    told = rules(result)

    assert fidelity.value == pytest.approx(1, abs=2e-3) and fidelity.n == 2000
    assert majority.value == pytest.approx(0.59, abs=0.03)  # 1 - .618 * 2 / 3
    assert measures(result, "stability")[""].value == 1
    found = {str(row[0]): row for row in told.rows}
    threshold = float(next(r for r in found if r.startswith("age >")).removeprefix("age > "))
    assert threshold == pytest.approx(43, abs=0.1)
    assert {r: row[1] for r, row in found.items()} == {
        f"age > {threshold:g}": "yes",
        f"age <= {threshold:g} and city = y": "yes",
        f"age <= {threshold:g} and city is not y": "no",
    }
    shares = [row[2] for row in told.rows if isinstance(row[2], float)]
    assert len(shares) == 3 and sum(shares) == pytest.approx(1)
    assert all(row[4] <= row[3] <= row[5] and row[3] > 0.99 for row in told.rows)


def test_no_rules_are_told_of_a_model_that_has_none() -> None:
    bits = torch.randint(0, 2, (3000, 10), generator=torch.Generator().manual_seed(0)).float()
    result = result_of(classifier(lambda x: x.sum(1) % 2 - 0.5, bits), CHECK)

    assert rules(result) is None
    assert measures(result, "fidelity")[""].value < 0.6
    assert any(c.startswith("No simple rule set follows this model: fidelity 0.") for c in result.caveats)


def test_a_fidelity_that_the_commonest_answer_reaches_too_is_not_enough() -> None:
    # 5 in 100 are called yes, by a parity that no tree finds
    x = normal(3000, 8)
    result = result_of(classifier(lambda x: (x > 0).float().sum(1) % 2 + (x[:, 0] > 1.28) - 1.5, x), CHECK)

    assert measures(result, "fidelity")[""].value > 0.9
    assert rules(result) is None
    assert any("majority 0.9" in c for c in result.caveats)


def test_one_answer_for_all_rows_is_no_rule() -> None:
    result = result_of(classifier(lambda x: 0 * x[:, 0] + 1, normal(100, 2)), CHECK)

    assert rules(result) is None
    assert any("one answer for all 50 rows" in c for c in result.caveats)


def test_rules_of_a_value_say_how_far_off_they_are() -> None:
    x, columns = people(3000)
    result = result_of(regression(lambda x: 100 * (x[:, 0] > 0.3) + x[:, 4], x, columns), CHECK)
    told = rules(result)

    assert told.columns[3] == "mean distance"
    assert measures(result, "fidelity")[""].value > 0.99
    assert all(0 < row[3] < 1 for row in told.rows)
    assert measures(result, "majority") == {}
    curved = result_of(regression(lambda x: torch.sin(9 * x[:, 0]) * torch.sin(9 * x[:, 4]), x, columns), CHECK)
    assert rules(curved) is None and measures(curved, "fidelity")[""].value < 0.5


def test_the_fidelity_is_on_rows_that_the_tree_never_saw() -> None:
    # in the reference the first column decides, in the audited rows the second does: the model follows a third that
    # tells them apart
    x, reference = normal(400, 3), normal(400, 3, 1)
    x[:, 2], reference[:, 2] = 1, -1
    case = classifier(lambda x: torch.where(x[:, 2] > 0, x[:, 1], x[:, 0]), x)
    with_it = result_of(case, CHECK, Data.of(reference, torch.zeros(400).long()))

    assert measures(with_it, "fidelity")[""].value == pytest.approx(0.5, abs=0.1)
    assert with_it.caveats[0] == "The rules were learnt from 400 rows of the reference data."
    assert measures(with_it, "fidelity")[""].n == 400


def test_rules_that_change_with_the_rows_are_doubted() -> None:
    a = normal(800, 1)
    x = torch.cat([a + 0.25 * normal(800, 1, i) for i in range(1, 7)], 1)  # six columns that say nearly the same
    result = result_of(classifier(lambda x: x.mean(1), x), CHECK)

    assert len(rules(result).rows) > 1
    assert measures(result, "stability")[""].value < 0.5
    assert any("Other rows give other rules" in c for c in result.caveats)


# ---- anchors -----------------------------------------------------------------------------------------------------
def test_the_one_column_that_decides_is_the_anchor() -> None:
    x, columns = people(600)
    result = result_of(classifier(lambda x: 4 * x[:, 2] - 2, x, columns), CHECK, samples=6)
    anchors = table(result, "Anchors")

    for row in anchors.rows:
        if row[1] == "yes":
            assert row[2] == "city = y"
            assert row[6] == pytest.approx(1 / 3, abs=0.05)
        assert row[3] == 1 and row[4] > 0.99
    assert {m.n for m in measures(result, "anchor_precision").values()} == {500}
    assert {m.n for m in measures(result, "anchor_coverage").values()} == {600}
    assert not any("no anchor held" in c for c in result.caveats)


def test_where_nothing_holds_the_answer_that_is_said() -> None:
    x = normal(400, 12)
    result = result_of(classifier(lambda x: x.prod(1).sign(), x), CHECK, samples=4)  # the signs of twelve columns

    assert "In 4 of 4 rows no anchor held" in result.caveats[-1]
    assert all(m.value < 0.7 for m in measures(result, "anchor_precision").values())


def test_of_a_value_near_ones_count_as_the_same() -> None:
    x = normal(400, 2)
    x[:, 0] = (x[:, 0] > 0).float()
    columns = (Column("c0", 0, 1, "flag"), Column("c1", 1, 2))
    result = result_of(regression(lambda x: 100 * x[:, 0] + x[:, 1], x, columns), CHECK, samples=4)

    for row in table(result, "Anchors").rows:
        assert row[2] in {"c0 = 0", "c0 = 1"}
        assert row[3] == 1


# ---- what it says of odd input -----------------------------------------------------------------------------------
def test_one_column_and_columns_that_never_change_do_no_harm() -> None:
    one = result_of(classifier(lambda x: x[:, 0], normal(200, 1)), CHECK)
    x = normal(200, 3)
    x[:, 1:] = 5
    constant = result_of(classifier(lambda x: x[:, 0], x), CHECK)

    for result in (one, constant):
        assert measures(result, "fidelity")[""].value > 0.9
        assert all("c1" not in str(row) and "c2" not in str(row) for t in result.tables for row in t.rows)


def test_rows_with_nan_are_left_out() -> None:
    reference = normal(200, 2)
    reference[180:, 1] = torch.nan
    case = classifier(lambda x: x[:, 0] + 0 * x[:, 1].nan_to_num(), normal(100, 2))
    result = result_of(case, CHECK, Data.of(reference, torch.zeros(200).long()))

    assert result.caveats[0] == "20 of 200 rows hold or give NaN or infinity and are left out."
    assert result.caveats[1] == "The rules were learnt from 180 rows of the reference data."
    assert {m.n for m in measures(result, "anchor_coverage").values()} == {180}


def test_few_rows_are_too_few() -> None:
    assert "at least 8 of each" in not_applicable(classifier(lambda x: x[:, 0], normal(10, 2)), CHECK)


def test_five_hundred_columns() -> None:
    result = result_of(classifier(lambda x: x[:, 17] - x[:, 400], normal(300, 500)), CHECK, samples=1, draws=10)

    assert measures(result, "anchor_precision")


def test_inputs_that_are_no_rows_of_columns_are_none_of_its_business() -> None:
    assert "the inputs are images" in not_applicable(zoo.planted_patch(), CHECK)
    assert "the inputs are texts" in not_applicable(zoo.texts(), CHECK)
    flat = Model(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)), ("a", "b"))
    assert "neither images nor rows of columns" in not_applicable(
        zoo.Case(flat, Data.of(torch.rand(6, 3, 4), torch.zeros(6).long())), CHECK
    )
