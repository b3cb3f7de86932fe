"""Intervals against scipy, published examples and independent derivations."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from auditor.intervals import mover_of_falls, mover_r, newcombe, newcombe_paired, student, wilson
from auditor.stats import (
    difference,
    fall_difference,
    interval,
    mean,
    mean_correlation,
    mean_share,
    mean_size,
    paired,
    rank_correlation,
    rate,
    ratio,
    share,
    tails,
)
from auditor.types import Measure

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (10, 10), (81, 263), (279, 300)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_wilson_is_scipys(k: int, n: int, confidence: float) -> None:
    expected = reference.binomtest(k, n).proportion_ci(confidence, method="wilson")

    found = wilson(k, n, confidence)

    assert found.value == k / n
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [  # Newcombe 1998, Stat. Med. 17:873, table II, method 10
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
    ],
)
def test_newcombe_reproduces_the_papers_table(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    found = newcombe(*counts)

    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@given(counts, counts)
def test_mover_limits_solve_the_equation_they_come_from(first: tuple[int, int], second: tuple[int, int]) -> None:
    (k1, n1), (k2, n2) = first, second
    found = mover_r(k1, n1, k2, n2)
    if k2 == 0:
        assert found.value is found.low is found.high is None
        return
    p, q = wilson(k1, n1), wilson(k2, n2)

    # Donner & Zou 2012: p - L q errs by the margins of p from below and of q from above, in quadrature
    assert p.value - found.low * q.value == pytest.approx(
        math.hypot(p.value - p.low, found.low * (q.high - q.value)), abs=1e-7
    )
    assert found.high * q.value - p.value == pytest.approx(
        math.hypot(p.high - p.value, found.high * (q.value - q.low)), rel=1e-7
    )
    assert found.low <= found.value <= found.high


# both, the first alone, the second alone, neither; the interval: Newcombe 1998, Stat. Med. 17:2635, table II, method 10
@pytest.mark.parametrize(("pairs", "low", "high"), [((36, 12, 2, 0), 0.0569, 0.3404)])
def test_paired_differences_are_the_published_ones(pairs: tuple[int, int, int, int], low: float, high: float) -> None:
    both, first, second, neither = pairs
    found = newcombe_paired(both + first, both + second, both, both + first + second + neither)

    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@given(st.lists(st.tuples(st.sampled_from([0, 1 / 3, 2 / 3, 1]), st.integers(0, 1)), min_size=1, max_size=40))
def test_paired_differences_turn_round_and_lie_within_those_of_other_rows(pairs: list[tuple[float, int]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    there, back = paired("d", first, second), paired("d", second, first)
    apart = newcombe(sum(first), len(pairs), sum(second), len(pairs))

    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)
    assert there.low <= there.value <= there.high
    if len(pairs) * sum(a * b for a, b in pairs) > sum(first) * sum(second):  # rows go together
        assert there.low >= apart.low - 1e-9
        assert there.high <= apart.high + 1e-9


pairs_of_scores = st.lists(st.tuples(st.sampled_from([0, 1 / 3, 1]), st.sampled_from([0, 1])), min_size=1, max_size=40)


@given(pairs_of_scores, pairs_of_scores)
def test_differences_of_falls_turn_round(one: list[tuple[float, int]], other: list[tuple[float, int]]) -> None:
    f, g = (paired("d", *zip(*pairs, strict=True)) for pairs in (one, other))
    there, back = fall_difference("d", f, g), fall_difference("d", g, f)

    assert there.value == pytest.approx(f.value - g.value, abs=1e-9) and there.n == len(one) + len(other)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)
    assert there.low <= there.value <= there.high


def test_beside_a_group_of_which_all_is_known_the_difference_of_falls_is_the_fall() -> None:
    many = 10**10
    found, alone = mover_of_falls(30, 18, 16, 40, many, many, many, many), newcombe_paired(30, 18, 16, 40)

    assert (found.value, found.low, found.high) == pytest.approx((alone.value, alone.low, alone.high), abs=1e-6)
    assert mover_of_falls(0, 0, 0, 0, 1, 1, 1, 1).value is None


def test_differences_of_falls_hold_the_truth_as_often_as_they_say() -> None:
    """Of one group 90 % are right and .6 of these stand, of the other 60 % and .8: they lose .36 and .12."""
    random, held, rounds = np.random.default_rng(0), 0, 2000
    for _ in range(rounds):
        clean = [random.random(n) < p for n, p in ((40, 0.9), (25, 0.6))]
        stands = [c & (random.random(len(c)) < p) for c, p in zip(clean, (0.6, 0.8), strict=True)]
        falls = [paired("d", c.tolist(), s.tolist()) for c, s in zip(clean, stands, strict=True)]
        found = fall_difference("d", *falls)
        held += found.low <= 0.36 - 0.12 <= found.high

    assert held / rounds > 0.94


def test_paired_differences_of_parts_of_rows_hold_the_truth_as_often_as_they_say() -> None:
    """Rows that are clean at random and stand each of three severities at random, less often where they are not."""
    random, held, rounds, n = np.random.default_rng(0), 0, 2000, 40
    for _ in range(rounds):
        clean = random.random(n) < 0.9
        stands = (random.random((n, 3)) < np.where(clean, 0.7, 0.1)[:, None]).mean(1)
        found = paired("d", (1 - stands).tolist(), (1.0 - clean).tolist())
        held += found.low <= (1 - (0.9 * 0.7 + 0.1 * 0.1)) - 0.1 <= found.high

    assert held / rounds > 0.94


@given(st.lists(st.floats(-100, 100), min_size=5, max_size=30))
def test_student_is_scipys(values: list[float]) -> None:
    array = np.array(values)
    deviation = float(array.std(ddof=1))
    if deviation < 1e-9:
        return
    expected = reference.t.interval(0.95, len(values) - 1, array.mean(), deviation / math.sqrt(len(values)))

    found = student(len(values), float(array.mean()), deviation)

    assert (found.low, found.high) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_mean_of_sizes_is_students_and_never_below_0() -> None:
    skewed, even = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], [1.0, 1.1, 0.9, 1.05, 0.95, 1.0]

    found, plain = mean_size("m", skewed), mean("m", skewed)
    assert plain.low is not None and plain.low < 0
    assert found.low == 0.0 and found.high == pytest.approx(plain.high, abs=1e-12)
    assert tails(found.method, found.counts, -0.01)[0] < 1e-9
    assert mean_size("m", even).low == pytest.approx(mean("m", even).low, abs=1e-12)
    assert mean_size("m", [0.3]).low is None and mean_size("m", []).value is None


@pytest.mark.parametrize(("of", "least"), [(mean_share, 0.0), (mean_correlation, -1.0)])
def test_the_mean_of_shares_and_of_correlations_is_students_and_ends_where_they_do(
    of: Callable[..., Measure], least: float
) -> None:
    high, low, even = [1.0] * 7 + [0.8], [least] * 7 + [least + 0.2], [0.5, 0.6, 0.4, 0.55, 0.45, 0.5]

    assert mean("m", high).high > 1 and of("m", high).high == 1.0
    assert mean("m", low).low < least and of("m", low).low == least
    assert of("m", high).low == mean("m", high).low and of("m", low).high == mean("m", low).high
    assert (of("m", even).value, of("m", even).low, of("m", even).high) == pytest.approx(
        (mean("m", even).value, mean("m", even).low, mean("m", even).high)
    )
    assert of("m", [1 + 1e-7] * 6).high == pytest.approx(1 + 1e-7)  # the rounding of a correlation
    assert of("m", [0.3]).low is None and of("m", []).value is None


@given(counts, st.floats(0.02, 0.98))
def test_tails_of_a_rate_are_the_score_tests(count: tuple[int, int], bound: float) -> None:
    k, n = count
    z = (k / n - bound) / math.sqrt(bound * (1 - bound) / n)

    above, below = tails("wilson", count, bound)

    # a side is only asked about where the estimate lies on it, and the smallest level that is looked at is 5e-13
    assert above == pytest.approx(max(reference.norm.sf(z), 5e-13) if z > 0 else 1.0, rel=1e-3, abs=1e-12)
    assert below == pytest.approx(max(reference.norm.cdf(z), 5e-13) if z < 0 else 1.0, rel=1e-3, abs=1e-12)


@pytest.mark.parametrize("method", ["newcombe", "mover-r"])
def test_tails_lie_where_the_interval_ends_at_the_bound(method: str) -> None:
    bound = 0.05 if method == "newcombe" else 0.8
    above, below = tails(method, (70, 100, 60, 100), bound)
    side = above if above < below else below
    at_bound = interval(method, (70, 100, 60, 100), 1 - 2 * side)

    assert (at_bound.low if above < below else at_bound.high) == pytest.approx(bound, abs=1e-6)


def test_rates_without_samples_have_no_value() -> None:
    assert rate("r", 0, 0).value is None
    assert difference("d", (0, 0), (1, 2)).value is None
    assert ratio("q", (1, 2), (0, 5)).value is None
    assert tails("wilson", (0, 0), 0.5) == (1.0, 1.0)


def test_measures_can_be_recomputed_from_their_counts() -> None:
    halves = paired("e", [0.5, 1, 0, 0.25], [0, 1, 1, 0]), share("f", [0.5, 1, 0, 0.25])
    plain = rate("a", 3, 17), difference("b", (3, 17), (9, 20)), ratio("c", (3, 17), (9, 20)), mean("d", range(9))
    for m in (*plain, *halves):
        again = interval(m.method, m.counts)

        assert (m.value, m.low, m.high) == (again.value, again.low, again.high)


def test_a_mean_of_a_few_values_claims_no_interval() -> None:
    few = mean("m", [1.0, 2.0, 6.0])

    assert few.value == 3.0
    assert few.low is few.high is None
    assert mean("m", []).value is None


@given(st.lists(st.tuples(st.integers(-3, 3), st.floats(-5, 5)), min_size=3, max_size=30))
def test_rank_correlation_is_scipys(pairs: list[tuple[int, float]]) -> None:
    a, b = [float(x) for x, _ in pairs], [y for _, y in pairs]
    found = rank_correlation(a, b)

    if len(set(a)) == 1 or len(set(b)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(reference.spearmanr(a, b).statistic, abs=1e-9)


@pytest.mark.parametrize("b", [[1.0, 1.0, 1.0], [1.0, math.nan, 2.0], [math.inf, 1.0, 2.0]])
def test_rank_correlation_of_what_has_no_order_is_not_said(b: list[float]) -> None:
    assert rank_correlation([1.0, 2.0, 3.0], b) is None
    assert rank_correlation([1.0, 2.0], b[:2]) is None
