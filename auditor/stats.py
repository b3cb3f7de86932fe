"""Intervals and tests, and the measures that carry them.

Rates: Wilson. Differences of rates: Newcombe, of the same rows his paired one, and of two such differences MOVER.
Ratios of rates: MOVER-R. Means: Student's t. The largest gap among groups: all pairs at once (`auditor.extremes`).
Never Wald (at n = 10 its 95 % interval holds the truth 18 % of the time).
Each method is a function of its counts alone, so a stored measure can be judged at any confidence without the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from auditor import extremes, of_counts
from auditor.intervals import (
    Interval,
    mann_whitney,
    mean_of_differences,
    mover_of_falls,
    mover_r,
    newcombe,
    newcombe_paired,
    student,
    student_of_sizes,
    welch,
    wilson,
    wilson_of_scores,
)
from auditor.tails import tails_of
from auditor.types import Better, Measure
from auditor.unsaid import unsaid

__all__ = [
    "ANY", "METHODS", "RANGES", "RATIOS", "auc", "difference", "enlarged", "fall_difference", "holm", "interval",
    "mean", "mean_size", "measured", "paired", "rank_correlation", "rate", "ratio", "share", "simultaneous", "tails",
    "tails_of", "wilcoxon",
]  # fmt: skip


METHODS: dict[str, Callable[..., Interval]] = {
    "wilson": wilson,
    "newcombe": newcombe,
    "newcombe-paired": newcombe_paired,
    "mover-falls": mover_of_falls,
    "mover-r": mover_r,
    "student": student,
    "student-of-sizes": student_of_sizes,
    # of areas under curves (auditor.outliers.auroc): the counts are those of rates that would be known as well
    "delong": wilson,
    "delong-difference": newcombe,
    "mann-whitney": mann_whitney,
    "welch": welch,
    "wilson-of-scores": wilson_of_scores,
    "mean-of-differences": mean_of_differences,
    # of one group's counts
    "balanced-accuracy": of_counts.balanced_accuracy,
    "mcc": of_counts.mcc,
    "odds": of_counts.odds,
    "generalized-entropy": of_counts.generalized_entropy,
    "ece": of_counts.ece,
    "ks": of_counts.ks,
    # over several groups
    "largest-gap": extremes.largest_gap,
    "smallest-ratio": extremes.smallest_ratio,
    "smaller-of-two-ratios": extremes.smaller_of_two_ratios,
    "ratio-to-best": extremes.ratio_to_best,
    "largest-of-two-gaps": extremes.largest_of_two_gaps,
    "mean-of-two-gaps": extremes.mean_of_two_gaps,
    "largest-gap-of-means": extremes.largest_gap_of_means,
    "largest-gap-of-areas": extremes.largest_gap_of_areas,
    "largest-gap-of-scores": extremes.largest_gap_of_scores,
    "largest-gap-of-differences": extremes.largest_gap_of_differences,
    "between-entropy": extremes.between_entropy,
}
ANY, FROM_0, SHARE, DIFFERENCE = (-math.inf, math.inf), (0.0, math.inf), (0.0, 1.0), (-1.0, 1.0)
RANGES: dict[str, tuple[float, float]] = {  # where the figure of each method lies
    "wilson": SHARE,
    "newcombe": DIFFERENCE,
    "newcombe-paired": DIFFERENCE,
    "mover-falls": (-2.0, 2.0),
    "mover-r": FROM_0,
    "student": ANY,
    "student-of-sizes": FROM_0,
    "delong": SHARE,
    "delong-difference": DIFFERENCE,
    "mann-whitney": SHARE,
    "welch": ANY,
    "wilson-of-scores": SHARE,
    "mean-of-differences": DIFFERENCE,
    "balanced-accuracy": SHARE,
    "mcc": DIFFERENCE,
    "odds": FROM_0,
    "generalized-entropy": FROM_0,
    "ece": SHARE,
    "ks": SHARE,
    "largest-gap": SHARE,
    "smallest-ratio": SHARE,
    "smaller-of-two-ratios": SHARE,
    "ratio-to-best": FROM_0,
    "largest-of-two-gaps": SHARE,
    "mean-of-two-gaps": SHARE,
    "largest-gap-of-means": FROM_0,
    "largest-gap-of-areas": SHARE,
    "largest-gap-of-scores": SHARE,
    "largest-gap-of-differences": (0.0, 2.0),
    "between-entropy": FROM_0,
}
RATIOS = frozenset({"mover-r", "ratio-to-best"})  # of two rates: 1 where they are equal
OF_MEANS = {"student", "student-of-sizes", "welch", "largest-gap-of-means"}  # (n, mean, deviation) of every group


def interval(method: str, counts: Sequence[float], confidence: float = 0.95) -> Interval:
    """The estimate and interval that `counts` give under `method` (a key of METHODS)."""
    return METHODS[method](*counts, confidence=confidence)


def tails(method: str, counts: Sequence[float], bound: float) -> tuple[float, float]:
    """One-sided p-values (against "truth < bound", against "truth > bound"), by inverting the interval.

    The first is small when the figure lies significantly above `bound`, the second when below. Both are 1.0 when the
    counts give no interval.
    """
    return tails_of(lambda confidence: interval(method, counts, confidence), bound)


def enlarged(method: str, counts: Sequence[float], factor: float) -> tuple[float, ...]:
    """The counts that `factor` times as many rows would give at the same rates."""
    if method in OF_MEANS:
        return tuple(c if i % 3 else c * factor for i, c in enumerate(counts))
    first = {"ks", "largest-of-two-gaps", "mean-of-two-gaps", "smaller-of-two-ratios"}  # begin with no count of rows
    figures = 1 if method in first else 0
    return (*counts[:figures], *(c * factor for c in counts[figures:]))


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


def measured(
    name: str,
    slice: str,  # noqa: A002
    method: str,
    counts: Sequence[float],
    *,
    n: int,
    better: Better = "neither",
) -> Measure:
    """Measure of what `counts` of `n` rows come to under `method` (a key of METHODS)."""
    counts = tuple(map(_count, counts))
    i = interval(method, counts)
    return Measure(name, slice, i.value, int(n), i.low, i.high, method, counts, better, why=unsaid(method))


def rate(name: str, k: int, n: int, *, slice: str = "", better: Better = "higher") -> Measure:  # noqa: A002
    """Measure of k out of n."""
    return measured(name, slice, "wilson", (k, n), n=n, better=better)


def difference(name: str, first: tuple[float, int], second: tuple[float, int], *, slice: str = "") -> Measure:  # noqa: A002
    """Measure of the difference of two rates, each given as (k, n); nearer 0 is better.

    k may be a sum of scores from 0 to 1, as parts of a row may count.
    """
    return measured(name, slice, "newcombe", (*first, *second), n=first[1] + second[1], better="lower")


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
    return measured(name, slice, "newcombe-paired", (math.fsum(first), math.fsum(second), both, n), n=n, better=better)


def fall_difference(name: str, first: Measure, second: Measure, *, slice: str = "") -> Measure:  # noqa: A002
    """Measure of how much larger one paired difference is than that of other rows, both made by `paired`."""
    counts = (*first.counts, *second.counts)
    return measured(name, slice, "mover-falls", counts, n=first.n + second.n, better="lower")


def share(name: str, scores: Sequence[float], *, slice: str = "", better: Better = "higher") -> Measure:  # noqa: A002
    """Measure of the mean of `scores`, each from 0 to 1, with Wilson's interval.

    It is wider than need be where scores lie between 0 and 1, and never as narrow as their spread where all agree.
    """
    n = len(scores)
    return measured(name, slice, "wilson", (math.fsum(scores), n), n=n, better=better)


def ratio(name: str, first: tuple[int, int], second: tuple[int, int], *, slice: str = "") -> Measure:  # noqa: A002
    """Measure of the ratio of two rates, each given as (k, n); 1 means equal."""
    return measured(name, slice, "mover-r", (*first, *second), n=first[1] + second[1], better="higher")


def auc(name: str, area: float, n: int, m: int, *, slice: str = "", better: Better = "higher") -> Measure:  # noqa: A002
    """Measure of an area under the ROC curve between n and m scores: .5 is chance, 1 tells all of them apart."""
    return measured(name, slice, "mann-whitney", (area * n, n, m), n=n + m, better=better)


def mean(name: str, values: Iterable[float], *, slice: str = "", better: Better = "neither") -> Measure:  # noqa: A002
    """Measure of the mean of `values`, with Student's interval where there are enough of them."""
    numbers = [float(v) for v in values]
    n = len(numbers)
    average = math.fsum(numbers) / max(n, 1)
    deviation = math.sqrt(math.fsum((v - average) ** 2 for v in numbers) / max(n - 1, 1))
    return measured(name, slice, "student", (n, average, deviation), n=n, better=better)


def mean_size(name: str, values: Any, *, slice: str = "", better: Better = "neither") -> Measure:  # noqa: A002
    """`mean` of numbers that are never below 0, an array (N,) or a list; neither is the end of its interval."""
    sizes = np.asarray(values, float)
    n = len(sizes)
    average = float(sizes.mean()) if n else 0.0
    deviation = float(sizes.std(ddof=1)) if n > 1 else 0.0
    return measured(name, slice, "student-of-sizes", (n, average, deviation), n=n, better=better)
