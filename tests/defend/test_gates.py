"""What each training reaches on the digits at .15, where figures were reached before; the strongest walk is the judge.

The tolerance is that of 300 rows: 1.96 standard errors of a share near .7 are .05.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from app.demos import digits
from auditor.attacks.curve import robust_curve
from auditor.audit import run
from auditor.certify.margins import ends, least_margins
from auditor.config import load_audit_file
from auditor.defend import defence
from auditor.guard import Snapshot
from auditor.opening import Opened, open_audit
from auditor.selection import Selection
from auditor.subject import Model
from auditor.types import Status

EPSILON, ROWS, TOLERANCE = 0.15, 300, 0.05


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    folder = tmp_path_factory.mktemp("digits")
    return open_audit(load_audit_file(digits.write(folder)), folder)


def hardened(opened: Opened, method: str, **settings: Any) -> Model:
    """The model after `method`; the given one must be as it was."""
    plain: Any = opened.model
    snapshot = Snapshot(plain.module)
    found = replace(plain, module=defence(method)(plain, opened.reference, 0, **settings).module)
    assert snapshot.restore() == []
    return found


def figures(model: Model, opened: Opened) -> tuple[float, float]:
    """Clean accuracy of all rows, robust accuracy at EPSILON of the first ROWS."""
    batch = next(opened.data.batches(500))
    with model.frozen():
        clean = float((model(batch.x).argmax(1) == batch.y).float().mean())
        index = robust_curve(model, batch.x[:ROWS], batch.y[:ROWS], (EPSILON,), steps=20).index
    return clean, float((index > 0).float().mean())


@pytest.mark.parametrize(
    ("method", "reached"),
    [
        ("fgsm_rs", 0.682),
        pytest.param("pgd", 0.718, marks=pytest.mark.slow),
        pytest.param("trades", 0.742, marks=pytest.mark.slow),
    ],
)
def test_adversarial_training_reaches_what_was_reached_before(opened: Opened, method: str, reached: float) -> None:
    plain: Any = opened.model
    before = figures(plain, opened)

    clean, robust = figures(hardened(opened, method, epsilon=EPSILON), opened)

    assert robust >= reached - TOLERANCE
    assert robust >= before[1] + 0.40
    assert clean >= before[0] - 0.02


@pytest.mark.slow
def test_training_for_bounds_proves_what_was_proved_before(opened: Opened) -> None:
    model = hardened(opened, "ibp", epsilon=EPSILON)
    batch = next(opened.data.batches(500))

    with model.frozen(), torch.no_grad():
        proved = float((least_margins(model, *ends(model, batch.x, EPSILON), batch.y) > 0).float().mean())

    assert proved >= 0.642 - 0.04  # of 500 rows
    assert figures(model, opened)[1] >= proved - TOLERANCE


def test_noise_takes_less_from_a_model_that_was_trained_on_it(opened: Opened) -> None:
    plain: Any = opened.model
    noisy = hardened(opened, "gaussian_noise", sigma=0.5, epochs=10)
    batch = next(opened.data.batches(500))
    x = batch.x + 0.5 * torch.randn(batch.x.shape, generator=torch.Generator().manual_seed(7))

    right = []
    for model in (plain, noisy):
        with model.frozen(), torch.no_grad():
            right.append(float((model(x).argmax(1) == batch.y).float().mean()))

    assert right[1] > right[0] + 0.10


def test_distillation_hides_gradients_and_stands_nothing(opened: Opened) -> None:
    plain: Any = opened.model
    model = hardened(opened, "distillation", epochs=10)
    batch = next(opened.data.batches(500))

    _, robust = figures(model, opened)
    flat = []
    for m in (plain, model):
        with m.frozen():
            leaf = batch.x.clone().requires_grad_()
            loss = torch.nn.functional.cross_entropy(m(leaf), batch.y, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, leaf)
        flat.append(float((gradient.flatten(1).abs().amax(1) < 1e-8).float().mean()))

    assert flat[1] > flat[0] + 0.3  # so many more rows without any slope
    assert robust < figures(plain, opened)[1] + 0.10
    audit = run(model, opened.data, selection=Selection("standard", ("robustness.trust",)))
    found = audit.outcome("robustness.trust")
    assert found is not None and found.status is Status.FAIL and found.result is not None
    assert {row[0] for row in found.result.tables[0].rows if row[-1] == "fired"} >= {"R1", "R3", "R9"}
