"""explain.faithfulness: methods that show what decides beat chance, one that shows another place does not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from auditor.subject import Data, Model
from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of
from tests.checks.liars import lying_gradient

CHECK = "explain.faithfulness"
SIZE = {"samples": 14, "steps": 6, "subsets": 12, "passes": 10_000}


def additive() -> zoo.Case:
    """A linear model of twelve columns around 0: a column's share is what hiding it takes away."""
    head = nn.Linear(12, 2, bias=False)
    head.weight.data = torch.stack([-torch.linspace(0.1, 1.2, 12), torch.linspace(0.1, 1.2, 12)])
    model = Model(head, ("no", "yes"), bounds=(torch.full((12,), -9.0), torch.full((12,), 9.0)), unit=torch.ones(12))
    x = torch.randn(40, 12, generator=torch.Generator().manual_seed(3))
    return zoo.Case(model, zoo.labelled(model, x))


def test_what_decides_beats_chance_and_edges() -> None:
    result = result_of(additive(), CHECK, **SIZE)
    evidence, against = (measures(result, name) for name in ("evidence_for", "evidence_against"))

    for method in ("LRP", "Integrated gradients", "Occlusion"):
        assert evidence[f"method={method}"].value >= 3
        assert against[f"method={method}"].value == 0
    assert measures(result, "sensitivity_n")["method=LRP"].value > 0.8
    assert measures(result, "passes")[""].value > 50


def test_a_gradient_that_lies_is_worse_than_chance_and_hiding_is_not_taken_in() -> None:
    result = result_of(lying_gradient(), CHECK, **SIZE)
    evidence = measures(result, "evidence_for")

    assert evidence["method=Occlusion"].value >= 3
    assert evidence["method=Input x gradient"].value == 0
    insertion, deletion = measures(result, "insertion"), measures(result, "deletion")
    assert insertion["method=Input x gradient"].value < insertion["method=Occlusion"].value
    assert deletion["method=Input x gradient"].value > deletion["method=Occlusion"].value


def test_tables_have_every_method_beside_chance_and_the_same_figures_for_the_same_seed() -> None:
    result, again = (result_of(zoo.linear_table(), CHECK, **SIZE) for _ in range(2))

    assert result == again
    assert [t.title.partition(",")[0] for t in result.tables] == [
        "Deletion",
        "Insertion",
        "Sensitivity-n",
        "Infidelity",
    ]
    for table in result.tables:
        assert {r[0] for r in table.rows} >= {"LRP", "Occlusion", "Input x gradient"}
        assert table.columns[4:10] == (
            "chance", "beats chance", "p against chance", "the distance from the mean",
            "beats the distance from the mean", "p against the distance from the mean",
        )  # fmt: skip
        assert all(0 <= r[5] <= 1 and 0 <= r[6] <= 1 for r in table.rows)


def test_texts_and_values_are_put_to_the_test_too() -> None:
    texts = result_of(zoo.texts(), CHECK, **SIZE)
    value = Model(nn.Linear(4, 1), (), output="value")
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        values = result_of(zoo.Case(value, Data.of(x, value(x) + 0.1)), CHECK, **SIZE)

    assert any("single part" in c for c in texts.caveats)  # texts of one word have no order
    assert measures(texts, "evidence_measures")["method=LRP"].value == 4
    assert measures(values, "sensitivity_n")["method=Occlusion"].value > 0.9


def test_methods_that_cost_too_much_are_named() -> None:
    result = result_of(zoo.planted_patch(), CHECK, **(SIZE | {"passes": 1}))  # ten of small inputs

    (named,) = (c for c in result.caveats if c.endswith("(more than 10 passes a row, see `passes`)."))
    assert {"Occlusion", "SHAP", "RISE"} <= set(
        named.removeprefix("Not put to the test: ").partition(" (")[0].split(", ")
    )
    assert "method=LRP" in measures(result, "deletion")
    assert "method=Occlusion" not in measures(result, "deletion")


def test_a_black_box_is_judged_by_the_methods_that_need_no_gradient() -> None:
    class Box(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                z = x[:, 0] * 2 - x[:, 1]
                return torch.stack([-z, z], 1)

    model = Model(Box(), ("no", "yes"), bounds=(torch.full((5,), -9.0), torch.full((5,), 9.0)))
    x = torch.randn(24, 5, generator=torch.Generator().manual_seed(2))
    result = result_of(zoo.Case(model, zoo.labelled(model, x)), CHECK, **SIZE)

    assert "method=Occlusion" in measures(result, "deletion")
    assert any(c.startswith("Not put to the test:") and "LRP" in c for c in result.caveats)


def test_a_model_that_looks_at_nothing_and_inputs_of_one_column_have_no_order() -> None:
    constant = result_of(zoo.constant(), CHECK, **SIZE)
    assert all(m.value is None for m in measures(constant, "sensitivity_n").values())
    assert all(m.value == 0 for m in measures(constant, "evidence_for").values())

    one = Model(nn.Linear(1, 2), ("a", "b"), bounds=(torch.tensor([-9.0]), torch.tensor([9.0])))
    data = zoo.labelled(one, torch.randn(12, 1))
    assert "more than one column" in not_applicable(zoo.Case(one, data), CHECK)
    with pytest.raises(AssertionError):
        not_applicable(zoo.linear_table(), CHECK)
