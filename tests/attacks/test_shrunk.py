"""Changes are made smaller, still break, and reach the exact distance of a linear model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.balls import Norm, ball_of
from auditor.attacks.curve import Frontiers, confirmed
from auditor.attacks.goals import AnotherClass, AnotherValue
from auditor.attacks.shrunk import shrunk
from auditor.subject import Model
from tests.attacks.linear import exact, linear, value
from tests.attacks.patients import patient

NORMS: tuple[Norm, ...] = ("linf", "l2")
EPSILONS = (0.1, 0.5, 2.0, 20.0)


def by_noise(model: Model, x: Tensor, y: Tensor, norm: Norm, epsilons: tuple[float, ...]) -> Frontiers:
    """What 50 random points of the largest ball break: far from the smallest changes."""
    ball, random = ball_of(norm, model, x), torch.Generator().manual_seed(0)
    found = confirmed(model, AnotherClass(), ball, x, y, x, x, torch.tensor(epsilons))
    for _ in range(50):
        at = ball.noise(x, torch.full((len(x),), epsilons[-1]), random)
        found = found.sooner(confirmed(model, AnotherClass(), ball, x, y, at, x, torch.tensor(epsilons)))
    return found


@pytest.mark.parametrize("norm", NORMS)
def test_a_linear_models_exact_distance_is_reached_from_wherever_it_broke(norm: Norm) -> None:
    model, x, y = linear()
    start = by_noise(model, x, y, norm, EPSILONS)
    rows = start.distance > 0

    found = shrunk(model, x, y, EPSILONS, start, norm=norm)

    ratio = (found.distance / exact(model, x, y, norm))[rows]
    assert int(rows.sum()) >= 40
    assert float(ratio.min()) >= 1 - 1e-4
    assert float(ratio.max()) <= 1.02


@pytest.mark.parametrize("norm", NORMS)
def test_no_change_grows_and_every_one_still_breaks(norm: Norm) -> None:
    p = patient("plain")
    x, y, epsilons = p.x[:40], p.y[:40], (0.2, 0.5) if norm == "linf" else (1.0, 4.0)
    with p.model.frozen():
        start = by_noise(p.model, x, y, norm, epsilons)
        found = shrunk(p.model, x, y, epsilons, start, norm=norm)
        broken = p.model(found.witness).argmax(1) != y
    ball = ball_of(norm, p.model, x)

    assert bool((found.distance <= start.distance).all())
    assert torch.equal(broken, p.model(start.witness).argmax(1) != y)
    assert found.distance[start.distance > 0].mean() < 0.7 * start.distance[start.distance > 0].mean()
    assert torch.allclose(ball.distance(found.witness, x)[broken], found.distance[broken])
    assert found.witness.min() >= 0 and found.witness.max() <= 1


@pytest.mark.parametrize("steps", [0, 20])
def test_the_frontier_follows_the_change(steps: int) -> None:
    model, x, y = linear()
    found = shrunk(model, x, y, EPSILONS, by_noise(model, x, y, "linf", EPSILONS), steps=steps)
    rows = found.distance > 0

    assert found.index[rows].tolist() == (found.distance[rows, None] > torch.tensor(EPSILONS)).sum(1).tolist()


def test_without_gradients_the_way_to_the_sample_is_halved() -> None:
    """Six halvings leave at most a 64th more than where that way crosses the border."""
    model, x, y = linear()
    start = by_noise(model, x, y, "l2", EPSILONS)
    rows = start.distance > 0
    found = shrunk(model, x, y, EPSILONS, start, norm="l2", steps=0)

    head = model.module
    assert isinstance(head, nn.Linear)
    w, b = head.weight[1] - head.weight[0], head.bias[1] - head.bias[0]
    crossing = -(x @ w + b) / ((start.witness - x) @ w) * start.distance
    assert bool((found.distance - crossing)[rows].ge(-1e-4).all())
    assert bool(((found.distance - crossing) <= start.distance / 64 + 1e-4)[rows].all())


def test_a_value_is_moved_by_as_little_as_can_be() -> None:
    model, x, y = value()
    w = model.module.weight[0]
    start = confirmed(
        model, AnotherValue(1.0), ball_of("linf", model, x), x, y, x + torch.sign(w), x, torch.tensor(EPSILONS)
    )

    found = shrunk(model, x, y, EPSILONS, start, goal=AnotherValue(1.0))

    assert found.distance.tolist() == pytest.approx([1 / float(w.abs().sum())] * len(x), rel=0.02)


def test_what_stands_stays_as_it_is() -> None:
    model, x, y = linear()
    nothing = Frontiers(torch.full((60,), 4), x.clone(), torch.zeros(60), x.clone())

    assert shrunk(model, x, y, EPSILONS, nothing) is nothing


def test_only_what_the_model_itself_agrees_to_counts() -> None:
    """Gradients of a model that gives in earlier: never worse than halving, and smaller by them."""
    model, x, y = linear()
    start = by_noise(model, x, y, "linf", EPSILONS)
    halved = shrunk(model, x, y, EPSILONS, start, steps=0)

    class Eager(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            z: Tensor = model.module(x)
            return torch.where(nn.functional.one_hot(y[start.distance > 0], 2).bool(), z - 1, z)

    found = shrunk(model, x, y, EPSILONS, start, seen=replace(model, module=Eager()))

    assert bool((found.distance <= halved.distance).all())
    assert found.distance.mean() < 0.8 * halved.distance.mean()
