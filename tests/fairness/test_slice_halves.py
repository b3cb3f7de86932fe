"""Slices that are there are confirmed on the other half; where none is, none is, but for one audit in twenty."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, fisher_exact

from auditor.fairness.slice_halves import Halves, searched_and_tested, smallest_slice
from auditor.fairness.slice_search import inside
from auditor.integers import Integers
from auditor.stats import holm
from tests.fairness.test_slice_search import PLANTED, crossing

SETTINGS = {"top": 10, "depth": 3, "alpha": 0.95}


def test_the_halves_hold_all_rows_once_and_the_same_share_of_errors() -> None:
    columns, wrong = crossing(1001)
    found = searched_and_tested(columns, wrong, seed=3, **SETTINGS)

    assert found.searched[1] + found.tested[1] == 1001 and abs(found.searched[1] - found.tested[1]) <= 2
    assert found.searched[0] + found.tested[0] == wrong.sum() and 0 <= found.tested[0] - found.searched[0] <= 1
    for t in found.slices:  # what the search saw and what the test saw are all there is
        rows = inside(t.slice.where, columns)
        assert t.slice.rows + t.inside[1] == rows.sum() and t.slice.wrong + t.inside[0] == wrong[rows].sum()
        assert (t.inside[0] + t.rest[0], t.inside[1] + t.rest[1]) == found.tested


def test_p_values_are_fishers_after_holm() -> None:
    random = np.random.default_rng(0)
    columns = [random.integers(0, k, 2000) for k in (3, 4, 5)]
    wrong = random.random(2000) < 0.1 + 0.05 * (columns[0] == 0) + 0.05 * (columns[1] == 2) + 0.04 * (columns[2] == 1)
    found = searched_and_tested(columns, wrong, seed=0, **SETTINGS | {"depth": 1}).slices
    p = [
        fisher_exact([[t.inside[0], t.inside[1] - t.inside[0]], [t.rest[0], t.rest[1] - t.rest[0]]], "greater").pvalue
        for t in found
    ]

    assert len(found) >= 2
    assert [t.p for t in found] == pytest.approx(holm(p))
    assert [t.confirmed for t in found] == [q < 0.05 for q in holm(p)]


def test_a_planted_slice_is_found_first_and_confirmed_and_what_lies_in_it_is_not() -> None:
    others = 0
    for seed in range(40):
        first, *more = searched_and_tested(*crossing(6000, seed), seed=seed, **SETTINGS).slices
        assert first.slice.where == PLANTED and first.confirmed
        others += any(t.confirmed for t in more if set(t.slice.where) > set(PLANTED))

    assert others <= binom.ppf(0.999, 40, 0.05)


def noise(seed: int, rows: int = 600) -> tuple[list[Integers], np.ndarray]:
    """Eight columns that errors have nothing to do with."""
    random = np.random.default_rng(seed)
    return [random.integers(0, k, rows) for k in (2, 2, 3, 3, 4, 4, 5, 5)], random.random(rows) < 0.1


def by_chance_on_its_own_half(found: Halves) -> bool:
    """Whether the half that was searched would confirm a slice, were it asked."""
    k, n = found.searched
    tables = [[[t.slice.wrong, t.slice.rows - t.slice.wrong], [k - t.slice.wrong, n - k - t.slice.rows + t.slice.wrong]]
              for t in found.slices]  # fmt: skip
    return any(p < 0.05 for p in holm([fisher_exact(t, "greater").pvalue for t in tables]))


def test_where_there_is_no_slice_none_is_confirmed_more_often_than_in_one_of_twenty_audits() -> None:
    audits = [searched_and_tested(*noise(seed), seed=seed, **SETTINGS) for seed in range(200)]
    confirmed = sum(any(t.confirmed for t in found.slices) for found in audits)

    assert sum(len(found.slices) for found in audits) > 400
    assert confirmed <= binom.ppf(0.999, 200, 0.05)
    assert sum(map(by_chance_on_its_own_half, audits)) > 100  # why the other half is there


def test_a_value_that_has_no_part_in_it_is_not_confirmed_inside_a_slice_that_is_bad() -> None:
    confirmed, listed = 0, 0
    for seed in range(60):
        columns, _ = noise(seed, 1500)
        wrong = np.random.default_rng([seed, 1]).random(1500) < np.where(columns[4] == 1, 0.4, 0.1)
        found = searched_and_tested(columns, wrong, seed=seed, **SETTINGS).slices
        assert ((4, 1),) in [t.slice.where for t in found if t.confirmed]
        longer = [t for t in found if len(t.slice.where) > 1 and (4, 1) in t.slice.where]
        listed += bool(longer)
        confirmed += any(t.confirmed for t in longer)

    assert listed > 30 and confirmed <= binom.ppf(0.999, 60, 0.05)


def test_the_smallest_slice_is_a_hundredth_of_the_rows_and_no_less_than_32() -> None:
    assert [smallest_slice(n) for n in (64, 3200, 3201, 50_000)] == [32, 32, 33, 500]
