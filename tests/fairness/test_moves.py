"""Columns moved to where another group has them: its distribution comes out, ranks stay, no more moves than must."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from auditor.columns import Column
from auditor.fairness.moves import as_group, carried


def drawn(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def draws(n: int, seed: int = 9) -> Any:
    return drawn(seed).random(n)


def shares(values: Any) -> dict[float, float]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), (counts / len(values)).tolist(), strict=True))


def test_numbers_take_the_other_groups_values_at_their_own_rank() -> None:
    own, other = drawn(0).normal(size=200), 3 + 2 * drawn(1).normal(size=200)
    moved = carried(own, own, other, draws(200), ordered=True)

    assert sorted(moved) == sorted(other)
    assert (np.argsort(moved) == np.argsort(own)).all()


def test_quantiles_are_those_of_numpy_where_sizes_differ() -> None:
    own, other = drawn(0).normal(size=60), drawn(1).exponential(size=500)
    moved = carried(own, own, other, np.full(60, 0.5), ordered=True)
    rank = (np.argsort(np.argsort(own)) + 0.5) / 60

    assert moved.tolist() == np.quantile(other, rank, method="inverted_cdf").tolist()


def test_columns_that_rise_together_still_do() -> None:
    own, other = drawn(0).normal(size=70), drawn(1).normal(size=200)
    first, second = (carried(k * own, k * own, k * other, draws(70, seed=k), ordered=True) for k in (1, 2))

    assert (second == 2 * first).all()


def test_equal_numbers_are_parted_as_the_other_group_is() -> None:
    own, other = np.repeat([0.0, 40.0, 80.0], [300, 600, 100]), np.repeat([0.0, 40.0, 80.0], [500, 300, 200])
    moved = carried(own, own, other, draws(1000), ordered=True)

    for value, share in shares(other).items():
        assert shares(moved)[value] == pytest.approx(share, abs=0.04)
    assert set(moved[own == 80]) == {80.0}  # the highest tenth is among the highest fifth
    assert set(moved[own == 0]) == {0.0}


def test_a_group_that_is_the_other_one_stays_as_it_is() -> None:
    values = np.round(drawn(0).normal(size=300), 1)

    assert (carried(values, values, values, draws(300), ordered=True) == values).all()
    assert (carried(values, values, values, draws(300), ordered=False) == values).all()


def test_of_categories_as_few_move_as_must() -> None:
    """A maximal coupling: what moves is the total variation between the two, and all of it goes where it is wanted."""
    n = 20_000
    own = drawn(0).choice(4, n, p=[0.5, 0.3, 0.2, 0.0]).astype(float)
    other = drawn(1).choice(4, n, p=[0.2, 0.4, 0.2, 0.2]).astype(float)
    moved = carried(own, own, other, draws(n), ordered=False)
    before, after = shares(own), shares(other)
    variation = sum(abs(before.get(v, 0) - after.get(v, 0)) for v in range(4)) / 2

    for value, share in after.items():
        assert shares(moved)[value] == pytest.approx(share, abs=0.015)
    assert (moved != own).mean() == pytest.approx(variation, abs=0.015)
    assert set(own[moved != own]) <= {v for v in before if before[v] > after.get(v, 0)}


def test_a_flag_that_is_one_thing_in_a_group_becomes_what_it_is_in_the_other() -> None:
    assert carried(np.zeros(30), np.zeros(30), np.ones(7), draws(30), ordered=False).tolist() == [1.0] * 30


@pytest.mark.parametrize("ordered", [True, False])
def test_what_is_missing_stays_and_without_values_all_stays(ordered: bool) -> None:
    own, other = np.array([1.0, np.nan, 2.0]), np.array([5.0, np.nan, 6.0])
    moved = carried(own, own, other, np.full(3, 0.5), ordered=ordered)

    assert np.isnan(moved).tolist() == [False, True, False]
    assert set(moved[[0, 2]]) <= {5.0, 6.0}
    assert np.array_equal(carried(own, own, np.full(4, np.nan), np.full(3, 0.5), ordered=ordered), own, equal_nan=True)


def test_a_category_that_the_group_is_not_known_by_stays() -> None:
    moved = carried(np.array([7.0, 0.0]), np.zeros(5), np.ones(5), np.full(2, 0.5), ordered=False)

    assert moved.tolist() == [7.0, 1.0]


def test_every_value_that_comes_out_is_one_of_the_other_group() -> None:
    """So whole numbers stay whole, and ranges are kept."""
    own, other = drawn(0).integers(0, 9, 100).astype(float), drawn(1).integers(20, 30, 7).astype(float)

    assert set(carried(own, own, other, draws(100), ordered=True)) <= set(other)


def test_only_the_columns_named_and_the_rows_of_other_groups_move() -> None:
    columns = (Column("a", 0, 1), Column("b", 1, 2), Column("c", 2, 3, kind="flag"))
    rows = np.array([[1.0, 1, 0], [2, 2, 0], [8, 8, 1], [9, 9, 1], [5, 5, 0]])
    codes = np.array([0, 0, 1, 1, -1])
    made = as_group(rows, codes, 1, (rows[:2], rows[2:4]), columns, [0, 2], np.full((5, 3), 0.5))

    assert made.tolist() == [[8, 1, 1], [9, 2, 1], [8, 8, 1], [9, 9, 1], [5, 5, 0]]
