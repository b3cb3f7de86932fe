"""What every interval has in common, and those of means, scores and areas against scipy and what they are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from scipy import stats as reference

from auditor.figure_ranges import RANGES
from auditor.intervals import UNKNOWN, Interval, mann_whitney, welch, wilson, wilson_of_scores
from auditor.stats import METHODS, enlarged, interval, tails

GROUPS = (30, 90, 52, 110, 41, 80)
OTHERS = (8, 60, 17, 70, 11, 50)
COUNTS: dict[str, tuple[float, ...]] = {  # of every method, with no end where the figure cannot go on
    "wilson": (30, 90),
    "newcombe": (30, 90, 52, 110),
    "newcombe-paired": (30, 45, 25, 90),
    "mover-falls": (30, 45, 25, 90, 60, 50, 45, 110),
    "mover-r": (30, 90, 52, 110),
    "student": (40, 0.3, 1.2),
    "student-of-sizes": (40, 2.0, 1.2),
    "student-of-shares": (40, 0.5, 0.2),
    "student-of-correlations": (40, 0.1, 0.4),
    "delong": (30, 90),
    "delong-difference": (30, 90, 52, 110),
    "mann-whitney": (40.5, 60, 75),
    "welch": (40, 0.3, 1.2, 25, 0.9, 2.0),
    "wilson-of-scores": (20.0, 9.0, 90),
    "mean-of-differences": (20.0, 15.0, 90),
    "balanced-accuracy": (30, 12, 10, 48),
    "mcc": (30, 12, 10, 48),
    "odds": (14, 9),
    "generalized-entropy": (14, 9, 90),
    "ece": (40, 6.0, 20, 50, 40.0, 20),
    "ks": (0.5, 60, 75),
    "largest-gap": GROUPS,
    "smallest-ratio": GROUPS,
    "ratio-to-best": GROUPS,
    "largest-of-two-gaps": (3, *GROUPS, *OTHERS),
    "mean-of-two-gaps": (3, *GROUPS, *OTHERS),
    "smaller-of-two-ratios": (3, *GROUPS, *OTHERS),
    "largest-gap-of-means": (40, 0.3, 1.2, 25, 0.9, 2.0, 33, 2.1, 0.8),
    "largest-gap-of-areas": (40.5, 60, 75, 70.0, 80, 60),
    "largest-gap-of-scores": (20.0, 9.0, 90, 35.0, 15.0, 80, 12.0, 9.0, 50),
    "largest-gap-of-differences": (20.0, 15.0, 90, -15.0, 15.0, 80, 2.0, 9.0, 50),
    "between-entropy": (5, 30, 110, 41, 6, 80, 12, 3, 50),
}


def ends(i: Interval) -> tuple[float, float, float]:
    assert i.value is not None and i.low is not None and i.high is not None
    return i.value, i.low, i.high


# ---- all of them -------------------------------------------------------------------------------------------------
def test_no_method_is_left_out() -> None:
    assert set(COUNTS) == set(METHODS) == set(RANGES)


@pytest.mark.parametrize("method", METHODS)
def test_a_figure_lies_in_the_range_of_its_method(method: str) -> None:
    first, last = RANGES[method]

    assert first <= ends(interval(method, COUNTS[method]))[0] <= last


@pytest.mark.parametrize("method", METHODS)
def test_every_interval_holds_its_figure_and_is_wider_where_it_is_surer(method: str) -> None:
    found = [ends(interval(method, COUNTS[method], c)) for c in (0.0, 0.5, 0.9, 0.95, 0.99, 0.9999)]
    value, lows, highs = found[0][0], [i[1] for i in found], [i[2] for i in found]

    assert all(i[0] == value for i in found)
    assert lows[0] - 1e-12 <= value <= highs[0] + 1e-12
    assert lows == sorted(lows, reverse=True) and lows[1] > lows[3]
    assert highs == sorted(highs) and highs[1] < highs[3]


@pytest.mark.parametrize("method", METHODS)
def test_a_limit_at_the_end_of_a_95_percent_interval_has_a_tail_of_2_5_percent(method: str) -> None:
    _, low, high = ends(interval(method, COUNTS[method]))

    assert tails(method, COUNTS[method], low) == pytest.approx((0.025, 1.0), abs=1e-8)
    assert tails(method, COUNTS[method], high) == pytest.approx((1.0, 0.025), abs=1e-8)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("share", [-0.3, 0.4, 1.6])
def test_a_tail_is_the_level_at_which_the_interval_ends_at_the_limit(method: str, share: float) -> None:
    """Steps of a secant against halving the confidence, which needs no more than that the ends move outwards."""
    value, low, high = ends(interval(method, COUNTS[method]))
    bound = value + share * ((high - value) if share > 0 else (value - low))
    side = 1 if share > 0 else 0
    out, within = 0.0, 1 - 1e-12
    for _ in range(60):
        middle = (out + within) / 2
        i = ends(interval(method, COUNTS[method], middle))
        left_out = i[2] < bound if side else i[1] > bound
        out, within = (middle, within) if left_out else (out, middle)

    found = tails(method, COUNTS[method], bound)

    assert found[side] == pytest.approx((1 - out) / 2 if out else 1.0, abs=1e-9)
    assert found[1 - side] == 1.0


@pytest.mark.parametrize("method", METHODS)
def test_more_rows_at_the_same_rates_leave_the_figure_and_narrow_the_interval(method: str) -> None:
    value, low, high = ends(interval(method, COUNTS[method]))
    again, lower, upper = ends(interval(method, enlarged(method, COUNTS[method], 16)))

    assert again == pytest.approx(value, rel=1e-9)
    assert (upper - lower) == pytest.approx((high - low) / 4, rel=0.3)


# ---- means of values ---------------------------------------------------------------------------------------------
values = st.lists(st.floats(-50, 50), min_size=5, max_size=25)


@given(values, values, st.sampled_from([0.8, 0.95, 0.99]))
def test_welch_is_scipys(first: list[float], second: list[float], confidence: float) -> None:
    a, b = np.array(first), np.array(second)
    if max(a.std(), b.std()) < 1e-6:
        return
    expected = reference.ttest_ind(a, b, equal_var=False).confidence_interval(confidence)

    blocks = (len(a), a.mean(), a.std(ddof=1), len(b), b.mean(), b.std(ddof=1))
    found = welch(*blocks, confidence=confidence)

    assert found.value == pytest.approx(a.mean() - b.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-9)


def test_welch_claims_nothing_of_a_few_values() -> None:
    assert welch(4, 1.0, 2.0, 30, 0.5, 1.0) == Interval(0.5, None, None)
    assert welch(0, 0.0, 0.0, 30, 0.5, 1.0) == UNKNOWN
    assert welch(9, 1.0, 0.0, 9, 0.5, 0.0) == Interval(0.5, 0.5, 0.5)  # nothing varies


# ---- means of scores ---------------------------------------------------------------------------------------------
scores = st.lists(st.floats(0, 1), min_size=1, max_size=60)


def of(found: list[float]) -> tuple[float, float, float]:
    return ends(wilson_of_scores(math.fsum(found), math.fsum(x * x for x in found), len(found)))


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_scores_of_0_and_1_have_wilsons_interval(counts: tuple[int, int]) -> None:
    k, n = counts

    assert ends(wilson_of_scores(k, k, n)) == pytest.approx(ends(wilson(k, n)), abs=1e-12)


@given(scores)
def test_scores_turned_round_turn_the_interval_round(found: list[float]) -> None:
    value, low, high = of(found)

    assert of([1 - x for x in found]) == pytest.approx((1 - value, 1 - high, 1 - low), abs=1e-6)
    assert 0 <= low <= value + 1e-12 and value - 1e-12 <= high <= 1


@given(scores)
def test_scores_say_no_less_than_as_many_answers(found: list[float]) -> None:
    _, low, high = of(found)
    _, lowest, highest = ends(wilson(math.fsum(found), len(found)))

    assert lowest - 1e-9 <= low and high <= highest + 1e-9


def test_scores_that_spread_little_say_more_and_many_of_them_what_students_mean_says() -> None:
    random = np.random.default_rng(0)
    narrow, many = random.beta(40, 60, 50), random.beta(4, 6, 20_000)
    _, low, high = of(many.tolist())
    expected = reference.t.interval(0.95, len(many) - 1, many.mean(), many.std(ddof=1) / math.sqrt(len(many)))
    _, *plain = ends(wilson(float(narrow.sum()), 50))
    _, *told = of(narrow.tolist())

    assert (low, high) == pytest.approx(expected, abs=1e-4)
    assert told[1] - told[0] < 0.4 * (plain[1] - plain[0])


def test_scores_that_all_agree_may_hide_one_that_does_not() -> None:
    """Of 30 rows none was wrong; a model that is wrong once in 20 shows none in 30 rows 21 % of the time."""
    _, low, high = of([0.01] * 30)

    assert high > 0.05
    assert low < 0.01


# ---- areas -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("area", "n", "m"), [(0.5, 10, 10), (0.83, 7, 60), (0.99, 200, 30), (1.0, 12, 9), (0.0, 5, 5)])
def test_ends_of_an_area_lie_so_many_of_their_own_standard_errors_away(area: float, n: int, m: int) -> None:
    def error(end: float) -> float:
        """Hanley & McNeil 1982, with the mean of both sizes in place of either (Newcombe 2006, method 5)."""
        q1, q2, size = end / (2 - end), 2 * end**2 / (1 + end), (n + m) / 2
        return math.sqrt((end * (1 - end) + (size - 1) * (q1 - end**2 + q2 - end**2)) / (n * m))

    found = mann_whitney(area * n, n, m)
    edges = [
        0.0 if area == 0 else optimize.brentq(lambda e: area - e - 1.959964 * error(e), 0, area),
        1.0 if area == 1 else optimize.brentq(lambda e: e - area - 1.959964 * error(e), area, 1),
    ]
    if area in {0.0, 1.0}:
        inner = optimize.brentq(lambda e: abs(area - e) - 1.959964 * error(e), 0.05, 0.95)
        edges[int(area == 0)] = inner

    assert ends(found) == pytest.approx((area, *edges), abs=1e-6)
