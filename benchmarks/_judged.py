"""What the policy says of many audits of populations whose groups are equal, at the limit, or beyond it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.deciding import statuses
from auditor.stats import measured
from auditor.types import Limit, Measure, Status

__all__ = ["FOUR_FIFTHS", "Judged", "gap_of", "judged", "naive", "ratios_of"]

CHECK = "fairness.impact_ratio"
FOUR_FIFTHS = Limit(CHECK, "impact_ratio", fail_below=0.8)


@dataclass(frozen=True)
class Judged:
    """Of all audits: the shares in which any limit failed, and in which all passed. The rest is undecided."""

    failed: float
    passed: float


def ratios_of(ks: Sequence[int], n: int) -> list[Measure]:
    """The impact ratio of every group of n rows but the best, as the check measures it."""
    best = int(np.argmax(ks))
    others = [[x for j, k in enumerate(ks) if j != i for x in (k, n)] for i in range(len(ks))]
    return [
        measured("impact_ratio", f"group={i}", "ratio-to-best", (k, n, *others[i]), n=n, better="higher")
        for i, k in enumerate(ks)
        if i != best
    ]


def gap_of(ks: Sequence[int], n: int) -> list[Measure]:
    """The largest gap between groups of n rows."""
    counts = [x for k in ks for x in (k, n)]
    return [measured("demographic_parity_difference", "group", "largest-gap", counts, n=n * len(ks), better="lower")]


def judged(
    rates: Sequence[float],
    n: int,
    limit: Limit,
    rounds: int,
    measures: Callable[[Sequence[int], int], list[Measure]] = ratios_of,
) -> Judged:
    """What becomes of `rounds` audits of groups of n rows with these true rates under one limit."""
    found: Counter[str] = Counter()
    for ks, times in _drawn(rates, n, rounds):
        said = statuses(measures(ks, n), [limit])
        found["failed" if Status.FAIL in said else "passed" if set(said) == {Status.PASS} else "open"] += times
    return Judged(found["failed"] / rounds, found["passed"] / rounds)


def naive(rates: Sequence[float], n: int, rounds: int) -> float:
    """In how many audits a group's rate lies below four fifths of the highest: the rule without an interval."""
    return sum(times for ks, times in _drawn(rates, n, rounds) if min(ks) < 0.8 * max(ks)) / rounds


def _drawn(rates: Sequence[float], n: int, rounds: int) -> list[tuple[list[int], int]]:
    """The counts of the groups in so many audits, and how often each comes; the same ones at every call."""
    random = np.random.default_rng([n, len(rates), *(round(p * 10_000) for p in rates)])
    different, times = np.unique(random.binomial(n, rates, (rounds, len(rates))), axis=0, return_counts=True)
    return list(zip(different.tolist(), times.tolist(), strict=True))
