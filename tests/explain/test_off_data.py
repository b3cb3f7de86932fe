"""Rows off the data: fresh rows of the same kind are not, columns that are pulled apart are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from auditor.explain.games import column_game
from auditor.explain.off_data import Cloud
from auditor.explained.made_up import of_all_sizes, off_data
from auditor.registry import Context
from auditor.subject import Data
from tests import zoo


def test_distances_are_in_deviations_of_the_first_half() -> None:
    rows = np.array([[0.0, 7], [9, 7], [2, 7], [1, 7], [4, 7], [3, 7]])  # every other one: 0, 2, 4 and 9, 1, 3
    found = Cloud.of(rows)
    variance = 8 / 3

    assert found.middle.tolist() == [2, 7]
    assert found.distance(np.array([[6.0, 7], [6.0, 99]])) == pytest.approx([16 / variance / 1.001] * 2)
    assert found.off(np.array([[2.0, 0], [20.0, 7]])) == 1  # a column of one value has no say


@pytest.mark.parametrize(("columns", "rows"), [(8, 600), (50, 200), (100, 150), (500, 300)])
def test_fresh_rows_of_the_same_kind_lie_on_the_data_however_many_columns_there_are(columns: int, rows: int) -> None:
    """Measured by the rows that the cloud is made of, all of them would be off from 100 columns on."""
    chance = np.random.default_rng(0)
    mixing = chance.normal(size=(columns, columns))
    known, fresh = (chance.normal(size=(n, columns)) @ mixing for n in (rows, 2000))

    assert Cloud.of(known).off(fresh) < 0.03 * 2000


def test_columns_that_go_together_are_off_when_they_are_pulled_apart() -> None:
    chance = np.random.default_rng(0)
    a = chance.normal(size=(600, 1))
    known = np.concatenate([a, a + 0.1 * chance.normal(size=(600, 1)), chance.normal(size=(600, 1))], 1)
    apart = known.copy()
    apart[:, 1] = chance.permutation(apart[:, 1])

    assert Cloud.of(known).off(apart) > 0.7 * 600


def test_only_rows_of_columns_can_be_off_the_data_and_only_where_there_are_enough_to_know_it_by() -> None:
    case, image = zoo.linear_table(), zoo.planted_patch()
    x = case.data.read(np.arange(24))
    game = column_game(x[0], x, case.data.columns, 0)
    asked = [(game, of_all_sizes(game, 50, 0))]

    (found,), _ = off_data(Context(case.model, case.data), asked)
    (unknown,), words = off_data(Context(case.model, case.data, Data.of(x[:19], torch.zeros(19))), asked)

    assert found.n == 50
    assert (unknown.value, words) == (None, [])
    assert off_data(Context(image.model, image.data), []) == ([], [])
