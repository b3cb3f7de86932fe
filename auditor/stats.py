"""Intervals and tests, and the measures that carry them.

Rates: Wilson. Differences of rates: Newcombe, of the same rows his paired one, and of two such differences MOVER.
Ratios of rates: MOVER-R. Means: Student's t. Never Wald (at n = 10 its 95 % interval holds the truth 18 % of the time).
Each method is a function of its counts alone, so a stored measure can be judged at any confidence without the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from auditor.types import Better, Measure

__all__ = [
    "METHODS", "Interval", "auc", "difference", "fall_difference", "holm", "interval", "mean", "paired",
    "rank_correlation", "rate", "ratio", "share", "simultaneous", "tails", "tails_of", "wilcoxon",
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


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(k: float, n: float, confidence: float = 0.95) -> Interval:
    """Rate k / n with the score interval (Wilson 1927, JASA 22:209)."""
    if n <= 0:
        return UNKNOWN
    p, z = k / n, _z(confidence)
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
    return Interval(p / q, max(0.0, _mover_limit(p, q, p_low, q_high, -1)), _mover_limit(p, q, p_high, q_low, +1))


def _mover_limit(p: float, q: float, p_end: float, q_end: float, sign: int) -> float:
    """A root of (p q - r q_end (2 q - q_end) ...): the limit where numerator and denominator err in opposite ways."""
    squeeze = q_end * (2 * q - q_end)
    if abs(squeeze) < _CLOSE:  # the quadratic in the ratio has become linear
        return p_end * (2 * p - p_end) / (2 * p * q) if p > 0 else 0.0
    under = (p * q) ** 2 - p_end * (2 * p - p_end) * squeeze
    return (p * q + sign * math.sqrt(max(0.0, under))) / squeeze


def _rates(
    k1: float, n1: float, k2: float, n2: float, confidence: float
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    first, second = wilson(k1, n1, confidence), wilson(k2, n2, confidence)
    return _known(first), _known(second)


def _known(i: Interval) -> tuple[float, float, float]:
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
    found, z, mean_size = wins / n, _z(confidence), (n + m) / 2 - 1

    def beyond(end: float) -> bool:
        """Whether the area found is too far from `end` for chance."""
        spread = (1 - end) / (2 - end) + end / (1 + end)
        variance = end * (1 - end) * (1 + mean_size * spread) / (n * m)
        return abs(found - end) > z * math.sqrt(max(0.0, variance))

    def limit(extreme: float) -> float:
        inside, outside = found, extreme
        for _ in range(60):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if beyond(middle) else (middle, outside)
        return (inside + outside) / 2

    return Interval(found, limit(0.0), limit(1.0))


def student(n: float, average: float, deviation: float, confidence: float = 0.95) -> Interval:
    """Mean of n values with standard deviation `deviation` (n - 1 in its denominator), by Student's t.

    Without an interval for fewer than FEWEST values, of which Student's t says next to nothing.
    """
    from scipy.special import stdtrit

    if n < FEWEST:
        return Interval(average if n else None, None, None)
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * deviation / math.sqrt(n)
    return Interval(average, average - half, average + half)


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
    f, f_low, f_high = _known(newcombe_paired(k1, k2, both, n, confidence))
    g, g_low, g_high = _known(newcombe_paired(l1, l2, both_others, m, confidence))
    return Interval(f - g, f - g - math.hypot(f - f_low, g_high - g), f - g + math.hypot(f_high - f, g - g_low))


METHODS: dict[str, Callable[..., Interval]] = {
    "wilson": wilson,
    "newcombe": newcombe,
    "newcombe-paired": newcombe_paired,
    "mover-falls": mover_of_falls,
    "mover-r": mover_r,
    "student": student,
    # of areas under curves (auditor.outliers.auroc): the counts are those of rates that would be known as well
    "delong": wilson,
    "delong-difference": newcombe,
    "mann-whitney": mann_whitney,
}


def interval(method: str, counts: Sequence[float], confidence: float = 0.95) -> Interval:
    """The estimate and interval that `counts` give under `method` (a key of METHODS)."""
    return METHODS[method](*counts, confidence=confidence)


def tails(method: str, counts: Sequence[float], bound: float) -> tuple[float, float]:
    """One-sided p-values (against "truth < bound", against "truth > bound"), by inverting the interval.

    The first is small when the figure lies significantly above `bound`, the second when below. Both are 1.0 when the
    counts give no interval.
    """
    return tails_of(lambda confidence: interval(method, counts, confidence), bound)


def tails_of(of: Callable[[float], Interval], bound: float) -> tuple[float, float]:
    """`tails` of whatever has the interval `of` a confidence."""
    if of(0.95).low is None:
        return 1.0, 1.0

    def excluded(confidence: float) -> tuple[bool, bool]:
        i = of(confidence)
        return (i.low is not None and i.low > bound), (i.high is not None and i.high < bound)

    def smallest(side: int) -> float:
        """The smallest one-sided level at which that end of the interval still leaves `bound` outside."""
        inside, outside = 1.0 - 1e-12, 0.0  # confidences: the widest interval, and the estimate itself
        if not excluded(outside)[side]:
            return 1.0
        if excluded(inside)[side]:
            return (1 - inside) / 2
        for _ in range(60):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if excluded(middle)[side] else (middle, outside)
        return (1 - outside) / 2

    return smallest(0), smallest(1)


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's rank correlation, from -1 to 1; equal numbers share their mean rank.

    None for fewer than 3 pairs, where all of one side are equal, and with NaN or infinity.
    """
    from scipy.stats import rankdata

    if len(a) < 3 or not all(map(math.isfinite, (*a, *b))) or min(a) == max(a) or min(b) == max(b):
        return None
    first, second = ([r - (len(x) + 1) / 2 for r in rankdata(x).tolist()] for x in (a, b))
    size = math.sqrt(math.fsum(r * r for r in first) * math.fsum(r * r for r in second))
    return max(-1.0, min(1.0, math.fsum(r * q for r, q in zip(first, second, strict=True)) / size))


