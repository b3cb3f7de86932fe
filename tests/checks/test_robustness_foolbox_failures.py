"""What fails of foolbox's attacks: recorded, stopped, and never counted as a break."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.foolbox_attacks import foolbox_frontiers
from auditor.attacks.foolbox_named import attack_named
from auditor.attacks.in_units import InUnits, TooLong
from auditor.registry import CHECKS, Context
from auditor.subject import Model
from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of

CHECK = "robustness.foolbox"
LADDER = [0.05, 0.1, 0.2, 0.4, 0.8]
USUAL = ["LinfPGD", "LinfBasicIterativeAttack", "LInfFMNAttack", "L2BasicIterativeAttack", "DDNAttack"]


class Steps(nn.Module):
    """A sum rounded to whole numbers: gradients do not exist."""

    def forward(self, x: Tensor) -> Tensor:
        z = x.detach().sum((1, 2, 3)).round() - 30.5
        return torch.stack([-z, z], 1)


def test_an_attack_that_raises_is_recorded_and_the_others_are_measured() -> None:
    model = Model(Steps(), ("a", "b"))
    case = zoo.Case(model, zoo.labelled(model, zoo.images()))
    result = result_of(case, CHECK, samples=0, attacks=["L2DeepFoolAttack", "L2RepeatedAdditiveUniformNoiseAttack"],
                       epsilons=[2.0])  # fmt: skip
    figures, failed = result.tables
    noise = measures(result, "robust_accuracy")

    assert failed.title == "Attacks that failed"
    assert [row[0] for row in failed.rows] == ["L2DeepFoolAttack"]
    assert "does not require grad" in failed.rows[0][1] and "\n" not in failed.rows[0][1]
    assert {row[2] for row in figures.rows} == {"", "all of them", "L2RepeatedAdditiveUniformNoiseAttack"}
    assert "attack=L2DeepFoolAttack&l2@2" not in noise
    assert noise["l2@2"].counts[0] < noise["l2@0"].counts[0]


def test_when_every_attack_raises_the_check_does_not_apply() -> None:
    model = Model(Steps(), ("a", "b"))
    said = not_applicable(zoo.Case(model, zoo.labelled(model, zoo.images())), CHECK, attacks=["LinfPGD", "DDNAttack"])

    assert said.startswith("no attack could be made: LinfPGD: RuntimeError: element 0 of tensors")
    assert "DDNAttack: RuntimeError" in said


class FailsLater(nn.Module):
    """Raises hostile text when a row with a bright corner is attacked."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad and bool((x[:, 0, 0, 0] > 0.95).any()):
            msg = "<script>\x1b[31m /home/someone/secret/model.py\nline two"
            raise RuntimeError(msg)
        y: Tensor = self.inner(x)
        return y


def test_what_an_attack_broke_before_it_failed_still_counts() -> None:
    case = zoo.inplace_relu()
    x = case.data.read(np.arange(24)).clone()
    x[:, 0, 0, 0] = 0.1
    x[20:, 0, 0, 0] = 1.0
    plain = zoo.Case(case.model, zoo.labelled(case.model, x, wrong=0))
    model = replace(case.model, module=FailsLater(case.model.module))
    named = ["LinfFastGradientAttack", "LinfAdditiveUniformNoiseAttack"]
    settings = CHECKS[CHECK].params({"attacks": named, "epsilons": [0.3], "samples": 0})

    def run(model: Model) -> object:
        with model.frozen():
            return CHECKS[CHECK].run(Context(model, plain.data, batch_size=20).of_check(CHECK), **settings)

    failing, whole = run(model), run(case.model)
    ours, noise = (measures(failing, "robust_accuracy")[s].counts[0] for s in (
        "linf@0.3", "attack=LinfAdditiveUniformNoiseAttack&linf@0.3"))  # fmt: skip

    assert failing.tables[1].rows[0][1] == "RuntimeError: <script> [31m model.py line two"
    assert ours < noise
    assert ours >= measures(whole, "robust_accuracy")["linf@0.3"].counts[0]


def test_what_the_model_does_not_confirm_does_not_count_and_is_said() -> None:
    """Of a linear model the second derivatives are 0, this attack divides by them, and NaN is no class."""
    case = zoo.linear_table()
    batch = next(case.data.batches(24))
    attack = attack_named("VirtualAdversarialAttack", 5)
    with case.model.frozen():
        right = case.model(batch.x).argmax(1) == batch.y
        seen = InUnits(case.model, batch.x[right])
        _, (changed,), (success,) = attack.run(seen.for_foolbox(), seen.encode(seen.x), batch.y[right], epsilons=[0.5])
        found = foolbox_frontiers(case.model, batch.x, batch.y, [0.5], attack)
    false = success & changed.isnan().any(1)
    caveats = result_of(case, CHECK, attacks=[attack.text], epsilons=[0.5], samples=0, steps=5).caveats

    assert int(false.sum()) > 0
    assert found.unconfirmed == int(false.sum())
    assert bool((found.frontiers.index[right.nonzero()[:, 0][false]] == 1).all())
    (said,) = caveats
    assert said.startswith(f"{found.unconfirmed} of 24 rows count as standing under VirtualAdversarialAttack where")


def test_an_attack_that_asks_too_often_is_stopped() -> None:
    case = zoo.inplace_relu()
    batch = next(case.data.batches(24))
    with case.model.frozen(), pytest.raises(TooLong, match="stopped after 30 passes of the model"):
        foolbox_frontiers(case.model, batch.x, batch.y, [0.1], attack_named("LinfPGD(steps=100)", 1), passes=30)
    said = not_applicable(case, CHECK, attacks=["LinfPGD(steps=100)"], passes=30)

    assert said.endswith("LinfPGD(steps=100): TooLong: stopped after 30 passes of the model")
