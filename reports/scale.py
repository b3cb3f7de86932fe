"""The scales of small pictures: tenths with room around what they hold, and no further than a figure can go."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["ANYTHING", "reach_of", "span"]

Reach = tuple[float, float]
ANYTHING: Reach = (-math.inf, math.inf)
SHARES: Reach = (0.0, 1.0)
SIZES: Reach = (0.0, math.inf)
DIFFERENCES: Reach = (-1.0, 1.0)
REACH = {  # what the figures of a method can be; any number where it is not named
    **dict.fromkeys(
        ("wilson", "wilson-of-scores", "student-of-shares", "delong", "mann-whitney", "balanced-accuracy", "ece", "ks"),
        SHARES,
    ),
    **dict.fromkeys(
        (
            "student-of-sizes", "mover-r", "odds", "generalized-entropy", "between-entropy", "smallest-ratio",
            "smaller-of-two-ratios", "ratio-to-best",
        ),
        SIZES,
    ),
    **dict.fromkeys(
        (
            "newcombe", "newcombe-paired", "delong-difference", "mean-of-differences", "student-of-correlations", "mcc",
            "largest-gap", "largest-of-two-gaps", "mean-of-two-gaps", "largest-gap-of-areas",
        ),
        DIFFERENCES,
    ),
}  # fmt: skip


def reach_of(method: str) -> Reach:
    """The least and the most that a figure of the `method` can be."""
    return REACH.get(method, ANYTHING)


def span(ends: Sequence[float], reach: Reach = ANYTHING) -> tuple[float, float]:
    """A scale in tenths that leaves room on both sides of `ends`, within `reach` as far as these lie there."""
    least, most = min(ends), max(ends)
    room = max(0.1, (most - least) / 2)
    low, high = math.floor((least - room) * 10) / 10, math.ceil((most + room) * 10) / 10
    return max(low, min(reach[0], least)), min(high, max(reach[1], most))
