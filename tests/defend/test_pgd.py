"""Adversarial training: a new model that stands more, from data it was given, leaving the given model alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from app.demos import digits
from auditor.attacks.curve import robust_curve
from auditor.config import load_audit_file
from auditor.defend import DEFENCES, defence
from auditor.defend.pgd import pgd
from auditor.errors import NotApplicable, UsageError
from auditor.guard import Snapshot
from auditor.opening import open_audit
from auditor.subject import Data, Model
from tests import zoo


def test_the_gate_on_digits(tmp_path: Path) -> None:
    """Robust accuracy at .15 up by at least .40, clean accuracy down by at most .02."""
    opened = open_audit(load_audit_file(digits.write(tmp_path)), tmp_path)
    plain: Any = opened.model
    snapshot = Snapshot(plain.module)

    module = pgd(plain, opened.reference, opened.seed, epsilon=0.15)
    batch = next(opened.data.batches(500))
    found = {}
    for name, model in (("before", plain), ("after", replace(plain, module=module))):
        with model.frozen():
            clean = int((model(batch.x).argmax(1) == batch.y).sum())
            standing = int((robust_curve(model, batch.x[:200], batch.y[:200], (0.15,), steps=20).index > 0).sum())
        found[name] = clean / 500, standing / 200

    assert snapshot.restore() == []
    assert found["after"][1] >= found["before"][1] + 0.40
    assert found["after"][0] >= found["before"][0] - 0.02


def test_the_same_seed_trains_the_same_weights() -> None:
    case = zoo.inplace_relu()

    first, again, other = (pgd(case.model, case.data, seed, epochs=2, steps=2).state_dict() for seed in (0, 0, 1))

    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


def test_progress_is_told_and_the_mode_is_kept() -> None:
    case = zoo.dropout_left_on()
    told: list[tuple[int, int]] = []

    module = pgd(case.model, case.data, 0, lambda done, of: told.append((done, of)), epochs=3, steps=1)

    assert told == [(1, 3), (2, 3), (3, 3)]
    assert module.training
    assert module is not case.model.module


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    case = zoo.inplace_relu()

    with pytest.raises(UsageError, match="loss is no longer a number; lower the rate"):
        pgd(case.model, case.data, 0, epochs=20, steps=1, rate=1e18)


def test_a_program_cannot_be_trained() -> None:
    program = torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)))

    with pytest.raises(NotApplicable, match="no weights that can be trained"):
        pgd(Model(program, ("a", "b")), Data.of(torch.rand(4, 1, 8, 8), torch.zeros(4).long()), 0)


def test_defences_are_found_by_name() -> None:
    assert "pgd" in DEFENCES
    assert defence("pgd") is pgd
    with pytest.raises(UsageError, match=f"no defence 'magic'; known: {', '.join(DEFENCES)}"):
        defence("magic")


def test_numpy_and_torch_draw_as_before_after_training() -> None:
    case = zoo.inplace_relu()
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = torch.rand(1).item(), np.random.rand()  # noqa: NPY002
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002

    pgd(case.model, case.data, 0, epochs=1, steps=1)

    assert (torch.rand(1).item(), np.random.rand()) == expected  # noqa: NPY002