def wilcoxon(differences: Sequence[float]) -> float | None:
    """The one-sided p-value that `differences` of pairs lie above 0 (Wilcoxon 1945): by every sign up to 50 pairs.

    Pairs without a difference are left out; None where no other is there.
    """
    from scipy.stats import wilcoxon as test

    real = [d for d in differences if d != 0]
    if not real:
        return None
    sizes = {abs(d) for d in real}
    exact = len(real) <= 50 and len(sizes) == len(real)
    return float(test(real, alternative="greater", method="exact" if exact else "asymptotic", correction=True).pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number (Holm 1979): below .05 all of them hold together at 95 %."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, largest = [1.0] * len(p), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = largest
    return adjusted


# ---- measures with an interval -----------------------------------------------------------------------------------
def simultaneous(n: int, confidence: float = 0.95) -> float:
    """By how much a distribution of n values may lie from the true one anywhere: Dvoretzky, Kiefer & Wolfowitz 1956,
    with the constant of Massart 1990, Ann. Probab. 18:1269.
    """
    return math.sqrt(math.log(2 / (1 - confidence)) / (2 * n))


def rate(name: str, k: int, n: int, *, slice: str = "", better: Better = "higher") -> Measure:  # noqa: A002
    """Measure of k out of n."""
    i = wilson(k, n)
    return Measure(name, slice, i.value, int(n), i.low, i.high, "wilson", (int(k), int(n)), better)


def difference(name: str, first: tuple[float, int], second: tuple[float, int], *, slice: str = "") -> Measure:  # noqa: A002
    """Measure of the difference of two rates, each given as (k, n); nearer 0 is better.

    k may be a sum of scores from 0 to 1, as parts of a row may count.
    """
    counts = (_count(first[0]), int(first[1]), _count(second[0]), int(second[1]))
    i = newcombe(*counts)
    return Measure(name, slice, i.value, int(counts[1] + counts[3]), i.low, i.high, "newcombe", counts, "lower")


def _count(k: float) -> float:
    return int(k) if k == int(k) else float(k)


def paired(
    name: str,
    first: Sequence[float],
    second: Sequence[float],
    *,
    slice: str = "",  # noqa: A002
    better: Better = "lower",
) -> Measure:
    """Measure of the mean of `first` minus that of `second`, scores from 0 to 1 of the same rows."""
    n, both = len(first), math.fsum(a * b for a, b in zip(first, second, strict=True))
    counts = (math.fsum(first), math.fsum(second), both, n)
    i = newcombe_paired(*counts)
    return Measure(name, slice, i.value, n, i.low, i.high, "newcombe-paired", counts, better)


def fall_difference(name: str, first: Measure, second: Measure, *, slice: str = "") -> Measure:  # noqa: A002
    """Measure of how much larger one paired difference is than that of other rows, both made by `paired`."""
    counts = (*first.counts, *second.counts)
    i = mover_of_falls(*counts)
    return Measure(name, slice, i.value, first.n + second.n, i.low, i.high, "mover-falls", counts, "lower")


def share(name: str, scores: Sequence[float], *, slice: str = "", better: Better = "higher") -> Measure:  # noqa: A002
    """Measure of the mean of `scores`, each from 0 to 1, with Wilson's interval.

    It is wider than need be where scores lie between 0 and 1, and never as narrow as their spread where all agree.
    """
    k, n = math.fsum(scores), len(scores)
    i = wilson(k, n)
    return Measure(name, slice, i.value, n, i.low, i.high, "wilson", (k, n), better)


def ratio(name: str, first: tuple[int, int], second: tuple[int, int], *, slice: str = "") -> Measure:  # noqa: A002
    """Measure of the ratio of two rates, each given as (k, n); 1 means equal."""
    counts = (*map(int, first), *map(int, second))
    i = mover_r(*counts)
    return Measure(name, slice, i.value, counts[1] + counts[3], i.low, i.high, "mover-r", counts, "higher")


def auc(name: str, area: float, n: int, m: int, *, slice: str = "", better: Better = "higher") -> Measure:  # noqa: A002
    """Measure of an area under the ROC curve between n and m scores: .5 is chance, 1 tells all of them apart."""
    counts = (area * n, int(n), int(m))
    i = mann_whitney(*counts)
    return Measure(name, slice, i.value, int(n + m), i.low, i.high, "mann-whitney", counts, better)


def mean(name: str, values: Iterable[float], *, slice: str = "", better: Better = "neither") -> Measure:  # noqa: A002
    """Measure of the mean of `values`, with Student's interval where there are enough of them."""
    numbers = [float(v) for v in values]
    n = len(numbers)
    average = math.fsum(numbers) / max(n, 1)
    deviation = math.sqrt(math.fsum((v - average) ** 2 for v in numbers) / max(n - 1, 1))
    i = student(n, average, deviation)
    return Measure(name, slice, i.value, n, i.low, i.high, "student", (n, average, deviation), better)
