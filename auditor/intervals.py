"""Intervals of rates, differences, ratios, areas and means, each from counts alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

__all__ = [
    "FEWEST", "UNKNOWN", "Interval", "confidence_of", "known", "mann_whitney", "mean_of_differences",
    "mover_of_falls", "mover_r", "newcombe", "newcombe_paired", "student", "student_of_correlations",
    "student_of_shares", "student_of_sizes", "student_within", "welch", "wilson", "wilson_of_scores", "z_of",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its two-sided interval. All None when a denominator is 0."""

    value: float | None
    low: float | None
    high: float | None


UNKNOWN = Interval(None, None, None)
FEWEST = 5
_CLOSE = 1e-12


def z_of(confidence: float) -> float:
    """The normal quantile that a two-sided interval at `confidence` reaches on either side."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def confidence_of(z: float) -> float:
    """The confidence at which a two-sided interval reaches the normal quantile z on either side."""
    return math.erf(z / math.sqrt(2))


def wilson(k: float, n: float, confidence: float = 0.95) -> Interval:
    """Rate k / n with the score interval (Wilson 1927, JASA 22:209)."""
    if n <= 0:
        return UNKNOWN
    p, z = k / n, z_of(confidence)
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(p, 0.0 if k == 0 else max(0.0, middle - half), 1.0 if k == n else min(1.0, middle + half))


def newcombe(k1: float, n1: float, k2: float, n2: float, confidence: float = 0.95) -> Interval:
    """Difference k1 / n1 - k2 / n2 from two Wilson intervals (Newcombe 1998, Stat. Med. 17:873, method 10)."""
    if n1 <= 0 or n2 <= 0:
        return UNKNOWN
    (p, p_low, p_high), (q, q_low, q_high) = _rates(k1, n1, k2, n2, confidence)
    return Interval(p - q, p - q - math.hypot(p - p_low, q_high - q), p - q + math.hypot(p_high - p, q - q_low))


def mover_r(k1: float, n1: float, k2: float, n2: float, confidence: float = 0.95) -> Interval:
    """Ratio (k1 / n1) / (k2 / n2) from two Wilson intervals (Donner & Zou 2012, Stat. Methods Med. Res. 21:347).

    None when k2 is 0: a ratio to nothing says nothing.
    """
    if n1 <= 0 or n2 <= 0 or k2 <= 0:
        return UNKNOWN
    (p, p_low, p_high), (q, q_low, q_high) = _rates(k1, n1, k2, n2, confidence)
    below, above = p_low * (2 * p - p_low), p_high * (2 * p - p_high)
    under, over = q_high * (2 * q - q_high), q_low * (2 * q - q_low)
    low = below / (p * q + math.sqrt(max(0.0, (p * q) ** 2 - below * under))) if p > 0 else 0.0
    return Interval(p / q, low, (p * q + math.sqrt(max(0.0, (p * q) ** 2 - above * over))) / over)


def _rates(
    k1: float, n1: float, k2: float, n2: float, confidence: float
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    first, second = wilson(k1, n1, confidence), wilson(k2, n2, confidence)
    return known(first), known(second)


def known(i: Interval) -> tuple[float, float, float]:
    """(value, low, high) of an interval that has them; ValueError otherwise."""
    if i.value is None or i.low is None or i.high is None:
        msg = "an interval of a rate without samples"
        raise ValueError(msg)
    return i.value, i.low, i.high


def mann_whitney(wins: float, n: float, m: float, confidence: float = 0.95) -> Interval:
    """Area under the ROC curve wins / n of n scores against m (Newcombe 2006, Stat. Med. 25:559, method 5).

    The ends solve |area - end| = z s(end) with the standard error s of Hanley & McNeil 1982, so that they stay inside
    0 and 1 and do not vanish where all scores lie apart.
    """
    if n <= 0 or m <= 0:
        return UNKNOWN
    found = wins / n

    def limit(side: int) -> float:
        end = found
        for _ in range(100):
            spread = (1 - end) / (2 - end) + end / (1 + end)
            answers = n * m / (1 + ((n + m) / 2 - 1) * spread)  # so many yes-or-no answers are as uncertain
            last, end = end, known(wilson(found * answers, answers, confidence))[side]
            if abs(end - last) < 1e-15:
                break
        return end

    return Interval(found, limit(1), limit(2))


def student(n: float, average: float, deviation: float, confidence: float = 0.95) -> Interval:
    """Mean of n values with standard deviation `deviation` (n - 1 in its denominator), by Student's t.

    Without an interval for fewer than FEWEST values, of which Student's t says next to nothing.
    """
    from scipy.special import stdtrit

    if n < FEWEST:
        return Interval(average if n else None, None, None)
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * deviation / math.sqrt(n)
    return Interval(average, average - half, average + half)


def student_within(least: float, most: float) -> Callable[..., Interval]:
    """`student` of values that are never below `least` or above `most`, so that neither end of the interval is."""

    def within(n: float, average: float, deviation: float, confidence: float = 0.95) -> Interval:
        found = student(n, average, deviation, confidence)
        if found.low is None or found.high is None:
            return found
        low, high = max(least, found.low), min(most, found.high)
        return Interval(average, min(average, low), max(average, high))  # a mean may lie beyond by its rounding

    return within


student_of_sizes = student_within(0.0, math.inf)
student_of_shares = student_within(0.0, 1.0)
student_of_correlations = student_within(-1.0, 1.0)


def newcombe_paired(k1: float, k2: float, both: float, n: float, confidence: float = 0.95) -> Interval:
    """Difference k1 / n - k2 / n of two rates of the same n rows, `both` of which are counted by both.

    Newcombe 1998, Stat. Med. 17:2635, method 10: two Wilson intervals, and the correlation of the pairs, corrected for
    continuity where it is positive. Parts of a row may count: with scores from 0 to 1 the sums take the place of k1 and
    k2, and the sum of the products that of `both`.
    """
    if n <= 0:
        return UNKNOWN
    (p, p_low, p_high), (q, q_low, q_high) = _rates(k1, n, k2, n, confidence)
    spread = math.sqrt(max(0.0, k1 * (n - k1) * k2 * (n - k2)))
    excess = n * both - k1 * k2
    together = 0.0 if spread == 0 else (max(excess - n / 2, 0.0) if excess > 0 else excess) / spread

    def half(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a * a - 2 * together * a * b + b * b))

    return Interval(p - q, p - q - half(p - p_low, q_high - q), p - q + half(p_high - p, q - q_low))


def mover_of_falls(*counts: float, confidence: float = 0.95) -> Interval:
    """Difference of two differences of paired rates, of other rows each: (k1, k2, both, n) of one, then of the other.

    MOVER squares and adds what the two paired intervals leave on either side (Zou & Donner 2008, Stat. Med. 27:1693).
    """
    k1, k2, both, n, *other = counts
    l1, l2, both_others, m = other
    if n <= 0 or m <= 0:
        return UNKNOWN
    f, f_low, f_high = known(newcombe_paired(k1, k2, both, n, confidence))
    g, g_low, g_high = known(newcombe_paired(l1, l2, both_others, m, confidence))
    return Interval(f - g, f - g - math.hypot(f - f_low, g_high - g), f - g + math.hypot(f_high - f, g - g_low))


def wilson_of_scores(total: float, squares: float, n: float, confidence: float = 0.95) -> Interval:
    """Mean of n scores from 0 to 1 from their sum and their sum of squares; of zeros and ones it is `wilson`.

    Wilson's interval of as many yes-or-no answers as would leave the mean as uncertain as these scores do. Scores that
    are rare and large may all be missing among few rows, so each end is that of one score more: a 0 for the lower, a 1
    for the upper (the extreme score of Gaffke 2005, Math. Methods Stat. 14:451; Learned-Miller & Thomas 2019,
    arXiv:1905.06208).
    """
    if n <= 0:
        return UNKNOWN
    average = min(1.0, max(0.0, total / n))

    def answers(extreme: float) -> float:
        """How many yes-or-no answers say as much as the scores and the extreme one."""
        mean = (n * average + extreme) / (n + 1)
        variance = (squares + extreme) / (n + 1) - mean * mean
        return n * mean * (1 - mean) / variance if variance > _CLOSE else n

    low, high = (wilson(average * m, m, confidence) for m in (answers(0.0), answers(1.0)))
    return Interval(average, low.low, high.high)


def mean_of_differences(total: float, squares: float, n: float, confidence: float = 0.95) -> Interval:
    """Mean of n numbers from -1 to 1 from their sum and their sum of squares.

    For what is left between a probability and what came of it. Where that is rare, most samples look all alike: of 30
    rows with a probability of .05 each, Student's interval holds the truth 78 % of the time. So z^2 rows, 1 from the
    mean each, count to the spread, as many as Wilson's interval adds; by simulation it then holds at least 94.9 %.
    """
    if n <= 0:
        return UNKNOWN
    average, z = min(1.0, max(-1.0, total / n)), z_of(confidence)
    half = z * math.sqrt(max(0.0, squares - n * average * average) + z * z) / n
    return Interval(average, max(-1.0, average - half), min(1.0, average + half))


def welch(
    n1: float, mean1: float, deviation1: float, n2: float, mean2: float, deviation2: float, confidence: float = 0.95
) -> Interval:
    """Difference of the means of two groups of values, each with its own deviation (Welch 1947, Biometrika 34:28).

    Without an interval where either has fewer than FEWEST values; all None where one has none.
    """
    from scipy.special import stdtrit

    if n1 <= 0 or n2 <= 0:
        return UNKNOWN
    value = mean1 - mean2
    if min(n1, n2) < FEWEST:
        return Interval(value, None, None)
    first, second = deviation1**2 / n1, deviation2**2 / n2
    if first + second == 0:
        return Interval(value, value, value)
    freedom = (first + second) ** 2 / (first**2 / (n1 - 1) + second**2 / (n2 - 1))
    half = float(stdtrit(freedom, 0.5 + confidence / 2)) * math.sqrt(first + second)
    return Interval(value, value - half, value + half)
