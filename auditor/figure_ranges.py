"""Where the figures of each interval method can lie."""

from __future__ import annotations

import math

__all__ = ["ANY", "RANGES", "RATIOS"]

ANY, FROM_0, SHARE, DIFFERENCE = (-math.inf, math.inf), (0.0, math.inf), (0.0, 1.0), (-1.0, 1.0)
RANGES: dict[str, tuple[float, float]] = {  # where the figure of each method lies
    "wilson": SHARE,
    "newcombe": DIFFERENCE,
    "newcombe-paired": DIFFERENCE,
    "mover-falls": (-2.0, 2.0),
    "mover-r": FROM_0,
    "student": ANY,
    "student-of-sizes": FROM_0,
    "student-of-shares": SHARE,
    "student-of-correlations": DIFFERENCE,
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
