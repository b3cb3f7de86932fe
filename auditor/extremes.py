"""The largest gap and the smallest ratio among groups: intervals that hold whichever groups turn out to be extreme.

The interval of two groups that were picked for lying furthest apart convicts by chance: of ten equal groups two such
leave 0 out 64 % of the time. So the near end of these intervals is one for all pairs at once, as far as the range of so
many normal numbers reaches (Tukey; for score intervals of rates: Agresti, Bini, Bertaccini & Ryu 2008, Biometrics
64:1270). The far end is the furthest that any one pair reaches, which needs no adjustment: to say that no gap is larger
is to say it of every pair (Berger 1982, Technometrics 24:295). Two groups have the interval of their difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from auditor.intervals import (
    UNKNOWN,
    Interval,
    confidence_of,
    known,
    mann_whitney,
    mean_of_differences,
    student,
    wilson_of_scores,
    z_of,
)
from auditor.ranges import mean_of_range, z_of_range

__all__ = [
    "between_entropy", "largest_gap", "largest_gap_of_areas", "largest_gap_of_differences", "largest_gap_of_means",
    "largest_gap_of_scores", "largest_of_two_gaps", "mean_of_two_gaps", "ratio_to_best", "smaller_of_two_ratios",
    "smallest_ratio",
]  # fmt: skip

Floats = np.ndarray[Any, np.dtype[np.float64]]
Limits = Callable[[float], tuple[Floats, Floats]]  # the lower and upper limits of groups (k,) at a confidence


# ---- differences -------------------------------------------------------------------------------------------------
def largest_gap(*counts: float, confidence: float = 0.95) -> Interval:
    """The largest difference between the rates k / n of two groups, from (k, n) of every group.

    All None for fewer than two groups, and where one has no rows.
    """
    k, n = _columns(counts, 2)
    if len(n) < 2 or (n <= 0).any():
        return UNKNOWN
    return _largest(k / n, lambda at: _wilson(k, n, z_of(at)), confidence)


def largest_of_two_gaps(groups: float, *counts: float, confidence: float = 0.95) -> Interval:
    """The larger of the largest gaps in two rates, from (k, n) of the `groups` of the first and then of the second."""
    ends = _of_two_rates(largest_gap, groups, counts, confidence)
    if ends is None:
        return UNKNOWN
    (values, lows, _), (_, _, highs) = ends
    return Interval(max(values), max(lows), max(highs))


def mean_of_two_gaps(groups: float, *counts: float, confidence: float = 0.95) -> Interval:
    """The mean of the largest gaps in two rates of different rows, counts as in `largest_of_two_gaps`.

    A largest gap is too large by chance: what the two are too large by on average adds up, what they scatter by is
    squared and added (MOVER).
    """
    both = (counts[: 2 * int(groups)], counts[2 * int(groups) :])
    found = [largest_gap(*c, confidence=confidence) for c in both]
    if any(i.value is None for i in found):
        return UNKNOWN
    (a, a_low, a_high), (b, b_low, b_high) = (known(i) for i in found)
    a_more, b_more = (_excess(len(c) // 2, i, confidence) for c, i in zip(both, found, strict=True))
    below = a_more + b_more + math.hypot(a - a_low - a_more, b - b_low - b_more)
    return Interval((a + b) / 2, (a + b - below) / 2, (a + b + math.hypot(a_high - a, b_high - b)) / 2)


def _excess(groups: int, gap: Interval, confidence: float) -> float:
    """How much of what lies below a largest gap is the average by which it exceeds 0 where all groups are equal."""
    value, low, _ = known(gap)
    z = z_of_range(groups, confidence)
    return (value - low) * (min(1.0, mean_of_range(groups) / z) if z > 0 else 1.0)


def largest_gap_of_means(*counts: float, confidence: float = 0.95) -> Interval:
    """The largest difference between the means of two groups, from (n, mean, standard deviation) of every group."""
    return _largest_of(counts, 3, student, confidence)


def largest_gap_of_scores(*counts: float, confidence: float = 0.95) -> Interval:
    """The largest difference between mean scores from 0 to 1, from (sum, sum of squares, n) of every group."""
    return _largest_of(counts, 3, wilson_of_scores, confidence)


def largest_gap_of_differences(*counts: float, confidence: float = 0.95) -> Interval:
    """The largest difference between means of numbers from -1 to 1, counts as in `largest_gap_of_scores`."""
    return _largest_of(counts, 3, mean_of_differences, confidence)


def largest_gap_of_areas(*counts: float, confidence: float = 0.95) -> Interval:
    """The largest difference between areas under ROC curves, from (area x n, n, m) of every group."""
    return _largest_of(counts, 3, mann_whitney, confidence)


def _largest_of(counts: Sequence[float], width: int, one: Callable[..., Interval], confidence: float) -> Interval:
    """The largest difference of figures that each have the interval `one` of their `width` counts."""
    blocks = list(zip(*[iter(counts)] * width, strict=True))
    plain = [one(*block, confidence=confidence) for block in blocks]
    values = [i.value for i in plain if i.value is not None]
    if len(blocks) < 2 or len(values) < len(blocks):
        return UNKNOWN
    if any(i.low is None for i in plain):
        return Interval(max(values) - min(values), None, None)

    def limits(at: float) -> tuple[Floats, Floats]:
        _, low, high = zip(*(known(one(*block, confidence=at)) for block in blocks), strict=True)
        return np.array(low), np.array(high)

    return _largest(np.array(values), limits, confidence)


def _largest(values: Floats, limits: Limits, confidence: float) -> Interval:
    """MOVER over all pairs of figures (k,): each pair squares and adds how far its two figures may be off."""
    apart = values[:, None] - values
    low, high = limits(confidence_of(z_of_range(len(values), confidence)))
    near = apart - np.hypot((values - low)[:, None], high - values)
    low, high = limits(confidence)
    far = apart + np.hypot((high - values)[:, None], values - low)
    for ends in (near, far):
        np.fill_diagonal(ends, -np.inf)  # of a group with itself there is no gap
    return Interval(float(apart.max()), float(near.max()), float(far.max()))


# ---- ratios ------------------------------------------------------------------------------------------------------
def smallest_ratio(*counts: float, confidence: float = 0.95) -> Interval:
    """The lowest rate over the highest, from (k, n) of every group: 1 is equal, 0 is never in one of them.

    All None for fewer than two groups, where one has no rows, and where all rates are 0.
    """
    k, n = _columns(counts, 2)
    if len(n) < 2 or (n <= 0).any() or not k.any():
        return UNKNOWN
    low, high = _ratios(k, n, k, n, far=z_of(confidence), near=z_of_range(len(n), confidence))
    np.fill_diagonal(low, np.inf)  # a group over itself is no ratio
    np.fill_diagonal(high, np.inf)
    rates = k / n
    return Interval(float(rates.min() / rates.max()), float(low.min()), float(high.min()))


def smaller_of_two_ratios(groups: float, *counts: float, confidence: float = 0.95) -> Interval:
    """The smaller of the smallest ratios in two rates, counts as in `largest_of_two_gaps`."""
    ends = _of_two_rates(smallest_ratio, groups, counts, confidence)
    if ends is None:
        return UNKNOWN
    (values, _, highs), (_, lows, _) = ends
    return Interval(min(values), min(lows), min(highs))


def ratio_to_best(k: float, n: float, *others: float, confidence: float = 0.95) -> Interval:
    """The rate k / n over the highest rate of other groups, from (k, n) of each of those.

    It may lie above 1, where the group itself has the highest. The upper end holds for all others at once (Bonferroni).
    All None where a group has no rows, and where nobody in the others is counted.
    """
    ks, ns = _columns(others, 2)
    if n <= 0 or not len(ns) or (ns <= 0).any() or not ks.any():
        return UNKNOWN
    own = np.array([float(k)]), np.array([float(n)])
    low, high = _ratios(*own, ks, ns, far=z_of(confidence), near=z_of(1 - (1 - confidence) / len(ns)))
    return Interval(float(k / n / (ks / ns).max()), float(low.min()), float(high.min()))


def _ratios(k1: Floats, n1: Floats, k2: Floats, n2: Floats, *, far: float, near: float) -> tuple[Floats, Floats]:
    """(a, b) the lower MOVER-R limit at z `far` and the upper at z `near` of each of a rates over each of b rates.

    Donner & Zou 2012, Stat. Methods Med. Res. 21:347; see `auditor.intervals.mover_r`. Infinity over a rate of 0.
    """
    p, q, both = (k1 / n1)[:, None], k2 / n2, np.array([[far], [near]])
    (p_low, _), (_, p_high) = zip(*_wilson(k1, n1, both), strict=True)
    (_, q_high), (q_low, _) = zip(*_wilson(k2, n2, both), strict=True)
    product, p_low, p_high = p * q, p_low[:, None], p_high[:, None]
    below, above = p_low * (2 * p - p_low), p_high * (2 * p - p_high)
    under, over = q_high * (2 * q - q_high), q_low * (2 * q - q_low)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = below / (product + np.sqrt(np.maximum(product**2 - below * under, 0)))
        high = (product + np.sqrt(np.maximum(product**2 - above * over, 0))) / over
    low[(p == 0)[:, 0]] = 0
    low[:, q == 0] = high[:, q == 0] = np.inf
    return low, high


# ---- inequality --------------------------------------------------------------------------------------------------
def between_entropy(*counts: float, confidence: float = 0.95) -> Interval:
    """Generalised entropy (alpha 2) of benefits between groups, from (false positives, false negatives, n) of each.

    A row's benefit is 1 plus its answer minus its label: 0, 1 or 2 (Speicher et al. 2018, arXiv:1807.00787). The figure
    is half the squared spread of the groups' mean benefits over their mean, and a squared spread is noncentral
    chi-squared (Steiger 2004, Psychol. Methods 9:164): so the lower end is 0 where the groups differ no more than by
    chance. Chance makes a spread smaller at most by its error in the direction in which the means differ: the upper
    end. All None for fewer than two groups, and where nobody benefits at all.
    """
    from scipy.special import chdtr, chndtrinc

    fp, fn, n = _columns(counts, 3)
    if len(n) < 2 or (n <= 0).any() or (fn == n).all():
        return UNKNOWN
    weights, means, freedom, level = n / n.sum(), 1 + (fp - fn) / n, len(n) - 1, 0.5 + confidence / 2
    whole = math.fsum(weights * means)
    spread = math.sqrt(math.fsum(weights * (means - whole) ** 2))
    over, under = (fp + 0.5) / (n + 1), (fn + 0.5) / (n + 1)
    off = math.sqrt(math.fsum((1 - weights) * (over + under - (over - under) ** 2)) / n.sum() / freedom)
    ratio = (spread / off) ** 2
    least = float(chndtrinc(ratio, freedom, level)) if chdtr(freedom, ratio) > level else 0.0
    ends = (spread, off * math.sqrt(least), spread + z_of(confidence) * off)
    return Interval(*((end / whole) ** 2 / 2 for end in ends))


# ---- the shared arithmetic -----------------------------------------------------------------------------------------
def _of_two_rates(
    extreme: Callable[..., Interval], groups: float, counts: Sequence[float], confidence: float
) -> list[list[tuple[float, ...]]] | None:
    """Values, lows and highs of the `extreme` in two rates: at half the risk, as either may be the further one; alone.

    Counts as in `largest_of_two_gaps`. None where a rate has no such figure.
    """
    both = counts[: 2 * int(groups)], counts[2 * int(groups) :]
    near, far = ([extreme(*c, confidence=at) for c in both] for at in ((1 + confidence) / 2, confidence))
    return None if UNKNOWN in far else [list(zip(*map(known, of), strict=True)) for of in (near, far)]


def _wilson(k: Floats, n: Floats, z: float | Floats) -> tuple[Floats, Floats]:
    """The limits of `auditor.intervals.wilson`, to the last bit, of many rates at once."""
    p = k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return np.where(k == 0, 0.0, np.maximum(0, middle - half)), np.where(k == n, 1.0, np.minimum(1, middle + half))


def _columns(counts: Sequence[float], width: int) -> list[Floats]:
    return list(np.asarray(counts, np.float64).reshape(-1, width).T)
