"""explain.lrp: shares where the model looks, merged over one-hot columns, and a ledger that closes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.audit import run
from auditor.explain.composites import COMPOSITES
from auditor.selection import Selection
from auditor.subject import Model
from auditor.types import Result, Status, Table
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, result_of
from tests.shared import needs_shared, real

CHECK = "explain.lrp"


def by_row(result: Result) -> list[Table]:
    """The tables of single rows."""
    return [t for t in result.tables if t.title.startswith("row ")]


def test_all_relevance_lies_on_the_planted_patch() -> None:
    case = zoo.planted_patch()
    arrays = arrays_of(case.model, case.data, CHECK, samples=6)
    maps = [a for name, a in arrays.items() if name.startswith(CHECK)]

    assert len(maps) == 6
    for shares in maps:
        inside = np.abs(shares[zoo.PATCH]).sum()
        assert inside == pytest.approx(np.abs(shares).sum(), rel=1e-5)


def test_a_linear_models_table_is_w_times_x() -> None:
    case = zoo.linear_table()
    head = case.model.module
    assert isinstance(head, nn.Linear)
    for table in by_row(result_of(case, CHECK, samples=6)):
        row = int(table.title.removeprefix("row ").partition(":")[0])
        x = case.data.read(np.array([row]))[0]
        called = table.title.rpartition(" (")[0].rpartition(" ")[2]
        w = head.weight[("no", "yes").index(called)].detach()

        found = {str(name): value for name, _, value in table.rows}
        assert [found[f"c{i}"] for i in range(3)] == pytest.approx((x * w).tolist(), abs=1e-6)


def test_one_hot_columns_are_one_bar() -> None:
    tables = by_row(result_of(zoo.categories(), CHECK, samples=3))

    assert len(tables) == 3
    for table in tables:
        assert {row[0] for row in table.rows} == {"age", "member", "city"}
        assert {row[1] for row in table.rows if row[0] == "city"} <= {"x", "y", "z"}


@pytest.mark.parametrize("name", sorted(set(zoo.ZOO) - {"constant", "texts"}))
def test_the_ledger_closes_and_is_judged(name: str) -> None:
    case = zoo.ZOO[name]()
    outcome = run(case.model, case.data, selection=Selection("quick", (CHECK,))).outcome(CHECK)

    whole = measures(outcome.result, "ledger_error")
    assert whole[""].value == max(m.value or 0 for s, m in whole.items() if s)
    assert whole[""].value < 1e-4
    assert outcome.status is Status.PASS


class Lossy(nn.Module):
    """Passes through a function without a rule that is neither linear nor free of constants."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.special.log1p(torch.special.expit(x)))


def test_a_function_without_a_rule_is_a_caveat_and_the_ledger_warns() -> None:
    case = zoo.linear_table()
    model = Model(Lossy(), ("a", "b"), bounds=case.model.bounds)
    outcome = run(
        model, zoo.labelled(model, case.data.read(np.arange(24))), selection=Selection("quick", (CHECK,))
    ).outcome(CHECK)

    assert any("No rule is known for special_expit" in c for c in outcome.result.caveats)
    assert outcome.status is Status.WARN


def test_a_constant_model_does_not_apply() -> None:
    case = zoo.constant()
    result = result_of(case, CHECK, samples=2)

    assert measures(result, "constant_share")[""].value == pytest.approx(1)


def test_a_program_is_explained_and_the_report_says_how() -> None:
    case = zoo.planted_patch()
    program = torch.jit.trace(case.model.module.eval(), case.data.read(np.array([0])))
    result = result_of(zoo.Case(Model(program, case.model.classes), case.data), CHECK, samples=2)

    assert any("TorchScript program: it was explained with its operators run one by one" in c for c in result.caveats)
    assert not any("operators run one by one" in c for c in result_of(case, CHECK, samples=2).caveats)


def test_a_program_that_cannot_be_followed_does_not_apply() -> None:
    class Forked(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.jit.wait(torch.jit.fork(torch.flatten, x, 1))[:, :2]

    case = zoo.planted_patch()
    model = Model(torch.jit.script(Forked()), case.model.classes)

    assert "uses prim::fork, which cannot be followed" in not_applicable(zoo.Case(model, case.data), CHECK)


@needs_shared
@pytest.mark.parametrize("name", ["cifar10_resnet20", "cifar10_vit_ibp", "mnist_kw"])
@pytest.mark.parametrize("composite", COMPOSITES)
def test_the_ledger_closes_on_real_models(name: str, composite: str) -> None:
    opened = real(name)

    result = result_of(zoo.Case(opened.model, opened.data.take(20, 0)), CHECK, samples=6, composite=composite)

    assert measures(result, "ledger_error")[""].value < 1e-4
    assert result.caveats == ()
