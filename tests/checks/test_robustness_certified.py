"""robustness.certified: bounds beside attacks, on networks that have them, that do not, and that cannot be bounded."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from auditor.subject import Model
from tests import zoo
from tests.checks.audited import measures, not_applicable, outcome_of, result_of
from tests.shared import needs_shared, real

CHECK = "robustness.certified"


def test_a_linear_models_figures_are_exact_and_leave_nothing_open() -> None:
    case = zoo.linear_table()
    result = result_of(case, CHECK, samples=0, epsilons=[0.05, 0.2, 0.8], steps=10)
    proved, attacked = (measures(result, name) for name in ("certified_accuracy", "attacked_accuracy"))

    assert [proved[at].counts for at in attacked] == [m.counts for m in attacked.values()]
    assert [row[5] for row in result.tables[0].rows] == [0.0] * 4  # what is open
    assert proved["linf@0.05"].counts[0] > proved["linf@0.8"].counts[0]


@pytest.mark.parametrize(
    "name", ["batch_norm", "inplace_relu", "softmax_output", "single_logit", "sigmoid_output", "normalized"]
)
def test_what_is_certain_stands_attacks_and_falls_with_epsilon(name: str) -> None:
    result = result_of(zoo.ZOO[name](), CHECK, samples=0, epsilons=[0.001, 0.01, 0.1], steps=10)
    proved = [int(m.counts[0]) for m in measures(result, "certified_accuracy").values()]
    attacked = [int(m.counts[0]) for m in measures(result, "attacked_accuracy").values()]

    assert proved == sorted(proved, reverse=True)
    assert all(p <= a for p, a in zip(proved[1:], attacked, strict=True))
    assert proved[1] >= proved[0] - 2  # next to nothing changes


@needs_shared
def test_a_network_that_was_trained_for_bounds_has_them() -> None:
    result = result_of(real("mnist_kw"), CHECK, samples=8, epsilons=[0.1, 0.3], steps=10)
    proved = measures(result, "certified_accuracy")

    assert proved["linf@0.1"].counts[0] >= proved["linf@0"].counts[0] - 1
    assert proved["linf@0.3"].counts[0] == 0
    assert result.caveats == ()


@needs_shared
def test_a_deep_network_that_was_not_has_none_and_it_is_said() -> None:
    result = result_of(real("cifar10_resnet20"), CHECK, samples=4, epsilons=[8 / 255], steps=10)

    assert measures(result, "certified_accuracy")["linf@0.0314"].value == 0
    assert measures(result, "attacked_accuracy") == {}
    assert any("Bounds prove nothing at any of these sizes" in c for c in result.caveats)


def test_what_has_no_bounds_is_named() -> None:
    class Squared(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.flatten(1)[:, :3]
            return y * y

    case = zoo.inplace_relu()
    squared = zoo.Case(replace(case.model, module=Squared()), case.data)

    assert "no bounds are known of mul of two parts, which the model uses" in not_applicable(squared, CHECK)
    assert "texts" in not_applicable(zoo.texts(), CHECK)
    assert "no element of the input" in not_applicable(
        zoo.Case(replace(case.model, unit=torch.zeros(1, 8, 8)), case.data), CHECK
    )


def test_a_model_that_is_not_what_its_operators_say_is_no_case_for_bounds() -> None:
    """Rows of other classes are broken by what stands in the batch beside them."""

    class Sly(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.inner(x)
            return -y if (isinstance(x, Tensor) and x.requires_grad) or _moved(x) else y

    def _moved(x: Tensor) -> bool:
        return isinstance(x, Tensor) and not bool(torch.isin(x.flatten(1)[:, 0], known).all())

    case = zoo.inplace_relu()
    known = torch.cat([b.x.flatten(1)[:, 0] for b in case.data.batches(64)])
    outcome = outcome_of(
        zoo.Case(replace(case.model, module=Sly(case.model.module)), case.data), CHECK, epsilons=[0.001]
    )

    assert outcome.result is None
    assert "bounds and attacks contradict each other" in outcome.reason


def test_a_program_is_bounded_by_its_operators() -> None:
    case = zoo.inplace_relu()
    x = case.data.read(torch.arange(2).numpy())
    with torch.no_grad():
        traced = torch.jit.trace(case.model.module, x)
    program = zoo.Case(Model(traced, case.model.classes), case.data)

    plain, found = (result_of(c, CHECK, samples=0, epsilons=[0.01], steps=10) for c in (case, program))

    assert measures(found, "certified_accuracy") == measures(plain, "certified_accuracy")
