"""Balls by hand and by brute force: where a change may lie, how large it is, and how fast a slope rises in it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.balls import Ball, Norm, ball_of
from auditor.subject import Model

NORMS: tuple[Norm, ...] = ("linf", "l2")


def ball(norm: Norm, x: Tensor, unit: Tensor | float = 1.0, low: float = 0.0, high: float = 1.0) -> Ball:
    return ball_of(norm, Model(nn.Identity(), ("a",), bounds=(low, high), unit=unit), x)


def at(*radii: float) -> Tensor:
    return torch.tensor(radii)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---- by hand -----------------------------------------------------------------------------------------------------
def test_a_change_is_clipped_to_each_norms_ball() -> None:
    x, far = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])

    assert ball("linf", x, low=-9, high=9).clip(far, x, at(2.0)).tolist() == [[2, 2]]
    assert ball("l2", x, low=-9, high=9).clip(far, x, at(2.5)).tolist() == [[1.5, 2]]


def test_every_sample_has_a_radius_of_its_own() -> None:
    x, far = torch.zeros(3, 2), torch.full((3, 2), 8.0)

    assert ball("linf", x, high=9).clip(far, x, at(0.0, 1.0, 20.0)).tolist() == [[0, 0], [1, 1], [8, 8]]
    assert torch.allclose(
        ball("l2", x, high=9).clip(far, x, at(0.0, math.sqrt(2), 20.0)), torch.tensor([[0.0, 0], [1, 1], [8, 8]])
    )


@pytest.mark.parametrize("norm", NORMS)
def test_what_lies_inside_is_not_moved(norm: Norm) -> None:
    x, near = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.6, 0.45]])

    assert torch.equal(ball(norm, x).clip(near, x, at(0.2)), near)


@pytest.mark.parametrize(("norm", "size"), [("linf", 3.0), ("l2", 5.0)])
def test_size_is_counted_in_units(norm: Norm, size: float) -> None:
    x, changed = torch.zeros(1, 3), torch.tensor([[6.0, 0.0, 2.0]])  # 3 units of 2, nothing, 4 units of .5

    assert ball(norm, x, torch.tensor([2.0, 1.0, 0.5 if norm == "l2" else 1.0])).distance(changed, x).item() == size


@pytest.mark.parametrize("norm", NORMS)
def test_what_has_no_unit_never_moves(norm: Norm) -> None:
    unit, x = torch.tensor([1.0, 0.0]), torch.tensor([[0.5, 0.5]])
    b = ball(norm, x, unit)

    assert b.clip(torch.ones(1, 2), x, at(0.3))[0, 1] == 0.5
    assert b.noise(x.expand(50, 2), torch.full((50,), 0.3), seeded(0))[:, 1].unique().tolist() == [0.5]
    assert b.steepest(torch.ones(1, 2)).tolist() == [[1, 0]]
    assert b.slope(torch.tensor([[2.0, 7.0]])).item() == 2
    assert not b.holds(torch.tensor([[0.5, 0.6]]), x, at(0.3))


@pytest.mark.parametrize("norm", NORMS)
def test_a_sample_outside_the_bounds_may_stay_or_come_in(norm: Norm) -> None:
    x = torch.tensor([[1.5, 0.5]])
    b = ball(norm, x)

    assert b.holds(x, x, at(0.1))
    assert torch.equal(b.clip(x, x, at(0.1)), x)
    assert b.clip(torch.tensor([[2.0, 0.5]]), x, at(9.0)).tolist() == [[1.5, 0.5]]
    assert b.clip(torch.tensor([[1.0, 0.5]]), x, at(9.0)).tolist() == [[1, 0.5]]


def test_distances_by_hand() -> None:
    x, changed = torch.zeros(2, 3), torch.tensor([[0.1, -0.2, 0.2], [0.0, 0.0, 0.0]])

    assert ball("linf", x).distance(changed, x).tolist() == pytest.approx([0.2, 0])
    assert ball("l2", x).distance(changed, x).tolist() == pytest.approx([0.3, 0])


# ---- the direction of steepest rise ------------------------------------------------------------------------------
@pytest.mark.parametrize("unit", [1.0, torch.tensor([1.0, 0.5, 3.0])])
def test_the_slope_is_the_most_that_any_change_of_size_1_gives(unit: Tensor | float) -> None:
    """The dual norm, over the corners of the box, and over 100,000 points of the sphere."""
    g = torch.tensor([[0.3, -2.0, 0.7]])
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3) * unit
    points = torch.nn.functional.normalize(torch.randn(100_000, 3, generator=seeded(0)), dim=1) * unit

    assert ball("linf", g, unit).slope(g).item() == pytest.approx(float((corners @ g[0]).max()))
    assert ball("l2", g, unit).slope(g).item() == pytest.approx(float((points @ g[0]).max()), rel=1e-3)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e-20, 1e15])
def test_the_steepest_change_has_size_1_and_reaches_the_slope(norm: Norm, scale: float) -> None:
    g = torch.randn(4, 7, generator=seeded(1)) * scale
    unit = torch.rand(7, generator=seeded(2)) + 0.1
    b = ball(norm, g, unit, -9, 9)
    d = b.steepest(g)

    assert b.distance(d, torch.zeros(4, 7)).tolist() == pytest.approx([1] * 4, rel=1e-5)
    rise = (d.double() * g.double()).sum(1)
    dual = (g.double() * unit).abs().sum(1) if norm == "linf" else (g.double() * unit).norm(dim=1)
    assert rise.tolist() == pytest.approx(dual.tolist(), rel=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_no_slope_is_no_direction(norm: Norm) -> None:
    assert ball(norm, torch.zeros(1, 3)).steepest(torch.zeros(1, 3)).tolist() == [[0, 0, 0]]


# ---- properties --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("offset", "spread"), [(0.0, 1.0), (2000.0, 5.0), (-3e5, 300.0), (1e6, 0.5)])
@pytest.mark.parametrize("seed", range(5))
def test_what_was_clipped_is_held(norm: Norm, offset: float, spread: float, seed: int) -> None:
    """A year or a salary: float32 rounds such inputs by more than any fixed tolerance."""
    random = seeded(seed)
    x = offset + spread * torch.randn(50, 6, generator=random)
    x[0] = offset + 9 * spread  # outside
    far = x + spread * 3 * torch.randn(50, 6, generator=random)
    unit = torch.full((6,), spread)
    unit[2] = 0
    b = ball(norm, x, unit, offset - 2 * spread, offset + 2 * spread)
    radius = torch.rand(50, generator=random)

    assert bool(b.holds(b.clip(far, x, radius), x, radius).all())


@pytest.mark.parametrize("norm", NORMS)
def test_what_lies_outside_is_not_held(norm: Norm) -> None:
    x = torch.full((3, 2), 0.5)
    outside = torch.tensor([[0.5, 0.6001], [0.39, 0.5], [0.5, 1.01]])

    assert ball(norm, x).holds(outside, x, at(0.1, 0.1, 9.0)).tolist() == [False] * 3


@pytest.mark.parametrize("norm", NORMS)
def test_clipping_twice_is_clipping_once(norm: Norm) -> None:
    x, far = torch.rand(40, 5, generator=seeded(0)), torch.randn(40, 5, generator=seeded(1))
    b, radius = ball(norm, x), torch.rand(40, generator=seeded(2))
    once = b.clip(far, x, radius)

    assert torch.allclose(b.clip(once, x, radius), once, atol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_noise_is_in_the_ball_and_spread_as_in_it(norm: Norm) -> None:
    """Uniform in k dimensions: the share of points within half the radius is 2 ** -k."""
    x = torch.zeros(20_000, 3)
    b, radius = ball(norm, x, torch.tensor([1.0, 2.0, 0.0]), -9, 9), torch.full((20_000,), 0.8)
    points = b.noise(x, radius, seeded(0))

    assert bool(b.holds(points, x, radius).all())
    assert float((b.distance(points, x) < 0.4).float().mean()) == pytest.approx(0.25, abs=0.015)
    assert points.mean(0).tolist() == pytest.approx([0, 0, 0], abs=0.03)


def test_a_large_image_has_noise_of_the_whole_length() -> None:
    x = torch.full((4, 3, 32, 32), 0.5)
    b = ball("l2", x)

    assert b.distance(b.noise(x, torch.full((4,), 1.0), seeded(0)), x).tolist() == pytest.approx([1] * 4, rel=0.01)
