"""Square attack: answers alone, never worse than where it starts, as many questions as were allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.balls import Norm, ball_of
from auditor.attacks.curve import Frontiers, confirmed
from auditor.attacks.goals import AnotherClass, AnotherValue
from auditor.attacks.square import square
from auditor.subject import Model
from tests.attacks.linear import exact, linear, value
from tests.attacks.patients import Patient, patient

NORMS: tuple[Norm, ...] = ("linf", "l2")
ROWS = 30


class Counting(nn.Module):
    """Counts the rows that it is asked about, and gives no gradient."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.asked = inner, 0

    def forward(self, x: Tensor) -> Tensor:
        self.asked += len(x)
        with torch.no_grad():
            y: Tensor = self.inner(x)
        return y


def untouched(model: Model, x: Tensor, y: Tensor, epsilons: tuple[float, ...], norm: Norm = "linf") -> Frontiers:
    """Broken where wrong as they are, standing everywhere else."""
    ball = ball_of(norm, model, x)
    return confirmed(model, AnotherClass(), ball, x, y, x.clone(), x.clone(), torch.tensor(epsilons))


def digits(norm: Norm) -> tuple[Patient, tuple[float, ...]]:
    p = patient("plain")
    return replace(p, x=p.x[:ROWS], y=p.y[:ROWS]), ((0.05, 0.1, 0.15, 0.2) if norm == "linf" else (0.3, 0.6, 0.9, 1.2))


# ---- how strong it is --------------------------------------------------------------------------------------------
def test_a_linear_model_is_broken_a_little_beyond_its_exact_distance() -> None:
    """12 numbers: all at the right end of the box after some hundred questions."""
    model, x, y = linear()
    distance = exact(model, x, y, "linf")
    near = (0.02 * 1.1 ** torch.arange(60)).tolist()
    found = square(model, x, y, near, untouched(model, x, y, tuple(near)), queries=500)
    rows = (found.index < len(near)) & (distance > near[0])

    assert int(rows.sum()) >= 50
    assert bool((found.distance[rows] >= distance[rows] * 0.999).all())
    assert float((found.distance / distance)[rows].median()) <= 1.15
    assert float((found.distance / distance)[rows].max()) <= 1.5


@pytest.mark.parametrize("norm", NORMS)
def test_it_finds_much_that_random_changes_do_not(norm: Norm) -> None:
    """1,000 questions each: the best of 1,000 random points of the ball against squares."""
    p, epsilons = digits(norm)
    ball, random = ball_of(norm, p.model, p.x), torch.Generator().manual_seed(0)
    with p.model.frozen(), torch.no_grad():
        start = untouched(p.model, p.x, p.y, epsilons[2:3], norm)
        found = square(p.model, p.x, p.y, epsilons[2:3], start, norm=norm, queries=1000)
        stands = torch.ones(ROWS, dtype=torch.bool)
        for _ in range(100):
            at = [ball.noise(p.x, torch.full((ROWS,), epsilons[2]), random) for _ in range(10)]
            wrong = p.model(torch.cat(at)).argmax(1).view(10, ROWS) != p.y
            stands &= ~wrong.any(0)

    assert int(stands.sum()) >= int((found.index > 0).sum()) + ROWS // 3


@pytest.mark.parametrize("norm", NORMS)
def test_more_questions_find_more(norm: Norm) -> None:
    p, epsilons = digits(norm)
    with p.model.frozen():
        start = untouched(p.model, p.x, p.y, epsilons[1:3], norm)
        few, many = (
            square(p.model, p.x, p.y, epsilons[1:3], start, norm=norm, queries=q).index.sum() for q in (20, 600)
        )

    assert many < few < start.index.sum()


# ---- what it may not do ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("near", [False, True])
def test_it_is_never_worse_than_its_start_and_what_it_finds_is_legal(norm: Norm, near: bool) -> None:
    p, epsilons = digits(norm)
    ball = ball_of(norm, p.model, p.x)
    with p.model.frozen():
        start = square(p.model, p.x, p.y, epsilons, untouched(p.model, p.x, p.y, epsilons, norm), norm=norm, queries=30)
        found = square(p.model, p.x, p.y, epsilons, start, norm=norm, queries=30, near=near, seed=5)
        wrong = p.model(found.witness).argmax(1) != p.y
    broken = found.index < 4

    assert bool((found.index <= start.index).all())
    assert bool((found.distance <= start.distance)[start.index == found.index].all())
    assert torch.equal(wrong, broken)
    assert found.witness.min() >= 0 and found.witness.max() <= 1
    assert bool(
        (ball.distance(found.witness, p.x) <= torch.tensor((*epsilons, 99.0))[found.index] + 1e-6)[broken].all()
    )


