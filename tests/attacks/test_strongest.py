"""The smallest change of each sample over everything that is known, whatever the model is like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.balls import Norm, ball_of
from auditor.attacks.curve import Frontiers, robust_curve
from auditor.attacks.goals import AnotherClass, AnotherValue, Goal
from auditor.attacks.plan import PLAN
from auditor.attacks.seen import seen_by_search
from auditor.attacks.strongest import strongest
from auditor.subject import Model
from tests.attacks.linear import exact, linear, value
from tests.attacks.patients import patient

NORMS: tuple[Norm, ...] = ("linf", "l2")
EPSILONS = (0.05, 0.1, 0.2, 0.4, 0.8)


def found_for(
    model: Model, x: Tensor, y: Tensor, epsilons: tuple[float, ...] = EPSILONS, *, norm: Norm = "linf",
    steps: int = 10, goal: Goal | None = None,
) -> Frontiers:  # fmt: skip
    with model.frozen():
        return strongest(seen_by_search(model, x, y, goal=goal), x, y, epsilons, norm=norm, steps=steps, goal=goal)


def small_net(seed: int, classes: int = 3) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, classes)).eval()


# ---- linear models -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("classes", [2, 5])
def test_a_linear_models_distances_are_exact(norm: Norm, classes: int) -> None:
    model, x, y = linear(8, classes)
    distance = exact(model, x, y, norm)
    found = found_for(model, x, y, norm=norm)
    turned = found.distance > 0

    assert found.index.tolist() == (distance[:, None] > torch.tensor(EPSILONS)).sum(1).tolist()
    assert bool((found.distance[turned] >= distance[turned] * (1 - 1e-4)).all())
    # among five classes the one that broke it may not be the nearest
    near = found.distance[turned] <= distance[turned] * 1.02
    assert float(near.float().mean()) >= (1.0 if classes == 2 else 0.9)


@pytest.mark.parametrize("norm", NORMS)
def test_a_linear_value_is_moved_at_its_exact_distance(norm: Norm) -> None:
    model, x, y = value()
    w = model.module.weight
    far = 0.5 / float(w.abs().sum() if norm == "linf" else w.norm())
    found = found_for(model, x, y, (0.9 * far, 1.1 * far), norm=norm, goal=AnotherValue(0.5))

    assert found.index.tolist() == [1] * len(x)
    assert found.distance.tolist() == pytest.approx([far] * len(x), rel=0.02)


# ---- the minimum -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(3))
def test_each_sample_breaks_no_later_than_by_any_part(norm: Norm, seed: int) -> None:
    model = Model(small_net(seed), ("a", "b", "c"), bounds=(-3.0, 3.0))
    x = torch.randn(40, 6, generator=torch.Generator().manual_seed(seed))
    ball = ball_of(norm, model, x)
    with model.frozen(), torch.no_grad():
        y = model(x).argmax(1)
        noise = torch.full((40,), 5)
        for k in range(4, -1, -1):  # the same draws do not matter: no draw may be smaller by much
            at = ball.noise(x, torch.full((40,), EPSILONS[k]), torch.Generator().manual_seed(9))
            noise[model(at).argmax(1) != y] = k
    found = found_for(model, x, y, norm=norm)
    with model.frozen():
        gradients = robust_curve(model, x, y, EPSILONS, norm=norm, steps=10, plan=PLAN[:5])

    assert bool((found.index <= gradients.index).all())
    assert bool((found.index <= noise).all())
    assert bool((found.distance <= gradients.distance)[gradients.index < 5].all())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(6))
def test_every_witness_is_wrong_and_inside_bounds_and_ball(norm: Norm, seed: int) -> None:
    model = Model(small_net(seed), ("a", "b", "c"), bounds=(-1.0, 1.5), unit=torch.tensor([1, 0.5, 2, 0, 1, 1.0]))
    x = (torch.randn(30, 6, generator=torch.Generator().manual_seed(seed))).clamp(-1, 1.5)
    with model.frozen():
        y = model(x).argmax(1)
        parts = robust_curve(model, x, y, EPSILONS, norm=norm, steps=8), found_for(model, x, y, norm=norm)
        for found in parts:
            broken = found.index < 5
            away = ((found.witness - x) / model.unit)[:, [0, 1, 2, 4, 5]]
            size = away.abs().amax(1) if norm == "linf" else away.norm(dim=1)

            assert torch.equal(model(found.witness).argmax(1) != y, broken)
            assert bool((size <= torch.tensor((*EPSILONS, 9.0))[found.index] + 1e-6).all())
            assert torch.allclose(size[broken], found.distance[broken], atol=1e-6)
            assert bool((found.witness >= -1).all() and (found.witness <= 1.5).all())
            assert torch.equal(found.witness[:, 3], x[:, 3])


def test_the_same_seed_gives_the_same_witnesses_bit_for_bit() -> None:
    model = Model(small_net(0), ("a", "b", "c"), bounds=(-3.0, 3.0))
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    y = model(x).argmax(1)
    first, again = (found_for(model, x, y) for _ in range(2))

    assert torch.equal(first.witness, again.witness)
    assert torch.equal(first.distance, again.distance)


# ---- models and rows of every kind -------------------------------------------------------------------------------
def test_what_is_wrong_as_it_is_breaks_at_nothing() -> None:
    model, x, y = linear()
    y[::3] = 1 - y[::3]
    found = found_for(model, x, y)

    assert found.index[::3].tolist() == [0] * 20
    assert found.distance[::3].tolist() == [0.0] * 20


def test_a_constant_model_stands_everywhere() -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([0 * x.sum(1) + 1, 0 * x.sum(1)], 1)

    x = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
    found = found_for(Model(Constant(), ("a", "b")), x, torch.zeros(4).long(), (0.1, 0.5))

    assert found.index.tolist() == [2] * 4


@pytest.mark.parametrize("rows", [1, 2])
def test_few_rows_are_attacked_too(rows: int) -> None:
    model, x, y = linear()
    all_rows = found_for(model, x, y)
    found = found_for(model, x[:rows], y[:rows])

    assert found.index.tolist() == all_rows.index[:rows].tolist()


def test_a_row_breaks_where_it_breaks_whatever_the_others_hold() -> None:
    p = patient("plain")
    x, y = p.x[:6], p.y[:6]
    together = found_for(p.model, x, y, (0.05, 0.1, 0.2)).index
    apart = torch.cat([found_for(p.model, x[i : i + 1], y[i : i + 1], (0.05, 0.1, 0.2)).index for i in range(6)])

    assert int((together - apart).abs().max()) <= 1
    assert int((together != apart).sum()) <= 1


class Refusing(nn.Module):
    """A linear model that raises for batches, or gives NaN for rows, with a first element above 1."""

    def __init__(self, *, raises: bool, wrapped: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        super().__init__()
        self.raises, self.wrapped = raises, wrapped

    def forward(self, x: Tensor) -> Tensor:
        odd = x[:, 0] > 1
        if self.raises and bool(odd.any()):
            msg = "outside of what it was made for"
            raise ValueError(msg)
        z = self.wrapped(x)[:, 1]
        return torch.where(odd[:, None], torch.nan, torch.stack([-z, z], 1))


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("hides", [False, True])
def test_where_a_model_fails_it_is_broken(raises: bool, hides: bool) -> None:
    """By the smaller of |x1| and 1 - x0. Probes of what hides gradients fail there too."""
    wrapped: Callable[[Tensor], Tensor] = (lambda x: x.detach()) if hides else (lambda x: x)
    model = Model(Refusing(raises=raises, wrapped=wrapped), ("a", "b"), bounds=(-5.0, 5.0))
    x = torch.tensor([[0.95, 3.0], [0.95, -3.0], [0.0, 0.3], [-4.0, -0.15], [-4.0, 4.0]])
    y = (x[:, 1] > 0).long()

    assert found_for(model, x, y).index.tolist() == [1, 1, 3, 2, 5]


class Saturated(nn.Module):
    """Forty gates that are shut so far from .5 that float32 knows no slope there."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = torch.randn(30, 40, generator=torch.Generator().manual_seed(0))

    def forward(self, x: Tensor) -> Tensor:
        found = torch.sigmoid(60 * ((x - 0.5) @ self.gates - 4.5)).sum(1)
        return torch.stack([0 * found + 8, found], 1)


