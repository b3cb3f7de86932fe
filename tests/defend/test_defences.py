"""Defences by name, and what none of them may do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from app.commands.auditing import METHODS
from auditor.defend import DEFENCES, defence
from auditor.defend.pgd import pgd
from auditor.errors import NotApplicable, UsageError
from auditor.subject import Data, Model
from auditor.training.moved import default_epsilon
from auditor.training.watch import Watch
from tests import zoo

TRAINED = ("distillation", "fgsm_rs", "gaussian_noise", "ibp", "pgd", "trades")
MITIGATIONS = ("exponentiated_gradient", "fairness_penalty", "reweighing")
WRAPPERS = ("feature_squeezing", "group_thresholds", "randomised_smoothing", "rejection")
SHORT: dict[str, Any] = {"epochs": 2, "batch": 12}


@pytest.mark.parametrize("method", TRAINED)
@pytest.mark.parametrize("case", [zoo.inplace_relu, zoo.batch_norm, zoo.linear_table, zoo.normalized])
def test_every_training_takes_pictures_and_tables(method: str, case: Any) -> None:
    patient = case()
    before = {k: v.clone() for k, v in patient.model.module.state_dict().items()}

    found = defence(method)(patient.model, patient.data, 0, **SHORT)
    again = defence(method)(patient.model, patient.data, 0, **SHORT)

    after = found.module.state_dict()
    assert all(torch.equal(before[k], v) for k, v in patient.model.module.state_dict().items())
    assert not all(torch.equal(before[k], after[k]) for k in before)
    assert all(torch.equal(v, again.module.state_dict()[k]) for k, v in after.items())
    assert all(v.isfinite().all() for v in after.values())


@pytest.mark.parametrize("method", [m for m in TRAINED if m != "ibp"])
def test_every_training_but_bounds_takes_texts(method: str) -> None:
    patient = zoo.texts()
    before = {k: v.clone() for k, v in patient.model.module.state_dict().items()}

    found = defence(method)(patient.model, patient.data, 0, **SHORT)

    changed = {k for k, v in found.module.state_dict().items() if not torch.equal(v, before[k])}
    assert "tokens.weight" in changed  # the embedding is trained, too
    assert len(changed) > 1


def test_bounds_say_that_they_are_not_of_texts() -> None:
    patient = zoo.texts()

    with pytest.raises(NotApplicable, match="inputs are texts; bounds are of numbers"):
        defence("ibp")(patient.model, patient.data, 0)


def test_bounds_name_the_function_that_none_is_known_of() -> None:
    patient = zoo.case(nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.PReLU(), nn.Linear(8, 3)), zoo.images(), 3)

    with pytest.raises(NotApplicable, match="prelu"):
        defence("ibp")(patient.model, patient.data, 0)


@pytest.mark.parametrize("method", ["fgsm_rs", "gaussian_noise", "ibp", "pgd", "trades"])
def test_what_may_not_change_leaves_nothing_to_learn(method: str) -> None:
    patient = zoo.linear_table()
    fixed = Model(patient.model.module, patient.model.classes, unit=0.0)

    with pytest.raises(NotApplicable, match="no element of the input may be changed"):
        defence(method)(fixed, patient.data, 0)


def test_progress_is_told_and_the_mode_is_kept() -> None:
    case = zoo.dropout_left_on()
    told: list[tuple[int, int]] = []

    found = pgd(case.model, case.data, 0, Watch(lambda done, of: told.append((done, of))), epochs=3, steps=1)

    assert told == [(1, 3), (2, 3), (3, 3)]
    assert found.module.training
    assert found.module is not case.model.module


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    case = zoo.inplace_relu()

    with pytest.raises(UsageError, match="loss was no longer a number; a lower rate"):
        pgd(case.model, case.data, 0, epochs=20, steps=1, rate=1e30)


def test_a_program_cannot_be_trained() -> None:
    program = torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)))

    with pytest.raises(NotApplicable, match="no weights that can be trained"):
        pgd(Model(program, ("a", "b")), Data.of(torch.rand(4, 1, 8, 8), torch.zeros(4).long()), 0)


def test_defences_are_found_by_name() -> None:
    assert tuple(sorted(TRAINED + MITIGATIONS + WRAPPERS)) == DEFENCES == METHODS
    assert all(defence(name).__name__ == name for name in DEFENCES)
    with pytest.raises(UsageError, match="no defence 'fgsm'; known: distillation, "):
        defence("fgsm")


def test_numpy_and_torch_draw_as_before_after_training() -> None:
    case = zoo.inplace_relu()
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = torch.rand(1).item(), np.random.rand()  # noqa: NPY002
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002

    pgd(case.model, case.data, 0, epochs=1, steps=1)

    assert (torch.rand(1).item(), np.random.rand()) == expected  # noqa: NPY002


@pytest.mark.parametrize(("bounds", "expected"), [((0.0, 1.0), 8 / 255), ((0.0, 255.0), 8.0), ((-1.0, 1.0), 16 / 255)])
def test_the_size_of_changes_follows_the_range_of_pictures(bounds: tuple[float, float], expected: float) -> None:
    patient = zoo.inplace_relu()
    model = Model(patient.model.module, patient.model.classes, bounds=bounds)

    assert default_epsilon(model, patient.data) == pytest.approx(expected)


def test_bounds_refuse_a_model_before_the_first_epoch() -> None:
    patient, told = zoo.single_logit(), list[int]()

    with pytest.raises(NotApplicable, match="the model gives one output"):
        defence("ibp")(patient.model, patient.data, 0, Watch(lambda done, _: told.append(done)))
    assert told == []


def test_distillation_says_of_both_what_came_of_them() -> None:
    patient, told = zoo.inplace_relu(), list[tuple[int, int]]()

    found = defence("distillation")(patient.model, patient.data, 0, Watch(lambda *n: told.append(n)), **SHORT)

    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert "is broken" not in found.notes[0] and "hides gradients" in found.notes[0]
    assert any(n.startswith("Teacher: There are too few") for n in found.notes)
    assert any(n.startswith("Student: There are too few") for n in found.notes)
