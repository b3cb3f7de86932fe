"""What the marks of a chart mean, of those that are in it."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["legend"]

MARKS = {
    "fail": "◆ fails",
    "warn": "▲ warns",
    "inconclusive": "○ undecided",
    "pass": "● passes",
    "measured": "a dashed ring is not judged",
    "ref": "the dashed ring without a bar is the reference",
}


def legend(statuses: Iterable[str]) -> str:
    """A sentence on the marks of these statuses, worst first; "" without any."""
    present = set(statuses)
    said = ", ".join(words for status, words in MARKS.items() if status in present)
    return f"{said[0].upper()}{said[1:]}." if said else ""
