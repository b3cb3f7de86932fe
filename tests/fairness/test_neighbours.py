"""Distances in columns' deviations, the nearest rows, and how steep answers are between them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch.nn.functional import one_hot

from auditor.columns import Column
from auditor.fairness import neighbours
from auditor.fairness.neighbours import in_deviations, nearest, steepness

COLUMNS = (
    Column("age", 0, 1, mean=40.0, std=10.0),
    Column("city", 1, 4, "category", ("x", "y", "z")),
    Column("still", 4, 5),
    Column("member", 5, 6, "flag"),
)


def rows(n: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    city = one_hot(torch.multinomial(torch.tensor([0.7, 0.2, 0.1]), n, replacement=True, generator=generator), 3)
    member = (torch.rand(n, 1, generator=generator) < 0.1).float()
    return torch.cat([3 * torch.randn(n, 1, generator=generator) + 1, city.float(), torch.ones(n, 1), member], 1)


def test_two_rows_lie_as_far_apart_in_any_column_on_average() -> None:
    found = in_deviations(rows(400), COLUMNS)
    squared = ((found[:, None] - found[None]) ** 2).mean((0, 1))

    assert found.shape == (400, 5)  # without the one that is the same in all rows
    assert squared[0] == pytest.approx(2.0)
    assert squared[1:4].sum() == pytest.approx(2.0)
    assert squared[4] == pytest.approx(2.0)


def test_a_column_can_be_left_out() -> None:
    x = rows(50)

    assert np.array_equal(in_deviations(x, COLUMNS, ("age", "member")), in_deviations(x, COLUMNS)[:, 1:4])
    assert in_deviations(x, COLUMNS, ("age", "city", "member")).shape == (50, 0)


def test_the_nearest_are_scikit_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "AT_ONCE", 1000)  # in several parts
    x = np.random.default_rng(0).normal(size=(120, 3))
    distance, place = NearestNeighbors(n_neighbors=5).fit(x).kneighbors()  # of the rows themselves, without each
    found, away = nearest(x, x, 5, np.arange(120))

    assert np.array_equal(found, place)
    assert away == pytest.approx(distance)


def test_a_row_of_the_pool_is_not_its_own_neighbour_but_its_twin_is_at_no_distance() -> None:
    x = np.array([[1e3, 0.1], [1e3, 0.1], [0.0, 5.0]])

    place, away = nearest(x, x, 1, np.arange(3))
    assert place[:2, 0].tolist() == [1, 0]
    assert away[:2, 0].tolist() == [0.0, 0.0]
    assert nearest(x[:1], x, 1, np.full(1, -1))[1][0, 0] == 0.0


def test_steepness_is_counted_by_hand() -> None:
    """20 pairs at distance 2, of which the first two differ by .1 and .4: the 19th of 20 ratios is .05."""
    p = np.tile([0.5, 0.5], (20, 1))
    p[0], p[1] = [0.6, 0.4], [0.9, 0.1]
    near = np.full((20, 1), 19)
    measures, caveats = steepness(p, near, np.full((20, 1), 2.0))

    assert {m.name: m.value for m in measures} == pytest.approx({"lipschitz_95": 0.05, "lipschitz_largest": 0.2})
    assert caveats == []


def test_a_difference_over_nothing_has_no_figure() -> None:
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5]])
    measures, caveats = steepness(p, np.array([[1], [0], [0]]), np.array([[0.0], [0.0], [1.0]]))

    assert [m.value for m in measures] == [None, None]
    (said,) = caveats
    assert said.startswith("2 rows have a neighbour that is the same in all that counts here")
    assert said.endswith("and get probabilities that differ by up to 0.3.")


def test_rows_that_are_the_same_and_get_the_same_are_no_reason_to_doubt() -> None:
    p = np.full((4, 2), 0.5)
    measures, caveats = steepness(p, np.array([[1], [0], [3], [2]]), np.zeros((4, 1)))

    assert [m.value for m in measures] == [0.0, 0.0] and caveats == []
    assert not math.isnan(measures[0].value or 0.0)
