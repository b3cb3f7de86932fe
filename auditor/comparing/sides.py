"""The change of one figure: paired by its rows where both audits kept them, of independent samples where not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from auditor.comparing.kept import Groups, Rate, Scores
from auditor.stats import METHODS, interval
from auditor.sums import Part, Sum
from auditor.types import Measure

__all__ = ["FEWEST", "independent", "of_gaps", "of_scores"]

FEWEST = 5  # rows that both sides must have before a change of scores has an interval
CLOSE = 1e-9
Numbers = np.ndarray[Any, np.dtype[np.float64]]


def of_scores(before: Scores, after: Scores, method: str) -> Sum:
    """The mean change over the same rows: Newcombe's paired difference of rates, Student's t of all else."""
    if method == "wilson":
        return Sum((Part(1, "newcombe-paired", _paired(after.values, before.values)),))
    changes = after.values - before.values
    deviation = float(changes.std(ddof=1)) if len(changes) > 1 else 0.0
    return Sum((Part(1, "student", (len(changes), math.fsum(changes) / len(changes), deviation)),))


def of_gaps(before: Groups, after: Groups) -> Sum | None:
    """The change of the gap between the groups with the highest and lowest rate, which may be others afterwards.

    A sum of four rates. Where two are of the same rows on both sides, they are one paired difference; all others count
    as independent, which is conservative where rates of partly the same rows are subtracted. None where such rates are
    added (the groups changed places), since that would be too narrow. It is conservative as well where groups are
    alike, so that chance alone decides which are the highest and the lowest (by simulation 98 to 99 % hold the truth).
    """
    parts: list[Part] = []
    constant, left = 0, [(-1, before.highest), (1, before.lowest)]
    for sign, rate in ((1, after.highest), (-1, after.lowest)):
        same = next((other for other in left if np.array_equal(other[1].rows, rate.rows)), None)
        if same is None:
            parts.append(_alone(sign, rate))
            if any(other_sign == sign and np.intersect1d(o.rows, rate.rows).size for other_sign, o in left):
                return None
            continue
        left.remove(same)
        if same[0] == sign:  # p + q = p - (1 - q) + 1
            constant += sign
            parts.append(Part(sign, "newcombe-paired", _paired(rate.outcome, 1 - same[1].outcome)))
        else:
            parts.append(Part(sign, "newcombe-paired", _paired(rate.outcome, same[1].outcome)))
    return Sum((*parts, *(_alone(sign, rate) for sign, rate in left)), constant)


def independent(before: Measure, after: Measure) -> Sum | None:
    """The difference of two figures of independent samples; None where one of them has no interval."""
    if not (_can_be_recomputed(before) and _can_be_recomputed(after)):
        return None
    return Sum((Part(1, after.method, after.counts), Part(-1, before.method, before.counts)))


def _alone(sign: int, rate: Rate) -> Part:
    return Part(sign, "wilson", rate.counts)


def _paired(first: Numbers, second: Numbers) -> tuple[float, float, float, int]:
    """The counts of Newcombe's paired difference first minus second."""
    return math.fsum(first), math.fsum(second), math.fsum(first * second), len(first)


def _can_be_recomputed(m: Measure) -> bool:
    """Whether its counts give its own interval: a stored audit may say anything."""
    if m.method not in METHODS or None in (m.value, m.low, m.high):
        return False
    try:
        found = interval(m.method, m.counts)
    except (TypeError, ValueError, ArithmeticError):
        return False
    return _same((m.value, m.low, m.high), (found.value, found.low, found.high))


def _same(first: Sequence[float | None], second: Sequence[float | None]) -> bool:
    return all(
        a is not None and b is not None and abs(a - b) <= CLOSE * max(1.0, abs(a))
        for a, b in zip(first, second, strict=True)
    )
