"""One sample of an audit: what the checks kept of it, gathered for the page that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from auditor.types import Audit, Image, Outcome, Result, Table
from reports.images import LARGEST
from reports.pillars.common import ran
from reports.pillars.methods import QUALITY, bar_label, is_bars, is_words, quality
from reports.texts import excerpt, parts_of, plain, short, strongest, words_of
from reports.words import number

__all__ = [
    "bars", "change_pictures", "change_tables", "chart", "effects", "enlarged", "figure_of", "maps", "original",
    "text", "titles",
]  # fmt: skip

CURVE = "robustness.curve"
CHANGED = ("before", "after")
COLOURS = {"raises": "#d9752b", "lowers": "#4a8fd0"}  # as in the maps; to be told from white and from black
Pixels = np.ndarray[Any, Any]


def titles(audit: Audit) -> dict[str, str]:
    """The title of every row that is explained or turned, by its name (`row 12`); those that are both come first."""
    said, turned = [item.title for _, item in _explained(audit)], _turned(audit)
    rows = {_row(title) for title in turned}
    found: dict[str, str] = {}
    for title in [*sorted(said, key=lambda t: (_row(t) in rows, said.count(t)), reverse=True), *turned]:
        found.setdefault(_row(title), title)
    return found


def _explained(audit: Audit) -> Iterator[tuple[Outcome, Image | Table]]:
    """What the methods that explain single rows say of them."""
    for o in ran(audit, "explain"):
        images = o.result.images if o.result else ()
        pictured = {i.title for i in images if i.role == "original"}
        yield from ((o, image) for image in images if image.title in pictured)
        yield from ((o, table) for table in o.tables if is_bars(table) or is_words(table))


def _turned(audit: Audit) -> list[str]:
    result = _curve(audit)
    if result is None:
        return []
    return [i.title for i in result.images] + [t.title for t in result.tables if t.columns[1:3] == CHANGED]


# ---- what moved the answer ---------------------------------------------------------------------------------------
def original(audit: Audit, title: str) -> Image | None:
    """The picture itself, None where the row is none."""
    return next((i for _, i in _images(audit, title) if i.role == "original"), None)


def maps(audit: Audit, title: str) -> list[tuple[Outcome, Image]]:
    """Every method's map of the row."""
    return [(o, i) for o, i in _images(audit, title) if i.role == "map"]


def _images(audit: Audit, title: str) -> list[tuple[Outcome, Image]]:
    return [(o, i) for o, i in _explained(audit) if isinstance(i, Image) and i.title == title]


def bars(audit: Audit, title: str) -> list[tuple[Outcome, Table]]:
    """Every method's columns or words of the row with their effects."""
    return [(o, t) for o, t in _explained(audit) if isinstance(t, Table) and t.title == title]


def text(table: Table) -> str:
    """The text that a table of words holds, the strongest parts of a long one; empty for columns."""
    if not is_words(table):
        return ""
    words, shares, _ = parts_of(table)
    return plain(excerpt(words_of(words, shares), shares))


def effects(table: Table) -> pd.DataFrame:
    """What each column does, with its value; the strongest words of a text, with their places in it."""
    if is_words(table):
        words, shares, _ = parts_of(table)
        order = strongest(shares)
        labels = [f"{short(words[i])} ({i + 1})" for i in order]  # a label that comes twice would be one
        values = [shares[i] for i in order]
    else:
        labels = [bar_label(table, row) for row in table.rows]
        values = [float(row[2] or 0) for row in table.rows]
    return pd.DataFrame({"label": labels, "value": values, "does": ["raises" if v > 0 else "lowers" for v in values]})


def chart(table: Table) -> dict[str, Any]:
    """A chart of `effects` in Vega-Lite: bars to both sides of 0, in the order of the table."""
    colour = {"scale": {"domain": list(COLOURS), "range": list(COLOURS.values())}, "legend": None}
    axis = {"labelLimit": 150, "labelOverlap": False}
    return {
        "mark": "bar",
        "height": 24 * len(effects(table)) + 70,  # the axis is part of it
        "encoding": {
            "y": {"field": "label", "type": "nominal", "sort": None, "title": None, "axis": axis},
            "x": {"field": "value", "type": "quantitative", "title": table.columns[1 if is_words(table) else 2]},
            "color": {"field": "does", "type": "nominal", "title": None, **colour},
        },
    }


def figure_of(o: Outcome, title: str) -> tuple[str, str]:
    """A method's own figure for the row, and how to read it; empty where it has none."""
    m = quality(o, title)
    return (f"{m.name.replace('_', ' ')} {number(m.value)}", QUALITY[o.check][1]) if m else ("", "")


# ---- the smallest change -----------------------------------------------------------------------------------------
def change_pictures(audit: Audit, title: str) -> dict[str, Image]:
    """Pictures of the row by role: original, change, adversarial; empty where it was not turned."""
    result = _curve(audit)
    found = {i.role: i for i in (result.images if result else ()) if _row(i.title) == _row(title)}
    return found if {"original", "change", "adversarial"} <= set(found) else {}


def change_tables(audit: Audit, title: str) -> list[Table]:
    """The columns or words that were changed to turn the row."""
    result = _curve(audit)
    tables = (t for t in (result.tables if result else ()) if t.columns[1:3] == CHANGED)
    return [t for t in tables if _row(t.title) == _row(title)]


def _row(title: str) -> str:
    """`row 12` of `row 12: cat (0.98), called dog`: what is said of the row differs from check to check."""
    return title.partition(":")[0]


def enlarged(array: Pixels) -> Pixels:
    """A small picture or map with every pixel as a square, so that a browser does not blur it."""
    times = max(1, LARGEST // max(array.shape[:2]))
    return array.repeat(times, 0).repeat(times, 1)


def _curve(audit: Audit) -> Result | None:
    """What the curve of robustness found, None where it did not run."""
    outcome = audit.outcome(CURVE)
    return outcome.result if outcome else None
