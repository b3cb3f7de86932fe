"""The scales of small pictures: tenths with room around what they hold, and no further than a figure can go."""

from __future__ import annotations

import math
from collections.abc import Sequence

from auditor.figure_ranges import ANY, RANGES

__all__ = ["reach_of", "span"]

Reach = tuple[float, float]


def reach_of(method: str) -> Reach:
    """The least and the most that a figure of the `method` can be."""
    return RANGES.get(method, ANY)


def span(ends: Sequence[float], reach: Reach = ANY) -> tuple[float, float]:
    """A scale in tenths that leaves room on both sides of `ends`, within `reach` as far as these lie there."""
    least, most = min(ends), max(ends)
    room = max(0.1, (most - least) / 2)
    low, high = math.floor((least - room) * 10) / 10, math.ceil((most + room) * 10) / 10
    return max(low, min(reach[0], least)), min(high, max(reach[1], most))
