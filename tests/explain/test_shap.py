"""SHAP on games with known values: efficiency, symmetry, dummy, and exact values by enumeration."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest
import torch

from auditor.explain.players import from_raw, mixed, per_column, to_raw
from auditor.explain.segments import masked, superpixels
from auditor.explain.shap import kernel_shap
from auditor.subject import Column
from tests import zoo

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::DeprecationWarning")

Game = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]


def exact(game: Game, players: int) -> np.ndarray[Any, Any]:
    """Shapley values by their definition, over all coalitions."""
    phi = np.zeros(players)
    for i in range(players):
        others = [p for p in range(players) if p != i]
        for size in range(players):
            weight = factorial(size) * factorial(players - size - 1) / factorial(players)
            for coalition in combinations(others, size):
                z = np.zeros((2, players))
                z[:, list(coalition)] = 1
                z[1, i] = 1
                without, with_ = game(z)
                phi[i] += weight * (with_ - without)
    return phi


def curved(z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A game with interactions; player 3 does nothing, players 0 and 1 are alike."""
    return np.tanh(z[:, 0] + z[:, 1] + 2 * z[:, 2] * z[:, 4]) + z[:, 0] * z[:, 1] - 0.5 * z[:, 4]


def test_few_players_are_counted_exactly() -> None:
    found = kernel_shap(curved, 5, budget=400, seed=0)

    assert found.values == pytest.approx(exact(curved, 5), abs=1e-6)
    assert found.error < 1e-6


def test_values_add_up_like_players_are_equal_and_a_dummy_gets_nothing() -> None:
    found = kernel_shap(curved, 5, budget=400, seed=0)

    assert found.values.sum() == pytest.approx(found.value - found.base, abs=1e-9)
    assert found.values[0] == pytest.approx(found.values[1], abs=1e-6)
    assert found.values[3] == pytest.approx(0, abs=1e-6)


def test_with_many_players_no_value_is_silently_zero_and_the_error_is_stated() -> None:
    """shap's default would keep ten of the 20 values and set the others to 0."""
    weights = np.linspace(0.5, 2, 20)

    def game(z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.tanh(z @ weights / 10)

    found = kernel_shap(game, 20, budget=600, seed=1)

    assert (np.abs(found.values) > 1e-3).all()
    assert 0 < found.error < 0.2
    assert np.corrcoef(found.values, weights)[0, 1] > 0.9


def test_the_same_seed_gives_the_same_values_and_one_player_gets_all() -> None:
    def game(z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.sin(z.sum(1))

    first, again = (kernel_shap(game, 20, budget=200, seed=3) for _ in range(2))

    assert np.array_equal(first.values, again.values)
    assert kernel_shap(game, 1, budget=64, seed=0).values == pytest.approx([np.sin(1.0)])


# ---- players -----------------------------------------------------------------------------------------------------
def test_superpixels_cover_an_image_and_are_about_as_many_as_asked() -> None:
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    image[:, :16] = 0
    for about in (9, 25, 60):
        parts = superpixels(image, about)

        assert parts.shape == (32, 32)
        assert set(np.unique(parts)) == set(range(parts.max() + 1))
        assert about / 3 <= parts.max() + 1 <= 2 * about
    assert superpixels(torch.rand(1, 8, 8), 16).max() + 1 == 16
    assert superpixels(torch.rand(1, 2, 2), 25).max() + 1 == 4


def test_masking_keeps_what_is_present_and_shows_the_mean_colour_elsewhere() -> None:
    image = torch.rand(3, 8, 8)
    parts = superpixels(image, 4)
    present = np.eye(parts.max() + 1)

    shown = masked(image, parts, present)

    assert torch.equal(masked(image, parts, np.ones((1, parts.max() + 1)))[0], image)
    for i in range(len(present)):
        inside = torch.from_numpy(parts == i)
        assert torch.equal(shown[i][:, inside], image[:, inside])
        assert torch.allclose(shown[i][:, ~inside], image.mean((1, 2))[:, None].expand(-1, int((~inside).sum())))


def test_a_category_is_one_player() -> None:
    columns = zoo.categories().data.columns
    x, background = torch.tensor([1.0, 1, 0, 0, 1]), torch.tensor([[0.0, 0, 1, 0, 0], [2.0, 0, 0, 1, 0]])

    found = mixed(x, background, np.array([[1, 0, 0], [0, 0, 1]]), columns)

    assert found.tolist() == [
        [[1, 0, 1, 0, 0], [1, 0, 0, 1, 0]],
        [[0, 0, 0, 0, 1], [2, 0, 0, 0, 1]],
    ]
    assert per_column(torch.tensor([[1.0, 2, 3, 4, 5]]), columns).tolist() == [[1, 2, 12]]


def test_raw_columns_lead_back_to_the_vectors() -> None:
    case = zoo.categories()
    x = next(case.data.batches(10)).x.clone()
    x[0, 2:] = 0  # a value that is not listed

    raw = to_raw(x, case.data.columns)

    assert raw[0, 2] == 3
    assert torch.equal(from_raw(raw, case.data.columns), x)


def test_columns_show_values_as_they_stood_in_the_file() -> None:
    column = Column("age", 0, 1, mean=38.6, std=13.6)

    assert [column.shown([(v - 38.6) / 13.6]) for v in (0.0, 17.0, 90.25)] == ["0", "17", "90.25"]
