"""A figure before and after as cells of a table: both with their intervals, and the difference with its own."""

from __future__ import annotations

from auditor.comparing.changes import Change
from auditor.types import Measure
from reports.comparing.naming import change_words, interval_of
from reports.parts import interval_words
from reports.words import number

__all__ = ["pair", "pair_columns"]


def pair_columns(labels: tuple[str, str]) -> tuple[str, ...]:
    """The heads of what `pair` gives."""
    first, second = (label.lower() for label in labels)
    return (first, "95 % interval", second, "95 % interval", "difference")


def pair(a: Measure | None, b: Measure | None, c: Change | None) -> list[str]:
    """The cells of one figure."""
    return [*_side_cells(a), *_side_cells(b), _difference(c)]


def _difference(c: Change | None) -> str:
    """Second minus first with its interval."""
    if c is None or c.value is None:
        return ""
    interval = interval_of(c)
    return f"{change_words(c)} ({interval})" if interval else change_words(c)


def _side_cells(m: Measure | None) -> list[str]:
    return [number(m.value, 3), interval_words(m)] if m else ["not measured", ""]
