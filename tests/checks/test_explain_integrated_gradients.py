"""explain.integrated_gradients: shares that add up from every kind of baseline, and patients on whom they do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.explained.samples import SPECIAL
from auditor.subject import Data, Model
from auditor.types import Result, Scalar, Status
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, outcome_of, result_of
from tests.shared import needs_shared, real

CHECK = "explain.integrated_gradients"


def value(result: Result, name: str) -> float | None:
    return measures(result, name)[""].value


def table(result: Result, title: str) -> tuple[tuple[Scalar, ...], ...]:
    (found,) = [t for t in result.tables if t.title == title]
    return found.rows


class Function(nn.Module):
    """Logits (-v, v) of a function v of rows."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        v = self.function(x)
        return torch.stack([-v, v], 1)


def rows_of(function: object, columns: int = 4) -> zoo.Case:
    model = Model(Function(function), ("no", "yes"), bounds=(torch.full((columns,), -9.0), torch.full((columns,), 9.0)))
    return zoo.Case(model, zoo.labelled(model, torch.randn(24, columns, generator=torch.Generator().manual_seed(0))))


# ---- what is shown ---------------------------------------------------------------------------------------------------
def test_all_shares_lie_on_the_planted_patch() -> None:
    case = zoo.planted_patch()
    arrays = arrays_of(case.model, case.data, CHECK, samples=6)
    maps = [a for name, a in arrays.items() if name.startswith(f"{CHECK}/row-")]

    assert len(maps) == 6
    for shares in maps:
        assert np.abs(shares[zoo.PATCH]).sum() == pytest.approx(np.abs(shares).sum(), rel=1e-5)
        assert np.abs(shares).sum() > 0.1
    assert {arrays[f"{CHECK}/{name}"].shape for name in ("black", "mean", "blurred", "expected")} == {(6, 8, 8)}


def test_the_bars_are_the_change_from_the_mean_row_with_categories_as_one() -> None:
    case = zoo.categories()
    result = result_of(case, CHECK, samples=3, steps=512)
    x = case.data.read(np.arange(zoo.ROWS))
    with torch.no_grad():
        z, base = case.model(x), case.model(x.mean(0, keepdim=True))[0]

    for shown in result.tables[:3]:
        row = int(shown.title.removeprefix("row ").partition(":")[0])
        change = float((z[row] - base)[int(z[row].argmax())])
        error = measures(result, "completeness_error")[f"row={row}"].value or 0
        assert {r[0] for r in shown.rows} == {"age", "member", "city"}
        assert sum(float(r[2] or 0) for r in shown.rows) == pytest.approx(change, abs=0.011 * abs(change) + 1e-5)
        assert error < 0.01


def test_the_words_add_up_to_the_change_from_no_words() -> None:
    case = zoo.texts()
    result = result_of(case, CHECK, samples=4, baseline="zero")
    assert isinstance(case.model.module, zoo.Bag)
    head = case.model.module.head

    for shown in result.tables[:4]:
        row = int(shown.title.removeprefix("row ").partition(":")[0])
        ids = case.data.read(np.array([row]))
        z = case.model(ids)[0].detach()
        label = int(z.argmax())
        words = [r[0] for r in shown.rows if r[0] != SPECIAL]
        assert words == [f"word{i}" for i in ids[0][ids[0] >= 0].tolist()]
        total = sum(float(r[1] or 0) for r in shown.rows)
        assert total == pytest.approx(float(z[label] - head.bias.detach()[label]), abs=1e-4)


@pytest.mark.parametrize(
    ("case", "names"),
    [
        (zoo.planted_patch, ["black", "mean", "blurred", "expected"]),
        (zoo.categories, ["mean", "zero", "median", "expected"]),
        (zoo.several_inputs, ["mean", "zero", "median", "expected"]),
        (zoo.texts, ["mean", "zero", "padding", "expected"]),
    ],
)
def test_three_baselines_by_kind_of_input_and_many_by_chance(case: object, names: list[str]) -> None:
    result = result_of(case(), CHECK, samples=2)

    assert [row[0] for row in table(result, "Baselines")] == names
    assert len(table(result, "How far the baselines agree")) == 6


def test_another_baseline_can_be_the_main_one() -> None:
    case = zoo.planted_patch()
    usual, blurred = (result_of(case, CHECK, samples=2, baseline=b) for b in ("usual", "blurred"))

    assert "the black baseline: the lower end" in usual.caveats[0]
    assert "the blurred baseline: the image under a Gaussian blur" in blurred.caveats[0]
    assert blurred.images[1].alt.startswith("Integrated gradients from blurred")


def test_the_reference_is_where_means_come_from() -> None:
    case = zoo.categories()
    x = case.data.read(np.arange(zoo.ROWS))
    reference = Data.of(x + 1, torch.from_numpy(case.data.y))
    with_it, without = (result_of(case, CHECK, r, samples=2) for r in (reference, None))

    assert "the mean of 24 rows of the reference data" in with_it.caveats[0]
    assert "of the audited data, as no reference was given" in without.caveats[0]
    assert with_it.tables[0].rows != without.tables[0].rows


