"""Rejection: what is rejected is what a loop finds beyond the threshold, and no attack is credited for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.goals import another_class
from auditor.attacks.seen import seen_by_search
from auditor.attacks.strongest import found_by_all
from auditor.defend.rejection import rejection
from auditor.errors import NotApplicable
from auditor.intake.outputs import settle
from auditor.outliers.squeezing import median
from auditor.subject import Data, Model
from auditor.wrapped.wrapping import wrapped
from tests import zoo
from tests.attacks.patients import digits, patient
from tests.checks.audited import measures, not_applicable, result_of
from tests.zoo import Case

CURVE = {"samples": 40, "steps": 20, "epsilons": [0.1, 0.15]}


def rejecting(case: Case, reference: Data | None = None, **settings: float) -> Case:
    around = rejection(case.model, reference or case.data, 0, **settings)
    return Case(wrapped(settle(case.model, case.data)[0], around), case.data)


def by_hand(case: Case) -> np.ndarray:
    """How far the softmax of each row moves, element by element."""
    x = case.data.read(np.arange(len(case.data)))
    with torch.no_grad(), case.model.frozen():
        plain = case.model(x).softmax(1)
        coarse = [(x * n).round() / n for n in (15, 31)]
        moved = [(case.model(c).softmax(1) - plain).abs().sum(1) for c in (*coarse, median(x))]
    return torch.stack(moved).amax(0).numpy()


@pytest.mark.parametrize("name", ["inplace_relu", "batch_norm", "normalized"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_the_stated_share_of_reference_rows_is_rejected(name: str, share: float) -> None:
    case = zoo.ZOO[name]()
    around, apart = rejecting(case, rejected=share), by_hand(case)
    x = case.data.read(np.arange(len(case.data)))
    with torch.no_grad(), around.model.frozen():
        outputs = around.model(x)
        plain = case.model(x)
    refused = (outputs.argmax(1) == len(case.model.classes)).numpy()

    assert refused.sum() == int(share * len(x))
    assert set(np.argsort(-apart)[: refused.sum()]) == set(np.flatnonzero(refused))
    assert torch.allclose(outputs[:, :-1], plain, atol=1e-5)
    assert around.model.classes == (*case.model.classes, "rejected") and around.model.rejects


def test_the_rejected_class_leads_exactly_beyond_the_threshold() -> None:
    """Even where the distance passes it by less than a logit of a thousand can show."""
    head = nn.Linear(1, 2, bias=False)
    head.weight.data = torch.tensor([[1e6], [-1e6]])
    x = torch.linspace(0, 1, 301)[:, None]
    case = Case(Model(head, ("rejected", "b")), Data.of(x, torch.zeros(301).long()))
    around = rejecting(case, rejected=0.0).model
    module: Any = around.module

    assert around.classes == ("rejected", "b", "rejected by the wrapper")
    with torch.no_grad():
        apart = module.apart(x, case.model(x))
        for threshold in (0.0, float(apart.median()), 1.0):
            module.threshold = threshold
            assert torch.equal(around(x).argmax(1) == 2, apart > threshold)


def test_gradients_reach_the_detector() -> None:
    case = zoo.inplace_relu()
    around = rejecting(case).model
    x = case.data.read(np.arange(4)).requires_grad_()
    outputs = around(x)
    (gradient,) = torch.autograd.grad((outputs[:, -1] - outputs[:, :-1].amax(1)).sum(), x)

    assert float(gradient.abs().flatten(1).amax(1).min()) > 1e-4


# ---- audits ------------------------------------------------------------------------------------------------------
def test_on_digits_attacks_that_see_the_detector_go_around_it() -> None:
    """What breaks the model without it is mostly rejected; attacks on both together break far more."""
    plain = patient("plain").case
    x, y = digits()
    around = rejecting(plain, Data.of(x[:1300], y[:1300]), median=False)
    result = result_of(around, "robustness.curve", **CURVE)
    left = measures(result, "robust_accuracy")
    batch = next(plain.data.batches(40))
    with around.model.frozen(), plain.model.frozen():
        unaware = found_by_all(seen_by_search(plain.model, batch.x, batch.y), batch.x, batch.y, (0.15,), steps=20)
        passed = another_class(around.model).reached(around.model(unaware.witness), batch.y)

    assert float((~passed).float().mean()) > left["linf@0.15"].value + 0.3
    assert any(c.startswith("The model may reject an input") for c in result.caveats)


class Cautious(nn.Module):
    """Class 1 above one half; refuses, as the last of three classes, wherever the input is not 0 or 1."""

    def forward(self, x: Tensor) -> Tensor:
        z = 4 * (x[:, :1] - 0.5)
        off = 40 * (x * (1 - x)).sum(1, keepdim=True) - 1e-3
        return torch.cat([-z, z, z.abs() + off], 1)


def cautious(x: Tensor, y: Tensor, **facts: bool) -> Case:
    return Case(Model(Cautious(), ("a", "b", "rejected"), **facts), Data.of(x, y))


def test_a_change_that_is_rejected_breaks_nothing() -> None:
    """Within .6 every way to the other class leads through inputs that are refused: nothing is broken."""
    x = torch.tensor([[0.0], [1.0]] * 10)
    y = torch.tensor([0, 1] * 10)
    settings = {"epsilons": [0.6], "steps": 10, "samples": 0}

    counted = measures(result_of(cautious(x, y, rejects=True), "robustness.curve", **settings), "robust_accuracy")
    ordinary = measures(result_of(cautious(x, y), "robustness.curve", **settings), "robust_accuracy")

    assert counted["linf@0.6"].value == 1
    assert ordinary["linf@0.6"].value == 0


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_row_that_is_rejected_as_it_is_counts_as_wrong(norm: str) -> None:
    x = torch.tensor([[0.0], [1.0], [0.2], [0.9]] * 5)
    y = torch.tensor([0, 1, 0, 1] * 5)
    case = cautious(x, y, rejects=True)

    robust = measures(result_of(case, "robustness.curve", norm=norm, epsilons=[0.1], steps=5, samples=0),
                      "robust_accuracy")  # fmt: skip
    accuracy = result_of(case, "performance.accuracy")
    figures = {m.name: m for m in accuracy.measures if not m.slice}

    assert (robust[f"{norm}@0"].value, robust[f"{norm}@0.1"].value) == (0.5, 0.5)
    assert figures["accuracy"].counts == (10, 20)
    assert figures["rejected_share"].counts == (10, 20)
    assert figures["answered_accuracy"].counts == (10, 10)
    assert set(measures(accuracy, "recall")) == {"class=a", "class=b"}


def test_tables_are_attacked_past_the_detector_too() -> None:
    """The table attack counts no row as broken that is refused, and one that is refused as it is as wrong."""
    case = zoo.categories()

    class Refusing(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.inner(x)
            known = (x[:, None] == seen[None]).all(2).any(1)
            return torch.cat([y, torch.where(known, y.amin(1), y.amax(1) + 1)[:, None]], 1)

    seen = case.data.read(np.arange(20))
    model = replace(
        case.model, module=Refusing(case.model.module), classes=(*case.model.classes, "rejected"), rejects=True
    )
    result = result_of(Case(model, case.data), "robustness.curve", samples=0, steps=5, epsilons=[0.5, 2.0])
    plain = result_of(case, "performance.accuracy")
    right = np.asarray([m.counts for m in plain.measures if m.name == "accuracy"])[0][0]
    robust = measures(result, "robust_accuracy")

    assert robust["linf@0"].counts[0] == robust["linf@2"].counts[0] == right - 4  # the last four rows are refused
    assert result.tables[0].rows[0][1] < 1


@pytest.mark.parametrize(
    ("check", "settings"),
    [
        ("robustness.trust", {"samples": 8, "steps": 4}),
        ("robustness.foolbox", {"attacks": ["LinfPGD"], "samples": 8, "steps": 4, "epsilons": [0.1]}),
        ("robustness.detection", {"samples": 12, "steps": 4, "epsilons": [0.3]}),
        ("robustness.ood", {"samples": 12}),
    ],
)
def test_every_check_says_how_it_counts_what_is_rejected(check: str, settings: dict[str, object]) -> None:
    x, y = digits()
    around = rejecting(patient("plain").case, Data.of(x[:300], y[:300]))
    result = result_of(around, check, Data.of(x[:300], y[:300]), **settings)

    assert any("reject" in c for c in result.caveats), result.caveats


def test_groups_are_told_how_rejections_count() -> None:
    case = zoo.biased_table()
    around = rejecting(case, rejected=0.1)

    for check in ("fairness.groups", "fairness.impact_ratio"):
        assert any("The model may reject a row" in c for c in result_of(around, check).caveats)


def test_being_rejected_is_no_other_answer_to_aim_for() -> None:
    """Rejected rows lie around the border, nearer than the other class."""
    case = zoo.linear_table()
    around = rejecting(Case(case.model, replace(case.data, positive=None)), rejected=0.3)
    ways = [t for t in result_of(around, "explain.counterfactuals").tables if t.columns[:2] == ("way", "called")]
    called = {row[1] for table in ways for row in table.rows}

    assert called and called <= {"no", "yes"}


def test_what_it_does_not_apply_to() -> None:
    texts, table = zoo.texts(), zoo.linear_table()
    values = Model(nn.Linear(3, 1), (), output="value")

    with pytest.raises(NotApplicable, match="the inputs are texts"):
        rejection(texts.model, texts.data, 0)
    with pytest.raises(NotApplicable, match="a value, not classes; rejection needs classes"):
        rejection(values, table.data, 0)
    assert "no bounds are known of what it rejects" in not_applicable(rejecting(table), "robustness.certified")
