"""Certificates by draws: bounds counted by hand, a model whose radius is known, and looks that never add errors."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch

from auditor.certify.smoothed import Sampling, _certified_row, at_least, at_most, certified_by_draws, looks
from auditor.wrapped.randomised_smoothing import Smoothed
from tests import zoo


def tail(k: int, n: int, p: float) -> float:
    """The probability of at least `k` of `n`, term by term."""
    return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (7, 10), (10, 10), (95, 100), (100, 100)])
@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_bounds_are_where_the_tail_is_alpha(k: int, n: int, alpha: float) -> None:
    from scipy.stats import binomtest

    low, high = float(at_least(np.asarray(k), n, alpha)), float(at_most(np.asarray(k), n, alpha))

    assert low == 0 if k == 0 else tail(k, n, low) == pytest.approx(alpha, rel=1e-6)
    assert high == 1 if k == n else 1 - tail(k + 1, n, high) == pytest.approx(alpha, rel=1e-6)
    interval = binomtest(k, n).proportion_ci(1 - 2 * alpha, method="exact")
    assert (low, high) == pytest.approx((interval.low, interval.high), rel=1e-9, abs=1e-12)


def test_looks_double_and_end_at_the_most() -> None:
    assert looks(100) == [100]
    assert looks(1000) == [100, 200, 400, 800, 1000]


# ---- a linear model, whose smoothed radius is its distance to the border ------------------------------------------
EPSILONS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.3)


def linear(most: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The distance of each row to the border (below 0 where it is wrong), the sizes reached, and the draws."""
    case = zoo.linear_table()
    x, y = case.data.read(np.arange(24)), torch.from_numpy(case.data.y)
    head = case.model.module
    distance = (x @ head.weight[1] + head.bias[1]) / head.weight[1].norm()
    signed = torch.where(y == 1, distance, -distance).detach()
    how = Sampling(most, 0.001, seed, 512)
    found = certified_by_draws(Smoothed(case.model, 0.5, 1, 0), x, y, case.data.row_ids, EPSILONS, how)
    assert bool((signed[found.right] > 0).all()) and bool(found.right[signed > 0.05].all())
    return signed, found.index, found.drawn


def test_the_radius_of_a_linear_model_is_never_exceeded_and_nearly_reached() -> None:
    """Under noise the class is named with probability Phi(distance / sigma), so that Cohen's radius is the distance."""
    signed, index, drawn = linear(20_000)
    radius = torch.tensor((0.0, *EPSILONS))[index]

    assert bool((radius <= signed.clamp_min(0)).all())
    near = torch.tensor([max((e for e in (0.0, *EPSILONS) if e <= 0.9 * float(d)), default=0.0) for d in signed])
    assert int((radius < near).sum()) <= 1
    assert float(drawn.float().mean()) < 0.5 * 20_000


def test_more_draws_certify_no_less_and_the_same_seed_the_same() -> None:
    few, many = linear(200), linear(5000)

    assert bool((few[1] <= many[1] + 1).all()) and int(few[1].sum()) < int(many[1].sum())
    assert all(torch.equal(a, b) for a, b in zip(linear(200), few, strict=True))


# ---- looking several times ---------------------------------------------------------------------------------------
class Coin:
    """A row that is named so with probability `p`."""

    def __init__(self, p: float, random: np.random.Generator) -> None:
        self.p, self.random = p, random

    def hits(self, n: int) -> int:
        return int(self.random.binomial(n, self.p))


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_looking_often_certifies_wrongly_at_most_as_often_as_allowed(alpha: float) -> None:
    """Rows just below what a size needs: with every look at the whole of alpha it would be more than alpha of them."""
    needed = np.asarray([0.5, NormalDist().cdf(1.0)])
    random, how = np.random.default_rng(0), Sampling(1600, alpha, 0, 1)
    wrong = [_certified_row(needed, how, Coin(needed[1], random))[0] == 2 for _ in range(3000)]
    allowed = 3000 * alpha + 3 * math.sqrt(3000 * alpha * (1 - alpha))

    assert 0 < sum(wrong) <= allowed


def test_a_row_is_left_as_soon_as_it_is_settled() -> None:
    random, how = np.random.default_rng(0), Sampling(10_000, 0.001, 0, 1)
    needed = np.asarray([0.5, 0.9])

    assert _certified_row(needed, how, Coin(1.0, random)) == (2, 100)
    assert _certified_row(needed, how, Coin(0.0, random)) == (0, 100)
    reached, drawn = _certified_row(needed, how, Coin(0.7, random))
    assert reached == 1 and drawn < 1000