def test_a_models_value_is_split_as_a_logit_is() -> None:
    head = nn.Linear(3, 1)
    x = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
    case = zoo.Case(Model(head, (), output="value", bounds=(-9.0, 9.0)), Data.of(x, torch.randn(24)))
    result = result_of(case, CHECK, samples=3)

    for shown in result.tables[:3]:
        row = int(shown.title.removeprefix("row ").partition(":")[0])
        expected = (x[row] - x.mean(0)) * head.weight[0].detach()
        found = {str(r[0]): r[2] for r in shown.rows}
        assert [found[f"x[{i}]"] for i in range(3)] == pytest.approx(expected.tolist(), abs=1e-5)


# ---- patients --------------------------------------------------------------------------------------------------------
def test_a_logit_that_no_step_can_follow_is_unresolved() -> None:
    result = result_of(rows_of(lambda x: torch.sin(3e4 * x.sum(1))), CHECK, samples=4, steps=512)

    assert value(result, "unresolved") == 1.0
    assert (value(result, "completeness_error") or 0) > 0.5
    assert value(result, "steps") == 512
    assert any("In 4 of 4 rows the shares are off by more than 1 %" in c for c in result.caveats)


def test_a_smooth_logit_is_resolved_with_the_fewest_steps() -> None:
    smooth = rows_of(lambda x: torch.tanh(x @ torch.tensor([3.0, -2.0, 1.0, 0.5]) / 4))
    result = result_of(smooth, CHECK, samples=0, steps=512, draws=32)
    unresolved = measures(result, "unresolved")[""]

    assert (unresolved.value, unresolved.n) == (0.0, 24)
    assert unresolved.high is not None and unresolved.high < 0.2
    assert (value(result, "completeness_error") or 0) < 0.01
    assert value(result, "steps") == 16
    assert (value(result, "baseline_agreement") or 0) > 0.9
    assert not any("depends on the baseline" in c for c in result.caveats)


def test_products_have_other_shares_from_every_baseline() -> None:
    case = rows_of(lambda x: (x[:, ::2] * x[:, 1::2]).sum(1), columns=8)
    moved = zoo.Case(case.model, Data.of(case.data.read(np.arange(24)) + 4, torch.zeros(24).long()))
    result = result_of(moved, CHECK, samples=6, baseline="zero")
    agreement = value(result, "baseline_agreement")

    assert agreement is not None and agreement < 0.7
    assert any(f"The baselines agree by {agreement:.2f}" in c for c in result.caveats)
    assert min(float(row[5] or 0) for row in table(result, "How far the baselines agree")) < 0.7


def test_a_row_that_is_the_baseline_has_no_error_and_is_counted() -> None:
    x = zoo.images()
    x[:3] = 0
    case = zoo.planted_patch()
    data = zoo.labelled(case.model, x)
    result = result_of(zoo.Case(case.model, data), CHECK, samples=0)
    each = measures(result, "completeness_error")

    assert [each[f"row={i}"].value for i in range(3)] == [None] * 3
    assert measures(result, "unresolved")[""].n == 21
    assert any("In 3 of 24 rows all shares are 0, which says nothing" in c for c in result.caveats)


def test_probabilities_are_said_to_be_explained_by_their_logarithm() -> None:
    case = zoo.softmax_output()
    assert any("logarithm of the predicted class's" in c for c in result_of(case, CHECK, samples=2).caveats)
    assert not any("logarithm" in c for c in result_of(zoo.planted_patch(), CHECK, samples=2).caveats)


@needs_shared
@pytest.mark.parametrize("name", ["mnist_kw", "cifar10_vit_ibp"])
def test_real_models_are_resolved(name: str) -> None:
    opened = real(name)
    result = result_of(zoo.Case(opened.model, opened.data.take(20, 0)), CHECK, samples=3, draws=4, steps=512)

    assert 0 < (value(result, "completeness_error") or 0) < 0.015


# ---- what it does not apply to ---------------------------------------------------------------------------------------
def test_inputs_that_are_neither_pictures_nor_columns_do_not_apply() -> None:
    model = Model(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), ("a", "b"))
    case = zoo.Case(model, Data.of(torch.rand(6, 3, 4), torch.zeros(6).long()))

    assert "neither images nor rows of columns" in not_applicable(case, CHECK)


def test_a_model_whose_gradient_is_lost_has_no_map_of_zeros() -> None:
    lost = rows_of(lambda x: x.sum(1).round() + 0 * x.sum(1))
    constant = zoo.constant()

    assert "gradient is 0 all the way" in not_applicable(lost, CHECK, samples=4)
    assert "the logit does not change" in not_applicable(constant, CHECK)


def test_a_program_without_gradients_does_not_apply() -> None:
    case = zoo.planted_patch()

    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = case.model.module

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x.detach())

    program = torch.jit.trace(Cut().eval(), case.data.read(np.array([0])))
    model = replace(case.model, module=program)

    assert "no gradient to its input" in not_applicable(zoo.Case(model, case.data), CHECK)


def test_a_program_is_explained_as_it_is() -> None:
    case = zoo.planted_patch()
    program = torch.jit.trace(case.model.module.eval(), case.data.read(np.array([0])))
    found, own = (
        arrays_of(m, case.data, CHECK, samples=2)[f"{CHECK}/black"]
        for m in (replace(case.model, module=program), case.model)
    )

    assert np.allclose(found, own, atol=1e-6)


def test_a_baseline_that_the_inputs_have_not_is_named_with_those_they_have() -> None:
    outcome = outcome_of(zoo.categories(), CHECK, samples=2, baseline="black")

    assert outcome.status is Status.NOT_APPLICABLE
    assert "no baseline 'black' for these inputs; expected one of: zero, mean, median, expected" in outcome.reason
