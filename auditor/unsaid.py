"""Why a figure has no value: what the counts behind it would have to hold."""

from __future__ import annotations

__all__ = ["TOO_FEW_GROUPS", "unsaid"]

TOO_FEW_GROUPS = "fewer than two groups have enough rows"
SIDES = "one of its two sides has no row"
GROUPS = "fewer than two groups have rows"
DIVISOR = "what it is divided by is 0, or is of no row"
WHY = {
    "newcombe": SIDES,
    "mover-falls": SIDES,
    "mann-whitney": SIDES,
    "delong-difference": SIDES,
    "welch": SIDES,
    "mover-r": DIVISOR,
    "odds": DIVISOR,
    "ratio-to-best": DIVISOR,
    "balanced-accuracy": "the rows are all of one class",
    "mcc": "all rows have the same label, or the same answer",
    "generalized-entropy": "nobody benefits",
    "smallest-ratio": f"{GROUPS}, or all rates are 0",
    "smaller-of-two-ratios": f"{GROUPS}, or all rates are 0",
    "between-entropy": f"{GROUPS}, or nobody benefits",
}


def unsaid(method: str) -> str:
    """Why counts that give no value under `method` do not; "" where they lack nothing but rows."""
    return WHY.get(method, GROUPS if "gap" in method else "")
