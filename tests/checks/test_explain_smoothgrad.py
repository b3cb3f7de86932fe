"""explain.smoothgrad: shares where the model looks, how far noise moves them, and patients without a gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.explained.samples import SPECIAL
from auditor.subject import Data, Model
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, result_of

CHECK = "explain.smoothgrad"


class Wiggly(nn.Module):
    """A smooth logit with fine ripples, whose slopes are `steep` times larger."""

    def __init__(self, steep: float) -> None:
        super().__init__()
        self.register_buffer("weight", torch.linspace(-1, 1, 12))
        self.steep = steep

    def forward(self, x: Tensor) -> Tensor:
        z = (x * self.weight).sum(1) + self.steep * torch.sin(40 * x).sum(1) / 40
        return torch.stack([-z, z], 1)


def rows_of(module: nn.Module) -> zoo.Case:
    model = Model(module, ("no", "yes"), bounds=(torch.full((12,), -9.0), torch.full((12,), 9.0)))
    return zoo.Case(model, zoo.labelled(model, torch.randn(24, 12, generator=torch.Generator().manual_seed(0))))


def test_all_shares_lie_on_the_planted_patch_with_noise_and_without() -> None:
    case = zoo.planted_patch()
    arrays = arrays_of(case.model, case.data, CHECK, samples=3)
    maps = {name: a for name, a in arrays.items() if "row-" in name and name.startswith(CHECK)}

    assert len(maps) == 6
    for shares in maps.values():
        assert np.abs(shares[zoo.PATCH]).sum() == pytest.approx(np.abs(shares).sum(), rel=1e-4)
        assert np.abs(shares).sum() > 0.1
    inside = arrays[f"{CHECK}/sensitivity"][:, *zoo.PATCH]
    assert np.allclose(inside, 1 / 9, atol=1e-5)  # the model's own weights, whatever the input


def test_one_hot_columns_are_one_bar_in_both_tables() -> None:
    result = result_of(zoo.categories(), CHECK, samples=2)

    assert [t.columns[2] for t in result.tables] == ["SmoothGrad x input"] * 2 + ["input x gradient"] * 2
    for table in result.tables:
        assert {row[0] for row in table.rows} == {"age", "member", "city"}


def test_words_of_a_linear_text_model_are_their_weights() -> None:
    case = zoo.texts()
    assert isinstance(case.model.module, zoo.Bag)
    module = case.model.module
    for table in result_of(case, CHECK, samples=3).tables:
        row = int(table.title.removeprefix("row ").partition(":")[0])
        ids = case.data.read(np.array([row]))[0]
        ids = ids[ids >= 0]
        label = int(case.model(ids[None])[0].argmax())
        expected = module.tokens.weight.detach()[ids] @ module.head.weight.detach()[label] / len(ids)
        found = [float(r[1] or 0) for r in table.rows if r[0] != SPECIAL]
        assert found == pytest.approx(expected.tolist(), abs=1e-5)


def test_ripples_are_smoothed_away_and_the_correlation_says_so() -> None:
    rippled, plain = (result_of(rows_of(Wiggly(s)), CHECK, samples=8, draws=200) for s in (5.0, 0.0))
    moved, kept = (measures(r, "smoothing_correlation")[""].value for r in (rippled, plain))

    assert moved is not None and moved < 0.8
    assert kept == pytest.approx(1)


def test_too_few_draws_show_as_an_error_and_a_caveat() -> None:
    few, many = (result_of(rows_of(Wiggly(5.0)), CHECK, samples=4, draws=n) for n in (4, 2000))
    errors = [measures(r, "noise_error")[""].value or 0 for r in (few, many)]

    assert errors[0] > 0.5 and errors[1] < 0.2
    assert any("the standard error is above half the size of the shares" in c for c in few.caveats)
    assert not any("standard error" in c for c in many.caveats)


def test_a_saturated_model_is_said_to_be_one() -> None:
    class Sure(nn.Module):
        """Certain of positive rows, whatever moves."""

        def forward(self, x: Tensor) -> Tensor:
            z = torch.where(x[:, :1] > 0, 1e4, 1.0) * x.sum(1, keepdim=True).abs() * x[:, :1].sign()
            return torch.softmax(torch.cat([-z, z], 1), 1)

    model = Model(Sure(), ("no", "yes"), output="probabilities", bounds=(torch.full((3,), -9.0), torch.full((3,), 9.0)))
    x = torch.rand(24, 3, generator=torch.Generator().manual_seed(0)) + 1
    x[12:, 0] *= -1
    mixed = result_of(zoo.Case(model, zoo.labelled(model, x)), CHECK, samples=0)

    assert any("In 12 of 24 rows the gradient is 0 without noise" in c for c in mixed.caveats)
    assert "saturated" in not_applicable(zoo.Case(model, zoo.labelled(model, x[:12])), CHECK)


def test_a_models_value_is_explained() -> None:
    head = nn.Linear(3, 1)
    x = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
    case = zoo.Case(Model(head, (), output="value", bounds=(-9.0, 9.0)), Data.of(x, torch.randn(24)))
    for table in result_of(case, CHECK, samples=2).tables:
        row = int(table.title.removeprefix("row ").partition(":")[0])
        found = {str(r[0]): r[2] for r in table.rows}
        expected = (x[row] * head.weight[0].detach()).tolist()
        assert [found[f"x[{i}]"] for i in range(3)] == pytest.approx(expected, abs=1e-5)


def test_what_has_no_gradient_does_not_apply() -> None:
    class Hard(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x > 0).float()

    model = Model(Hard(), ("a", "b", "c"), bounds=(torch.full((3,), -9.0), torch.full((3,), 9.0)))
    data = zoo.labelled(model, torch.randn(24, 3, generator=torch.Generator().manual_seed(0)))

    assert "no gradient to its input" in not_applicable(zoo.Case(model, data), CHECK)
    assert "saturated, constant, or flat" in not_applicable(zoo.constant(), CHECK)


def test_a_program_is_explained_as_its_module_is() -> None:
    case = zoo.planted_patch()
    program = torch.jit.trace(case.model.module.eval(), case.data.read(np.array([0])))
    found, own = (
        arrays_of(m, case.data, CHECK, samples=2)[f"{CHECK}/sensitivity"]
        for m in (Model(program, case.model.classes), case.model)
    )

    assert np.allclose(found, own, atol=1e-6)
