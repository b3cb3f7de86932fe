"""Tests of single columns against scipy, hand counts, and the rate of false alarms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as reference

from auditor.columns import Column
from auditor.shifted.columns import ColumnShift, column_shifts
from auditor.stats import holm

NUMBER = Column("age", 0, 1)
SORT = Column("sort", 0, 3, "category", ("a", "b", "c"))
FLAG = Column("flag", 0, 1, "flag")


def one(column: Column, a: list[float], b: list[float]) -> ColumnShift:
    (found,) = column_shifts((column,), np.array(a, float)[:, None], np.array(b, float)[:, None])
    return found


@pytest.mark.parametrize(("n", "m"), [(7, 11), (200, 300), (900, 700)])
def test_numbers_are_told_apart_as_scipy_does(n: int, m: int) -> None:
    draw = np.random.default_rng(n)
    a, b = draw.normal(0, 1, n), draw.normal(0.2, 1.1, m)
    expected = reference.ks_2samp(a, b, method="exact" if n < 500 else "asymp")

    found = one(NUMBER, a.tolist(), b.tolist())

    assert found.distance == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)


def test_the_distance_of_numbers_is_the_largest_of_their_distribution_functions() -> None:
    # at 2: all of the first lie at or below, of the second one of four
    assert one(NUMBER, [0, 1, 2], [2, 3, 4, 5]).distance == 0.75


def test_categories_are_counted() -> None:
    a, b = [0.0] * 30 + [1.0] * 50 + [2.0] * 20, [0.0] * 60 + [1.0] * 20 + [2.0] * 20
    found = one(SORT, a, b)

    assert found.distance == pytest.approx(0.3)  # (.3 + .3 + 0) / 2
    assert found.p == pytest.approx(reference.chi2_contingency([[30, 50, 20], [60, 20, 20]], correction=False)[1])
    assert (found.reference, found.audited) == ("a: 0.300", "a: 0.600")


def test_rare_values_are_counted_together_and_few_rows_exactly() -> None:
    # b and c are expected 1.5 and 2 times a side, together 3.5: they join a, and nothing but Fisher is left of two
    few = one(SORT, [0.0] * 9 + [1.0], [0.0] * 5 + [1.0] * 5)
    pooled = one(SORT, [0.0] * 40 + [1.0] * 58 + [2.0] * 2, [0.0] * 60 + [1.0] * 37 + [2.0] * 3)

    assert few.test == "Fisher"
    assert few.p == pytest.approx(reference.fisher_exact([[9, 1], [5, 5]])[1])
    # c (5 in all, 2.5 a side) joins the next rarer, b (95)
    assert pooled.p == pytest.approx(reference.chi2_contingency([[40, 60], [60, 40]], correction=False)[1])


def test_a_column_that_never_varies_tells_nothing_and_one_that_jumps_tells_all() -> None:
    same, moved = one(NUMBER, [3.0] * 20, [3.0] * 30), one(NUMBER, [3.0] * 20, [4.0] * 30)

    assert (same.p, same.distance, same.adjusted) == (None, None, None)
    assert moved.distance == 1 and moved.p < 1e-9


def test_what_is_missing_is_a_shift_of_its_own() -> None:
    values = np.random.default_rng(0).normal(size=200)
    gaps = np.where(np.arange(200) % 4 == 0, np.nan, values)
    found = one(NUMBER, values.tolist(), gaps.tolist())
    whole = one(NUMBER, values.tolist(), gaps[~np.isnan(gaps)].tolist())

    assert found.missing == (0.0, 0.25)
    fisher = reference.chi2_contingency([[0, 200], [50, 150]], correction=False)[1]
    assert found.p == pytest.approx(2 * min(fisher, whole.p))
    assert one(NUMBER, [np.nan] * 5, [np.nan] * 5).p is None
    assert one(NUMBER, [np.nan] * 30, [1.0] * 30).p < 1e-9


def test_holm_is_over_the_columns_that_can_tell_something() -> None:
    draw = np.random.default_rng(1)
    a, b = draw.normal(size=(80, 4)), draw.normal(size=(90, 4))
    b[:, 1] += 0.7
    a[:, 3] = b[:5, 3].mean()
    b[:, 3] = a[0, 3]
    found = column_shifts(tuple(Column(f"c{i}", i, i + 1) for i in range(4)), a, b)

    assert [f.adjusted for f in found[:3]] == holm([f.p for f in found[:3] if f.p is not None])
    assert found[3].adjusted is None
    assert found[1].adjusted < 0.01


@pytest.mark.parametrize("kind", ["numbers", "categories"])
def test_without_a_shift_a_column_is_flagged_in_at_most_one_of_twenty_pairs(kind: str) -> None:
    column = NUMBER if kind == "numbers" else SORT
    columns = tuple(Column(f"c{i}", i, i + 1, column.kind, column.values) for i in range(8))
    alarms = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        sides = [
            draw.normal(size=(n, 8)) if kind == "numbers" else draw.choice(3, (n, 8), p=(0.6, 0.37, 0.03)).astype(float)
            for n in (60, 90)
        ]
        alarms += any(f.adjusted < 0.05 for f in column_shifts(columns, *sides))

    assert alarms <= 18  # of 200 at 5 %, 18 or fewer in 99 % of such runs
