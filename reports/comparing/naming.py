"""Figures of a comparison in words: what each is called, what it is about, and how it has moved."""

from __future__ import annotations

from auditor.comparing.changes import Change
from reports.words import number, signed, slice_words

__all__ = ["about_words", "change_words", "interval_of", "n_words", "values_words"]


def about_words(c: Change) -> str:
    """What a figure is about: `changes up to 0.15`, `by sex`, `sex = f`; "" for all rows."""
    words = slice_words(c.slice)
    if c.name.endswith("_difference") and words:
        attribute, *rest = words.split(", ", 1)
        return f"by {', '.join([attribute, *rest])}"
    return words.removeprefix("method = ")


def change_words(c: Change) -> str:
    """`+0.120`, with a real minus; "" where one side is missing."""
    return "" if c.value is None else signed(c.value, _digits(c))


def interval_of(c: Change) -> str:
    """`-0.020 to +0.140`; "" without one."""
    ends = c.ends
    return "" if ends is None else f"{signed(ends[0], _digits(c))} to {signed(ends[1], _digits(c))}"


def values_words(c: Change) -> tuple[str, str]:
    """The figure before and after."""
    before, after = (number(v, _digits(c)) for v in (c.before, c.after))
    if c.doubt.startswith("not measured"):
        gone = "not measured"
        return (gone, after) if c.doubt.endswith("before") else (before, gone)
    return before, after


def _digits(c: Change) -> int:
    """Decimals: none of what is counted."""
    return 0 if c.name == "rules_fired" else 3


def n_words(c: Change) -> str:
    """`n = 500, paired`; both sides' where they differ, and the shared rows' where they are not all."""
    if c.shared:
        return f"the {c.n[0]:,} rows that both sides count, paired"
    n = f"n = {c.n[0]:,}" if c.n[0] == c.n[1] else f"n = {c.n[0]:,} and {c.n[1]:,}"
    return f"{n}, {'paired' if c.paired else 'unpaired'}" if c.moved else n
