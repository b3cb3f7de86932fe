"""How well a score tells rows of two kinds apart: the area under the ROC curve and the error at 95 % found."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from auditor.stats import interval
from auditor.types import Better, Measure

__all__ = ["area", "auroc", "auroc_fall", "effective", "fpr_at", "paired_auroc", "placements"]

Scores = np.ndarray[tuple[int], np.dtype[np.float64]]
FOUND = 0.95
ONE_KIND = "there are no rows of one of the two kinds"
Z = NormalDist().inv_cdf(0.975)


def placements(inside: Scores, foreign: Scores) -> tuple[Scores, Scores]:
    """Of each inside score (m,) the share of foreign ones below it, of each foreign one (n,) the share above it.

    Equal scores count half. By midranks: Sun & Xu 2014, IEEE Signal Process. Lett. 21:1389.
    """
    from scipy.stats import rankdata

    m, n = len(inside), len(foreign)
    both = rankdata(np.concatenate([inside, foreign]))
    return (both[:m] - rankdata(inside)) / n, 1 - (both[m:] - rankdata(foreign)) / m


def area(inside: Scores, foreign: Scores) -> float | None:
    """How often an inside row scores higher than a foreign one, equal scores counting half; None without either."""
    if not len(inside) or not len(foreign):
        return None
    return float(placements(inside, foreign)[0].mean())


def effective(value: float, variance: float, m: int, n: int) -> float:
    """How many rows a rate of `value` would need, to be known as well as an area with this variance.

    Never fewer than the smaller kind has (the variance is at most value (1 - value) / min(m, n), whatever the scores:
    Birnbaum & Klose 1957), nor more than an area of one half has, since near 1 few pairs decide and the variance that
    they show is too small. So an area of 1 has an interval too.
    """
    least, most = min(m, n), 3 * m * n / (m + n + 1)
    if variance <= 0:
        return float(least)
    return float(min(max(value * (1 - value) / variance, least), max(most, least)))


def auroc(name: str, inside: Scores, foreign: Scores, *, slice: str = "") -> Measure:  # noqa: A002
    """Measure of the area under the ROC curve of two sets of rows that have nothing to do with each other.

    1: every inside row scores higher than every foreign one; 0.5: chance; 0: the wrong way round. Its variance is that
    of DeLong et al. 1988, Biometrics 44:837, its interval Wilson's of as many rows as this variance is worth: DeLong's
    own leaves the range, and is empty at 1. None without rows of both kinds.
    """
    m, n = len(inside), len(foreign)
    if not m or not n:
        return Measure(name, slice, None, m + n, better="higher", why=ONE_KIND)
    above, below = placements(inside, foreign)
    variance = above.var(ddof=1) / m + below.var(ddof=1) / n if min(m, n) > 1 else 0.0
    return _measure(name, slice, float(above.mean()), float(variance), m, n)


def paired_auroc(name: str, inside: Scores, changed: Scores, *, slice: str = "") -> Measure:  # noqa: A002
    """Measure of the area where `changed` (n,) are the same rows as `inside`, changed: each pair is one draw.

    As `auroc`, with the variance of clusters (Obuchowski 1997, Biometrics 53:567).
    """
    n = len(inside)
    if not n:
        return Measure(name, slice, None, 0, better="higher")
    above, below = placements(inside, changed)
    variance = (above + below).var(ddof=1) / n if n > 1 else 0.0
    return _measure(name, slice, float(above.mean()), float(variance), n, n)


def auroc_fall(before: Measure, after: Measure, *, slice: str) -> Measure:  # noqa: A002
    """Measure of how far an area fell; its interval is that of two sets of rows, too wide where they are the same."""
    if before.value is None or after.value is None:
        return Measure("auroc_fall", slice, None, after.n, better="lower", why=before.why or after.why)
    counts = (*before.counts, *after.counts)
    i = interval("delong-difference", counts)
    return Measure("auroc_fall", slice, i.value, after.n, i.low, i.high, "delong-difference", counts, "lower")


def fpr_at(name: str, inside: Scores, foreign: Scores, *, found: float = FOUND, slice: str = "") -> Measure:  # noqa: A002
    """Measure of how many foreign rows pass when a share `found` of the inside ones must; 0 is best, 1 none is told.

    The threshold is the highest that lets at least this share pass. Its interval is Wilson's for as many rows as the
    variance of this figure is worth: that of counting foreign rows, and that of the threshold, whose place among the
    inside rows is known to some ranks only (Woodruff 1952, JASA 47:635). None without rows of both kinds.
    """
    m, n = len(inside), len(foreign)
    if not m or not n:
        return Measure(name, slice, None, m + n, better="lower", why=ONE_KIND)
    falling = -np.sort(-inside)

    def passing(share: float) -> float:
        rank = math.ceil(share * m - 1e-9)
        return 1.0 if rank > m else 0.0 if rank < 1 else float((foreign >= falling[rank - 1]).mean())

    value, error = passing(found), Z * math.sqrt(found * (1 - found) / m)
    spread = max(passing(found + error) - value, value - passing(found - error)) / Z
    smoothed = (value * n + Z * Z / 2) / (n + Z * Z)
    worth = smoothed * (1 - smoothed) / (smoothed * (1 - smoothed) / n + spread**2)
    return _known(name, slice, value, worth, m + n, "lower")


def _measure(name: str, slice: str, value: float, variance: float, m: int, n: int) -> Measure:  # noqa: A002
    return _known(name, slice, value, effective(value, variance, m, n), m + n, "higher")


def _known(name: str, slice: str, value: float, worth: float, n: int, better: Better) -> Measure:  # noqa: A002
    counts: tuple[Any, ...] = (value * worth, worth)
    i = interval("delong", counts)
    return Measure(name, slice, i.value, n, i.low, i.high, "delong", counts, better)