def test_a_network_that_is_saturated_at_every_row_is_opened_by_softened_gradients() -> None:
    x = 0.45 + 0.1 * torch.rand(12, 30, generator=torch.Generator().manual_seed(0))
    model, y = Model(Saturated(), ("a", "b")), torch.zeros(12).long()
    seen = seen_by_search(model, x, y)
    found = found_for(model, x, y, (0.1, 0.5), steps=40)

    assert (seen.blind, seen.softens) == (1, True)
    assert found.index.tolist() == [1] * 12


def test_half_precision_weights_are_attacked() -> None:
    plain = Model(small_net(1), ("a", "b", "c"), bounds=(-3.0, 3.0))
    half = Model(small_net(1).bfloat16(), ("a", "b", "c"), bounds=(-3.0, 3.0))
    x = torch.randn(30, 6, generator=torch.Generator().manual_seed(1))
    with half.frozen():
        y = half(x).argmax(1)
    found, expected = found_for(half, x, y), found_for(plain, x, y)
    with half.frozen():
        wrong = half(found.witness).argmax(1) != y

    assert torch.equal(wrong, found.index < 5)
    assert int((found.index - expected.index).abs().gt(0).sum()) <= 3


def test_a_program_that_takes_four_rows_at_once_is_attacked(tmp_path: Path) -> None:
    plain = Model(small_net(2), ("a", "b", "c"), bounds=(-3.0, 3.0))
    torch.export.save(torch.export.export(plain.module, (torch.zeros(4, 6),)), tmp_path / "m.pt2")
    model = replace(plain, module=torch.export.load(tmp_path / "m.pt2").module(), batch=4)
    x = torch.randn(10, 6, generator=torch.Generator().manual_seed(2))
    y = plain(x).argmax(1).detach()

    # a program has no evaluation mode
    found = strongest(seen_by_search(model, x, y), x, y, EPSILONS, steps=10)

    assert found.index.tolist() == found_for(plain, x, y).index.tolist()


