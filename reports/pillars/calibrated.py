"""Calibration by group: of every attribute a small chart a group, and what scores promise one more than another."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from auditor.types import Measure, Outcome, Scalar, Table
from reports.parts import LONGEST, CheckHead, Folded, Grid, Prose
from reports.pillars.behaviour import Multiples, Small
from reports.pillars.common import FEW
from reports.reliability import Bin, reliability_svg
from reports.words import number

__all__ = ["calibrated"]

GROUPS, BANDS, BINS = "Calibration by ", "At equal scores, by ", "Reliability by "
DRAWN, MOST_BINS = 6, 150  # groups, and rows of their table
BEHIND = {GROUPS: 9, BINS: 6}  # the columns behind the attributes
NOTE = (
    f"Each dot is a fifteenth of the scores, with {FEW} rows or more; bars are 95 % intervals. On the dashed line the "
    "share is as promised, under it the group is overrated."
)


def calibrated(o: Outcome) -> list[Any]:
    """The check's head, and of every attribute what its groups are promised; crossings are folded."""
    if o.result is None:
        return []
    blocks: list[Any] = [CheckHead.of(o)]
    tables = {t.title: t for t in o.result.tables}
    gaps = {m.slice: m for m in o.result.measures if m.name == "calibration_in_the_large_difference"}
    for title, table in tables.items():
        if not title.startswith(GROUPS):
            continue
        by, attributes = title.removeprefix(GROUPS), table.columns[: -BEHIND[GROUPS]]
        said = [Prose(_said(by, gap))] if (gap := gaps.get("&".join(attributes))) else []
        bands = tables.get(BANDS + by)
        at_equal = [Folded(f"{BANDS}{by}", [_bands(bands)])] if bands and bands.rows else []
        if bins := tables.get(BINS + by):
            blocks += [*said, _panels(by, table, bins), _groups(table), *at_equal]
        else:
            blocks.append(Folded(f"By {by} together", [*said, _groups(table), *at_equal]))
    return blocks


def _said(by: str, gap: Measure) -> str:
    """How far groups lie apart in what scores promise them."""
    if gap.value is None or gap.low is None or gap.high is None:
        return f"By {by} there are no two groups with enough rows to compare."
    sure = "" if gap.low > 0 else " That may be chance."
    ends = f"95 % interval {number(gap.low)} to {number(gap.high)}"
    return f"By {by}, what scores promise beyond what came differs by up to {number(gap.value)} ({ends}).{sure}"


def _panels(by: str, table: Table, bins: Table) -> Multiples:
    found: dict[str, list[Bin]] = {}
    for row in bins.rows:
        name, n = str(row[0]), row[2]
        if isinstance(n, int) and n >= FEW:
            found.setdefault(name, []).append(Bin(*(_number(v) for v in row[3:7])))
    offs = {str(row[0]): row[-6:-3] for row in table.rows}
    came = bins.columns[4]
    drawn = sorted(found, key=lambda name: -_off(offs.get(name, ())))[:DRAWN] if len(found) > DRAWN else list(found)
    charts = [_panel(by, name, found[name], offs.get(name, ()), came) for name in drawn]
    figures = Folded("The figures in these charts", [_reliability(bins)])
    note = f"{NOTE} The {DRAWN} groups furthest off of {len(found)}." if len(found) > DRAWN else NOTE
    return Multiples(f"What scores promise and what came, by {by}", charts, note, figures)


def _off(off: Sequence[Scalar]) -> float:
    """How far scores and outcomes lie apart for certain, by the interval's nearer end; negative where it holds 0."""
    _, low, high = (_number(v) for v in off) if off else (0.0, 0.0, 0.0)
    return max(low, -high)


def _panel(by: str, name: str, bins: Sequence[Bin], off: Sequence[Scalar], came: str) -> Small:
    value, low, high = (_number(v) for v in off) if off else (0.0, 0.0, 0.0)
    rated = "Overrated" if low > 0 else "Underrated" if high < 0 else "Off by no more than chance"
    answer = f"{rated}: score minus outcome {number(value)} ({number(low)} to {number(high)})."
    key = "r" + hashlib.sha256(f"{by}\t{name}".encode()).hexdigest()[:10]
    return Small(name, answer, reliability_svg(key, name, answer, bins, "mean score", came))


def _groups(table: Table) -> Grid:
    """Every group: n, mean score, outcome, and both distances with their intervals."""
    k = len(table.columns) - BEHIND[GROUPS]
    rows = []
    for row in table.rows[:LONGEST]:
        n, score, outcome, *off = row[k:]
        figures = [number(_number(v), 3) for v in (score, outcome)]
        rows.append([*map(str, row[:k]), f"{n:,}", *figures, _ends(off[:3]), _ends(off[3:])])
    columns = (*table.columns[: k + 3], "score minus outcome", "ece")
    return Grid(table.title, columns, rows, frozenset(range(k, k + 5)), max(0, len(table.rows) - LONGEST))


def _bands(table: Table) -> Grid:
    rows = [[str(r[0]), str(r[1]), f"{r[2]:,}", _ends(r[3:6]), str(r[6]), str(r[7])] for r in table.rows]
    columns = (*table.columns[:3], "largest difference", *table.columns[6:])
    return Grid(table.title, columns, rows, frozenset({2, 3}))


def _reliability(table: Table) -> Grid:
    shown = table.rows[:MOST_BINS]
    rows = [[str(r[0]), str(r[1]), f"{r[2]:,}", number(_number(r[3]), 3), _ends(r[4:7])] for r in shown]
    columns = (*table.columns[:4], f"{table.columns[4]}, 95 % interval")
    return Grid(table.title, columns, rows, frozenset({2, 3, 4}), len(table.rows) - len(shown))


def _ends(found: Sequence[Scalar]) -> str:
    value, low, high = found
    if value is None:
        return "too few"
    return number(_number(value)) + ("" if low is None else f" ({number(_number(low))} to {number(_number(high))})")


def _number(value: Scalar) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
