"""The curve against exact distances, brute force and foolbox; what breaks a sample is inside its ball."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.balls import ball_of
from auditor.attacks.curve import robust_curve
from auditor.attacks.pgd import pgd
from auditor.attacks.softened import SoftBackward
from auditor.errors import NotApplicable
from auditor.subject import Model
from tests import zoo
from tests.attacks.linear import exact, linear
from tests.shared import needs_shared, real

EPSILONS = (0.05, 0.1, 0.2, 0.4, 0.8)


def exact_linear(case: zoo.Case, x: Tensor) -> Tensor:
    """Distance of each sample to the boundary of two linear logits: |margin| / ||w1 - w0||_1."""
    head = case.model.module
    assert isinstance(head, nn.Linear)
    w = (head.weight[1] - head.weight[0]).detach()
    b = (head.bias[1] - head.bias[0]).detach()
    return (x @ w + b).abs() / w.abs().sum()


def test_a_linear_model_breaks_exactly_beyond_its_distance() -> None:
    case = zoo.linear_table()
    batch = next(case.data.batches(100))
    distance = exact_linear(case, batch.x)
    right = case.model(batch.x).argmax(1) == batch.y
    with case.model.frozen():
        found = robust_curve(case.model, batch.x, batch.y, EPSILONS, steps=10)
    expected = torch.where(right, (torch.tensor(EPSILONS)[None] < distance[:, None]).sum(1), 0)

    assert found.index.tolist() == expected.tolist()


@pytest.mark.parametrize(("offset", "spread"), [(0.0, 1.0), (2000.0, 5.0), (100.0, 0.1), (-3e5, 300.0)])
def test_inputs_far_from_zero_break_exactly_where_they_should(offset: float, spread: float) -> None:
    """A year, or bytes from 0 to 255: float32 rounds such inputs by more than any fixed tolerance."""
    numbers = torch.randn(200, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = (offset + spread * numbers).float()
    head = nn.Linear(1, 2)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[0.0], [1.0]]))
        head.bias.copy_(torch.tensor([0.0, -offset]))
    model = Model(head, ("under", "over"), bounds=(x.amin(0), x.amax(0)), unit=torch.tensor([spread]))
    distance = (x.double() - offset)[:, 0].abs() / spread
    with model.frozen():
        found = robust_curve(model, x, (x[:, 0] > offset).long(), EPSILONS, steps=10)
    expected = (torch.tensor(EPSILONS).double()[None] < distance[:, None]).sum(1)

    assert found.index.tolist() == expected.tolist()


def test_units_and_bounds_are_kept_and_what_may_not_change_does_not() -> None:
    case = zoo.linear_table()
    unit = torch.tensor([2.0, 0.0, 1.0])
    x, y = (getattr(next(case.data.batches(100)), n) for n in ("x", "y"))
    model = Model(case.model.module, case.model.classes, bounds=(x.amin(0) - 0.1, x.amax(0) + 0.1), unit=unit)
    with model.frozen():
        found = robust_curve(model, x, y, EPSILONS, steps=10)
    moved = found.witness - x

    assert not moved[:, 1].any()
    assert bool((moved.abs() <= (found.distance[:, None] * unit) + 1e-5).all())
    assert bool((found.witness >= x.amin(0) - 0.1 - 1e-6).all() and (found.witness <= x.amax(0) + 0.1 + 1e-6).all())
    low, high = model.bounds
    head = model.module
    assert isinstance(head, nn.Linear)
    w = (head.weight[1] - head.weight[0]).detach()
    for i, e in itertools.product(range(len(x)), range(len(EPSILONS))):  # the worst corner of each box, by hand
        corners = (
            torch.clamp(x[i] - EPSILONS[e] * unit, min=torch.as_tensor(low)),
            torch.clamp(x[i] + EPSILONS[e] * unit, max=torch.as_tensor(high)),
        )
        worst = torch.where((w > 0) == (int(y[i]) == 1), corners[0], corners[1])
        breaks = int(model(worst[None]).argmax()) != y[i]
        assert bool(found.index[i] <= e) == breaks


@pytest.mark.parametrize(
    "name", ["planted_patch", "inplace_relu", "batch_norm", "attention", "softmax_output", "single_logit"]
)
def test_every_witness_is_wrong_and_inside_its_ball_and_bounds(name: str) -> None:
    from auditor.intake.outputs import settle

    case = zoo.ZOO[name]()
    model, _ = settle(case.model, case.data)
    batch = next(case.data.batches(12))
    with model.frozen():
        found = robust_curve(model, batch.x, batch.y, EPSILONS, steps=8)
        predicted = model(found.witness).argmax(1)
    broken = found.index < len(EPSILONS)

    assert bool((predicted[broken] != batch.y[broken]).all())
    assert bool((found.distance[broken] <= torch.tensor(EPSILONS)[found.index[broken]] + 1e-6).all())
    assert bool((predicted[~broken] == batch.y[~broken]).all())


def test_a_wrong_answer_is_broken_at_nothing() -> None:
    case = zoo.planted_patch()
    batch = next(case.data.batches(100))
    with case.model.frozen():
        wrong = case.model(batch.x).argmax(1) != batch.y
        found = robust_curve(case.model, batch.x, batch.y, EPSILONS, steps=5)

    assert wrong.sum() == 2
    assert found.index[wrong].tolist() == [0, 0]
    assert found.distance[wrong].tolist() == [0, 0]


def test_more_steps_and_more_stages_never_leave_more_standing() -> None:
    case = zoo.inplace_relu()
    batch = next(case.data.batches(24))
    ladder = (0.01, 0.02, 0.04, 0.08)
    with case.model.frozen():
        weak, strong = (robust_curve(case.model, batch.x, batch.y, ladder, steps=s).index for s in (2, 40))

    assert int((strong > weak).sum()) <= 1  # a lucky start can be lost; the count cannot rise
    assert all((strong > k).sum() <= (weak > k).sum() for k in range(4))


def test_the_same_seed_gives_the_same_witnesses() -> None:
    case = zoo.inplace_relu()
    batch = next(case.data.batches(8))
    with case.model.frozen():
        first, again = (robust_curve(case.model, batch.x, batch.y, EPSILONS, steps=5, seed=7) for _ in range(2))

    assert torch.equal(first.witness, again.witness)


def test_a_model_without_gradient_is_not_applicable() -> None:
    class Steps(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([(x > 0).float().sum(1), (x <= 0).float().sum(1)], 1)

    x = torch.rand(5, 4)
    with pytest.raises(NotApplicable, match="no gradient"):
        robust_curve(Model(Steps(), ("a", "b")), x, torch.zeros(5).long(), EPSILONS)


def test_what_gradients_call_broken_counts_where_the_model_agrees() -> None:
    """Seen by a model whose other class is 1 ahead, each sample breaks where it does all the same."""
    model, x, y = linear()
    x, y = x[y == 0], y[y == 0]
    eager = nn.Sequential(model.module, nn.Linear(2, 2))
    eager[1].weight.data, eager[1].bias.data = torch.eye(2), torch.tensor([0.0, 1.0])

    found = robust_curve(model, x, y, EPSILONS, steps=10, seen=replace(model, module=eager))

    assert found.index.tolist() == (exact(model, x, y, "linf")[:, None] > torch.tensor(EPSILONS)).sum(1).tolist()


def test_a_narrow_gap_inside_the_ball_is_found_by_smaller_steps() -> None:
    """It breaks where three numbers are right to within .004 together; steps from end to end pass over it."""
    goals = 0.4 * torch.rand(12, 3, generator=torch.Generator().manual_seed(0)) - 0.2

    class Gap(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            missed = (x[:, :3] - x[:, 3:]).abs().sum(1)
            return torch.stack([0 * missed, 0.004 - missed], 1)

    unit = torch.tensor([1.0, 1, 1, 0, 0, 0])
    model = Model(Gap(), ("a", "b"), bounds=(-1.0, 1.0), unit=unit)
    found = robust_curve(model, torch.cat([0 * goals, goals], 1), torch.zeros(12).long(), (0.2,), steps=100)

    assert found.index.tolist() == [0] * 12


# ---- the parts ---------------------------------------------------------------------------------------------------
def test_softened_relu_changes_the_backward_pass_alone() -> None:
    x = torch.linspace(-2, 2, 21)[None].requires_grad_()
    edge = 0.1 * x.detach().square().mean().sqrt()
    with SoftBackward(torch.tensor([0.1])):
        y = nn.functional.relu(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    with SoftBackward(torch.tensor([0.0])):
        (true,) = torch.autograd.grad(nn.ReLU()(x).sum(), x)

    assert torch.equal(y, x.relu())
    assert torch.allclose(gradient, torch.sigmoid(x / edge))
    assert torch.equal(true, (x > 0).float())


def test_noise_is_inside_the_ball_and_a_sample_beyond_the_bounds_may_stay() -> None:
    model = Model(nn.Identity(), ("a",), bounds=(0.0, 1.0))
    x = torch.tensor([[0.0, 0.5, 1.0, 1.5]])
    box = ball_of("linf", model, x)
    points = torch.cat([box.noise(x, torch.tensor([0.25]), torch.Generator().manual_seed(i)) for i in range(200)])

    assert points.amin(0).tolist() == pytest.approx([0, 0.25, 0.75, 1.25], abs=0.02)
    assert points.amax(0).tolist() == pytest.approx([0.25, 0.75, 1.0, 1.5], abs=0.02)
    assert box.distance(torch.tensor([[0.1, 0.5, 0.7, 1.5]]), x).tolist() == pytest.approx([0.3])


# ---- real models -------------------------------------------------------------------------------------------------
@needs_shared
def test_is_at_most_foolbox_pgd_on_a_real_model() -> None:
    """PGD-40 with a random start is foolbox's; the curve, one run for all epsilons, leaves no more standing."""
    import foolbox

    opened = real("mnist_small")
    rows = np.random.default_rng(1).permutation(len(opened.data))[:40]
    batch = next(opened.data.at(rows).batches(40))
    epsilons = (0.05, 0.1, 0.15, 0.2)
    with opened.model.frozen():
        found = robust_curve(opened.model, batch.x, batch.y, epsilons)
        handle = foolbox.models.PyTorchModel(
            opened.model.module, bounds=(0, 1), preprocessing={"mean": [0.1307], "std": [0.3081], "axis": -3}
        )
        torch.manual_seed(0)
        attack = foolbox.attacks.LinfPGD(steps=40)
        _, _, success = attack(handle, batch.x, batch.y, epsilons=list(epsilons))

    for k in range(len(epsilons)):
        ours, theirs = int((found.index > k).sum()), int((~success[k]).sum())
        assert ours <= theirs
        assert theirs - ours <= 8  # the same threat: PGD is weaker, not another attack