class OneLogit(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        z = self.inner(x)
        return z[:, 1:] - z[:, :1]


@pytest.mark.parametrize("name", ["one logit", "one probability", "probabilities"])
def test_the_same_decisions_break_alike_however_they_are_given(name: str) -> None:
    model, x, y = linear(6)
    head = model.module
    module, output = {
        "one logit": (OneLogit(head), "logits"),
        "one probability": (nn.Sequential(OneLogit(head), nn.Sigmoid()), "probabilities"),
        "probabilities": (nn.Sequential(head, nn.Softmax(1)), "probabilities"),
    }[name]
    given = replace(model, module=module, output="logits" if output == "logits" else "probabilities")

    assert found_for(given, x, y).index.tolist() == found_for(model, x, y).index.tolist()


def test_what_answers_at_random_is_broken_so_clearly_that_other_draws_agree() -> None:
    p = patient("noisy input")
    x, y, sizes = p.x[:40], p.y[:40], (0.05, 0.15, 0.3)
    with torch.random.fork_rng(), p.model.frozen():
        torch.manual_seed(0)
        seen = seen_by_search(p.model, x, y)
        # a goal that asks for no more than another class
        found = strongest(seen, x, y, sizes, steps=20, goal=AnotherClass())
        with torch.no_grad():
            again = torch.stack([seen.model(found.witness).argmax(1) != y for _ in range(10)]).float().mean(0)

    broken = found.index < 3
    assert int(broken.sum()) >= 32  # of 40; 25 where any lead of another class ends the search
    assert float(again[broken].mean()) > 0.8
