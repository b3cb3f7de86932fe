"""The blocks a report is made of, as plain data, and the marks of how a figure was judged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from markupsafe import Markup

from auditor.types import Measure, Outcome, Scalar, Status, Table
from reports.words import STATUS, figure_words, number, slice_words

__all__ = [
    "Chart", "CheckHead", "Code", "Facts", "Folded", "Grid", "Heading", "Heat", "HeatCell", "Picture", "Pictures",
    "Points", "Prose", "Section", "grid_of", "icon", "interval_words", "measures_grid", "tag",
]  # fmt: skip

LONGEST = 40


@dataclass(frozen=True)
class Prose:
    """A paragraph; `small` is a side remark."""

    kind: ClassVar[str] = "prose"
    text: str
    small: bool = False


@dataclass(frozen=True)
class Facts:
    """Terms and what is so about them."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[tuple[str, str]]
    glossary: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Points:
    """A list of remarks."""

    kind: ClassVar[str] = "points"
    items: Sequence[str]


@dataclass(frozen=True)
class Code:
    """Lines to be typed or copied as they are; one click selects all of them."""

    kind: ClassVar[str] = "code"
    label: str
    text: str


@dataclass(frozen=True)
class CheckHead:
    """The heading of one check: how it ended, why, and what to doubt."""

    kind: ClassVar[str] = "head"
    title: str
    check: str
    status: Status
    reason: str
    caveats: Sequence[str] = ()

    @classmethod
    def of(cls, outcome: Outcome) -> CheckHead:
        """The heading of `outcome`."""
        caveats = outcome.result.caveats if outcome.result else ()
        return cls(outcome.title, outcome.check, outcome.status, outcome.reason, caveats)


@dataclass(frozen=True)
class Grid:
    """A table; the first column names the row, columns in `numbers` are figures. `more` rows were left out.

    A cell is text, or Markup: a `tag`, links to other parts of the page. Where every row is about one measure, `of`
    holds its name and slice.
    """

    kind: ClassVar[str] = "grid"
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    more: int = 0
    of: Sequence[tuple[str, str]] = ()

    @property
    def key(self) -> str:
        """An id for the caption, from its content."""
        return "t" + hashlib.sha256(f"{self.caption}{self.columns}".encode()).hexdigest()[:8]


@dataclass(frozen=True)
class HeatCell:
    """One figure of a heat table with its interval and n; `tint` 0 to 4, or -1 for too few to say."""

    value: str
    interval: str
    n: str
    tint: int


@dataclass(frozen=True)
class Heat:
    """A table whose cells are tinted by their figure."""

    kind: ClassVar[str] = "heat"
    caption: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[HeatCell]]]

    @property
    def key(self) -> str:
        """An id for the caption, from its content."""
        return "h" + hashlib.sha256(f"{self.caption}{self.columns}".encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Chart:
    """A chart: its subject, the sentence that is its answer, the drawing, how to read it, its figures as a table."""

    kind: ClassVar[str] = "chart"
    title: str
    answer: str
    svg: Markup
    figures: Grid | None = None
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture with what it shows; `small` ones show their pixels."""

    source: str
    alt: str
    name: str
    note: str = ""
    small: bool = True


@dataclass(frozen=True)
class Pictures:
    """A row of pictures of one sample."""

    kind: ClassVar[str] = "pictures"
    title: str
    cells: Sequence[Picture]


@dataclass(frozen=True)
class Folded:
    """Blocks behind a summary that a click opens; open in print."""

    kind: ClassVar[str] = "folded"
    summary: str
    blocks: Sequence[Any]


@dataclass(frozen=True)
class Section:
    """One part of the report: its number, its one-sentence answer, and its blocks."""

    key: str
    title: str
    answer: str
    blocks: Sequence[Any]
    note: str = ""
    status: str = ""


# ---- tables of the audit -----------------------------------------------------------------------------------------
def grid_of(table: Table, caption: str = "", longest: int = LONGEST) -> Grid:
    """A table of the audit for reading: at most `longest` rows."""
    rows = [[_cell(value) for value in row] for row in table.rows[:longest]]
    numbers = frozenset(
        i for i in range(1, len(table.columns)) if table.rows and all(_is_number(row[i]) for row in table.rows)
    )
    return Grid(caption or table.title, table.columns, rows, numbers, max(0, len(table.rows) - longest))


def measures_grid(caption: str, measures: Iterable[Measure], longest: int = LONGEST) -> Grid:
    """Measures as a table with their intervals."""
    every = list(measures)
    rows = [
        [figure_words(m.name), slice_words(m.slice), number(m.value, 3), interval_words(m), f"{m.n:,}"]
        for m in every[:longest]
    ]
    return Grid(
        caption,
        ("measure", "about", "value", "95 % interval", "n"),
        rows,
        frozenset({2, 3, 4}),
        max(0, len(every) - longest),
        [(m.name, m.slice) for m in every[:longest]],
    )


def interval_words(m: Measure, digits: int = 3) -> str:
    """`0.82 to 0.91`, empty where a measure has no interval."""
    return "" if m.low is None or m.high is None else f"{number(m.low, digits)} to {number(m.high, digits)}"


def _cell(value: Scalar) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value, 3)
    return f"{value:,}" if isinstance(value, int) else value


def _is_number(value: Scalar) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


# ---- marks -------------------------------------------------------------------------------------------------------
_RING = '<circle cx="8" cy="8" r="7" fill="none" stroke="currentColor" stroke-width="1.6"{}/>'
_MARKS = {
    "pass": _RING.format("")
    + '<path d="M4.6 8.3l2.4 2.4 4.4-5" fill="none" stroke="currentColor" stroke-width="1.8"/>',
    "fail": '<path d="M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5z" fill="currentColor"/>'
    '<path d="M5.3 5.3l5.4 5.4m0-5.4l-5.4 5.4" class="k" stroke-width="1.9"/>',
    "warn": '<path d="M8 1.6L15.2 14.4H.8z" fill="none" stroke="currentColor" stroke-width="1.6" '
    'stroke-linejoin="round"/>'
    '<path d="M8 6v4.2m0 1.3v1.5" stroke="currentColor" stroke-width="1.7"/>',
    "inconclusive": _RING.format("") + '<path d="M8 1a7 7 0 010 14z" fill="currentColor"/>',
    "measured": _RING.format(' stroke-dasharray="2.6 2.3"')
    + '<path d="M5 8h6" stroke="currentColor" stroke-width="1.6"/>',
    "evidenced": '<circle cx="8" cy="8" r="7.8" fill="currentColor"/>',
    "not_evidenced": _RING.format(""),
    "needs_statement": _RING.format("") + '<path d="M8 4v5m0 1.6v1.6" stroke="currentColor" stroke-width="1.8"/>',
    "stated": '<path d="M1 2h14v9H8l-4 4v-4H1z" fill="none" stroke="currentColor" stroke-width="1.6"/>',
}
_MARK_OF = {"conditions": "warn", "incomplete": "inconclusive", "partly": "inconclusive", "error": "fail"}


def icon(status: str) -> Markup:
    """The mark of a status or verdict; words always stand beside it."""
    mark = _MARKS.get(_MARK_OF.get(status, status), _MARKS["measured"])
    frame = Markup('<svg class="i {}" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{}</svg>')
    return frame.format(status, Markup(mark))  # noqa: S704 - our own marks


def tag(status: Status) -> Markup:
    """A status as mark and word."""
    return Markup('<span class="tag {}">{} {}</span>').format(status, icon(str(status)), STATUS[status])