@needs_shared
def test_a_model_trained_for_certified_robustness_is_opened() -> None:
    """True gradients leave 134 of 194 of mnist_kw standing at .15, FMN says .86 at .3 where the truth is 0."""
    opened = real("mnist_kw")
    rows = np.random.default_rng(0).permutation(len(opened.data))[:50]
    batch = next(opened.data.at(rows).batches(50))
    with opened.model.frozen():
        found = robust_curve(opened.model, batch.x, batch.y, (0.1, 0.15, 0.3))

    assert (found.index > 0).sum() >= 45
    assert (found.index > 1).sum() <= 30
    assert (found.index > 2).sum() == 0


def test_pgd_raises_the_loss_inside_the_ball() -> None:
    case = zoo.inplace_relu()
    batch = next(case.data.batches(24))
    generator = torch.Generator().manual_seed(0)
    with case.model.frozen():
        worst = pgd(case.model, batch.x, batch.y, 0.1, steps=10, generator=generator)
        before, after = (nn.functional.cross_entropy(case.model(x), batch.y) for x in (batch.x, worst))

    assert after > before + 0.1
    assert (worst - batch.x).abs().max() <= 0.1 + 1e-6
    assert worst.min() >= 0 and worst.max() <= 1
    assert not worst.requires_grad


