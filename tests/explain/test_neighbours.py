"""Neighbours: who is drawn how often, what the linear model sees of it, and that draws go on where fewer end."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from auditor.columns import Column
from auditor.explain.games import Game
from auditor.explain.neighbours import cosine_kernel, euclidean_kernel, of_row, of_superpixels, of_words

COLUMNS = (
    Column("age", 0, 1),
    Column("fixed", 1, 2),
    Column("city", 2, 5, "category", ("x", "y", "z")),
    Column("missing", 5, 6),
    Column("on", 6, 7, "flag"),
)
ROWS = torch.zeros(8, 7)
ROWS[:, 0] = torch.tensor([0.0, 2.0] * 4)  # a deviation of 1
ROWS[:6, 2], ROWS[6:, 3] = 1, 1  # city x three times as often as y, never z
ROWS[:, 5] = torch.nan
ROWS[:2, 6] = 1
X = torch.tensor([5.0, 7.0, 0.0, 1.0, 0.0, torch.nan, 0.0])


def nobody(players: int) -> Game:
    return Game(players, 0, lambda draws: torch.zeros(len(draws), 1, 1))


def test_rows_move_by_the_deviation_of_the_background_and_take_its_other_values() -> None:
    around, varied = of_row(X, ROWS, COLUMNS, 0)
    draws = around.draw((0, 0), 20_000)
    shown, features = around.game.show(draws)[:, 0], around.seen(draws)

    assert varied == [0, 2, 4]
    assert shown[:, 0].mean() == pytest.approx(5, abs=0.03)
    assert shown[:, 0].std() == pytest.approx(1, abs=0.02)
    assert bool((shown[:, 1] == 7).all())
    assert bool(shown[:, 5].isnan().all())  # what is not known stays as it is
    assert shown[:, 2:5].mean(0).tolist() == pytest.approx([0.75, 0.25, 0], abs=0.01)
    assert shown[:, 6].mean() == pytest.approx(0.25, abs=0.01)
    assert features[:, 0] == pytest.approx((shown[:, 0] - 5).tolist(), abs=1e-5)
    assert features[:, 1].tolist() == [0.0 if y else -1.0 for y in shown[:, 3]]
    assert features[:, 2].tolist() == [-1.0 if on else 0.0 for on in shown[:, 6]]


def test_a_background_of_one_row_lets_no_column_vary() -> None:
    assert of_row(X, ROWS[:1], COLUMNS, 0)[1] == []


def test_superpixels_are_hidden_half_of_the_time_and_words_in_every_number() -> None:
    hidden = of_superpixels(nobody(4)).draw((0, 0), 20_000)
    there = of_words(nobody(4)).draw((0, 0), 20_000).sum(1)

    assert hidden.mean(0) == pytest.approx([0.5] * 4, abs=0.015)
    assert np.bincount(there, minlength=5) / 20_000 == pytest.approx([0, 0.25, 0.25, 0.25, 0.25], abs=0.015)


def test_more_draws_begin_with_the_fewer_and_every_run_has_its_own() -> None:
    for around in (of_superpixels(nobody(5)), of_words(nobody(5)), of_row(X, ROWS, COLUMNS, 0)[0]):
        many = around.draw((3, 1), 64)

        assert np.array_equal(around.draw((3, 1), 16), many[:16])
        assert not np.array_equal(around.draw((3, 2), 64), many)
        assert not np.array_equal(around.draw((4, 1), 64), many)


def test_kernels() -> None:
    there = np.array([[1.0, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]])
    steps = np.array([[0.0, 0.0], [3.0, 4.0]])

    assert cosine_kernel(there) == pytest.approx([1, np.exp(-(0.5**2) / (2 * 0.25**2)), np.exp(-8)])
    assert euclidean_kernel(steps) == pytest.approx([1, np.sqrt(np.exp(-25 / (0.75**2 * 2)))])