@pytest.mark.parametrize("norm", NORMS)
def test_the_same_seed_finds_the_same_and_another_another(norm: Norm) -> None:
    p, epsilons = digits(norm)
    with p.model.frozen():
        start = untouched(p.model, p.x, p.y, epsilons, norm)
        first, again, other = (
            square(p.model, p.x, p.y, epsilons, start, norm=norm, queries=20, seed=s).witness for s in (1, 1, 2)
        )

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("near", [False, True])
def test_no_more_questions_are_asked_than_allowed(near: bool) -> None:
    """For each sample and epsilon; breaking and falling into the next ball asks one question more."""
    p, epsilons = digits("linf")
    counting = Counting(p.model.module)
    model = replace(p.model, module=counting)
    with model.frozen():
        start = untouched(model, p.x, p.y, epsilons)
        counting.asked = 0
        found = square(model, p.x, p.y, epsilons, start, queries=25, near=near)
    fallen = 4 - found.index

    assert counting.asked <= int((25 * (fallen + 1) + fallen).sum()) + ROWS
    assert counting.asked >= 25 * int((found.index == 4).sum())


def test_what_is_broken_at_the_smallest_is_asked_nothing() -> None:
    model, x, y = linear()
    counting = Counting(model.module)
    start = Frontiers(torch.zeros(60).long(), x + 1, torch.full((60,), 0.1), x)
    asking = replace(model, module=counting)

    square(asking, x, 1 - y, (0.5,), start, queries=50)

    assert counting.asked == 60  # the last pass, which confirms


# ---- shapes ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (1, 1, 1), (3, 1, 1), (1, 2, 9), (2, 5, 1), (3, 4, 4), (4, 6)])
def test_inputs_of_any_shape_are_searched(norm: Norm, shape: tuple[int, ...]) -> None:
    """The mean of all against .5: a change of .2 in every element turns what is .1 away."""
    x = torch.full((6, *shape), 0.4)

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mean = x.flatten(1).mean(1)
            return torch.stack([0.5 - mean, mean - 0.5], 1)

    model, y = Model(Mean(), ("a", "b")), torch.zeros(6).long()
    length = x[0].numel() ** 0.5 if norm == "l2" else 1.0
    epsilons = (0.09 * length, 0.2 * length)
    found = square(model, x, y, epsilons, untouched(model, x, y, epsilons, norm), norm=norm, queries=300)

    assert found.witness.shape == x.shape
    assert found.index.min() == 1
    assert int((found.index > 1).sum()) <= (norm == "l2")


def test_elements_without_a_unit_are_not_moved() -> None:
    model, x, y = linear()
    model = replace(model, unit=torch.tensor([1.0, 0.0] * 6))
    for norm in NORMS:
        found = square(model, x, y, (2.0,), untouched(model, x, y, (2.0,), norm), norm=norm, queries=50)

        assert torch.equal(found.witness[:, 1::2], x[:, 1::2])
        assert int((found.index == 0).sum()) > 30


@pytest.mark.parametrize("norm", NORMS)
def test_units_are_only_a_scale(norm: Norm) -> None:
    """Powers of two: not a bit differs."""
    model, x, y = linear()
    unit = 2.0 ** torch.arange(-6, 6)

    class Scaled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            z: Tensor = model.module(x / unit)
            return z

    scaled = Model(Scaled(), model.classes, bounds=(-50 * unit, 50 * unit), unit=unit)
    plain, found = (
        square(m, at, y, (0.2, 0.5), untouched(m, at, y, (0.2, 0.5), norm), norm=norm, queries=60)
        for m, at in ((model, x), (scaled, x * unit))
    )

    assert torch.equal(found.witness, plain.witness * unit)
    assert int((plain.index < 2).sum()) > 10


def test_values_are_moved_too() -> None:
    model, x, y = value()
    far = 1 / float(model.module.weight.abs().sum())
    goal, epsilons = AnotherValue(1.0), (0.95 * far, 1.3 * far)
    start = confirmed(model, goal, ball_of("linf", model, x), x, y, x.clone(), x.clone(), torch.tensor(epsilons))

    assert square(model, x, y, epsilons, start, queries=400, goal=goal).index.tolist() == [1] * len(x)