@needs_shared
def test_is_at_most_foolbox_in_l2_on_a_real_model() -> None:
    """At each size as many standing as PGD-40 and FMN-100 leave together, or fewer."""
    import foolbox

    opened = real("mnist_small")
    rows = np.random.default_rng(2).permutation(len(opened.data))[:24]
    batch = next(opened.data.at(rows).batches(24))
    epsilons = (0.5, 1.0, 1.5, 2.0)
    with opened.model.frozen():
        found = robust_curve(opened.model, batch.x, batch.y, epsilons, norm="l2")
        handle = foolbox.models.PyTorchModel(
            opened.model.module, bounds=(0, 1), preprocessing={"mean": [0.1307], "std": [0.3081], "axis": -3}
        )
        torch.manual_seed(0)
        attacks = foolbox.attacks.L2PGD(steps=40), foolbox.attacks.L2FMNAttack(steps=100)
        theirs = [a(handle, batch.x, batch.y, epsilons=list(epsilons))[2] for a in attacks]
    both = (~(theirs[0] | theirs[1])).sum(1).tolist()

    ours = [int((found.index > k).sum()) for k in range(4)]
    assert all(o <= b for o, b in zip(ours, both, strict=True))
    assert all(b - o <= 4 for o, b in zip(ours, both, strict=True))
