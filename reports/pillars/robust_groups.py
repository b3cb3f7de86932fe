"""Robustness by group: of every attribute what each group keeps under change, where groups differ most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditor.types import Measure, Outcome, Scalar, Table
from reports.parts import LONGEST, CheckHead, Folded, Grid, Heat, HeatCell, Prose, interval_words
from reports.pillars.common import FEW, rate_cell
from reports.words import number, slice_words

__all__ = ["robust_groups"]

BY = "Under change, by "
ENDS = 6  # the last columns: both differences with their intervals
Measures = dict[tuple[str, str], Measure]


def robust_groups(o: Outcome) -> list[Any]:
    """The check's head, and for each attribute a table of its groups, with every size and kind of change behind it."""
    if o.result is None:
        return []
    known = {(m.name, m.slice): m for m in o.result.measures}
    blocks: list[Any] = [CheckHead.of(o)]
    for table in o.result.tables:
        attribute = table.title.removeprefix(BY)
        blocks += [Prose(_said(table, attribute)), _heat(table, attribute, known)]
        blocks.append(Folded(f"Every change, by {attribute}", [_every(table, attribute, known)]))
    return blocks


def _said(table: Table, attribute: str) -> str:
    """How many of an attribute's differences are more than chance makes of one."""
    lows = [low for row in table.rows for low in (row[-5], row[-2]) if isinstance(low, float)]
    if not lows:
        return f"By {attribute}, too few rows of two groups were put under change to compare them."
    return f"By {attribute}: intervals above 0 at {sum(low > 0 for low in lows)} of {len(lows)} differences."


def _heat(table: Table, attribute: str, known: Measures) -> Heat:
    groups = [str(name) for name in table.columns[2:-ENDS]]
    rows = []
    for name, about in _telling(table, attribute, known):
        behind = f"&{about}" if about else ""
        rates = _rates(name, about, attribute, groups, known)
        gaps = [known.get((f"{name}_{of}", f"{attribute}{behind}")) for of in ("difference", "fall_difference")]
        cells = [HeatCell("too few", "", "n 0", -1) if m is None else rate_cell(m) for m in rates]
        rows.append((_words(name, about), [*cells, *map(_gap, gaps)]))
    caption = (
        f"Rates under change by {attribute}, each where groups differ most, with 95 % interval and n; the largest "
        f"difference, and that of what groups lose. Under {FEW} rows: too few."
    )
    return Heat(caption, ("under change", *groups, "difference", "difference of falls"), rows)


def _telling(table: Table, attribute: str, known: Measures) -> list[tuple[str, str]]:
    """Of each measure under change the size or kind where groups differ most; where that is unknown, the middle one."""
    found: dict[str, list[tuple[float, str]]] = {}
    for name, about in ((str(row[0]), str(row[1])) for row in table.rows):
        where = f"{attribute}&{about}" if about else attribute
        if (f"{name}_fall_difference", where) not in known:
            continue  # rows as they are
        value = known[f"{name}_difference", where].value
        found.setdefault(name, []).append((-1.0 if value is None else value, about))
    middle = {name: sizes[len(sizes) // 2] for name, sizes in found.items()}
    return [(name, max([middle[name], *sizes], key=lambda size: size[0])[1]) for name, sizes in found.items()]


def _rates(name: str, about: str, attribute: str, groups: Sequence[str], known: Measures) -> list[Measure | None]:
    """A measure of each group; None of those that it was not measured of."""
    behind = f"&{about}" if about else ""
    return [known.get((name, f"{attribute}={g}{behind}")) for g in groups]


def _every(table: Table, attribute: str, known: Measures) -> Grid:
    """All rows of the table: a rate with its n, and a difference with its interval, in one cell."""
    groups = [str(name) for name in table.columns[2:-ENDS]]
    columns = ("under change", *groups, "difference", "difference of falls")
    rows = []
    for row in table.rows[:LONGEST]:
        rates = _rates(str(row[0]), str(row[1]), attribute, groups, known)
        cells = ["" if m is None or m.value is None else f"{number(m.value)} (n {m.n:,})" for m in rates]
        rows.append([_words(row[0], row[1]), *cells, _ends(row[-6:-3]), _ends(row[-3:])])
    numbers = frozenset(range(1, len(columns)))
    return Grid(table.title, columns, rows, numbers, max(0, len(table.rows) - LONGEST))


def _ends(found: Sequence[Scalar]) -> str:
    value, low, high = (None if v is None else number(float(v)) for v in found)
    return "" if value is None else f"{value} ({low} to {high})"


def _gap(m: Measure | None) -> HeatCell:
    if m is None or m.value is None:
        return HeatCell("too few", "", "", -1)
    return HeatCell(number(m.value), interval_words(m, 2), f"n {m.n:,}", 0)


def _words(name: Scalar, about: Scalar) -> str:
    said = str(name).replace("certified_", "proved_").replace("_", " ")
    return f"{said}, {slice_words(str(about))}" if about else said
