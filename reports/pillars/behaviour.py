"""How a model of rows of columns behaves as a whole: what it relies on, how it moves, and the rules that follow it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from markupsafe import Markup

from auditor.types import Measure, Outcome, Table
from reports.charts import figure_svg
from reports.lines import Moves, Pair, moves_svg, paired
from reports.parts import Chart, CheckHead, Folded, Grid, Prose, grid_of
from reports.pillars.common import status_of
from reports.texts import figure_in
from reports.words import counted, number

__all__ = ["BEHAVIOUR", "behaviour_blocks", "reliance"]

GLOBAL, RULES = "explain.global", "explain.rules"
NOTHING_LOST = "No column is certain to cost accuracy alone: no interval lies above 0."
BEHAVIOUR = (GLOBAL, RULES)
AT = ("at", "mean answer", "difference")
CHARTED = 15
MOST_VALUES = 12  # in a small chart
FINEST = 4  # times finer than the widest of the small charts
EDGE = 0.04  # of the scale beyond what is drawn
ENDS = {"low": "high", "from": "to", "at least": "at most"}  # names of the ends of an interval


@dataclass(frozen=True)
class Small:
    """One of several small charts: its subject, what it shows in words, the drawing."""

    title: str
    answer: str
    svg: Markup


@dataclass(frozen=True)
class Multiples:
    """Small charts on one scale, how to read them, and their figures."""

    kind: ClassVar[str] = "multiples"
    title: str
    charts: Sequence[Small]
    note: str
    figures: Folded


def behaviour_blocks(o: Outcome) -> list[Any]:
    """A check of `BEHAVIOUR` as charts and tables; nothing without a result."""
    if o.result is None:
        return []
    return [CheckHead.of(o), *(_relies(o) if o.check == GLOBAL else _rules(o))]


def reliance(outcomes: Sequence[Outcome]) -> str:
    """What the model relies on most, as a sentence; empty where that is not known or nothing.

    By its accuracy where the interval of that lies above 0, else by how far the answer moves.
    """
    o = next((o for o in outcomes if o.check == GLOBAL), None)
    table = _table(o, "column")
    if table is None or not table.rows or not table.rows[0][7]:
        return ""
    name, loss, low, high, moved = (table.rows[0][i] for i in (0, 1, 2, 3, 7))
    moves = f"by {number(figure_in(moved))} where its values are exchanged"
    if low is None or figure_in(low) <= 0:
        return f"The answer moves most with {name}: {moves}."
    lost = f"{_change(o, figure_in(loss), 2)} (95 % interval {number(figure_in(low))} to {number(figure_in(high))})"
    return f"The model relies most on {name}: without knowing it, {lost}, and the answer moves {moves}."


def _table(o: Outcome | None, first: str) -> Table | None:
    """The table of a check whose first column is called so."""
    return next((t for t in (o.tables if o else ()) if t.columns[0] == first), None)


def _change(o: Outcome | None, loss: float, digits: int) -> str:
    """What a loss does: `its accuracy falls by 0.03`, of a value `its mean error rises by 0.21`."""
    of_value = any("are of the value," in c for c in (o.result.caveats if o and o.result else ()))
    rises = (loss > 0) == of_value
    what = "its mean error" if of_value else "its accuracy"
    return f"{what} {'rises' if rises else 'falls'} by {number(abs(loss), digits)}"


# ---- what it relies on -------------------------------------------------------------------------------------------
def _relies(o: Outcome) -> list[Any]:
    assert o.result is not None  # noqa: S101 - see behaviour_blocks
    blocks: list[Any] = []
    importance = _table(o, "column")
    if importance is not None and importance.rows:
        blocks.append(_importance(o, importance))
    tables = [t for t in o.result.tables if t.columns[:3] == AT and t.rows]
    if tables:
        blocks.append(_moves(tables))
    directions = _table(o, "number")
    return [*blocks, Folded(directions.title, [grid_of(directions)])] if directions else blocks


def _importance(o: Outcome, table: Table) -> Chart:
    assert o.result is not None  # noqa: S101 - see behaviour_blocks
    measured = {m.slice: m for m in o.result.measures if m.name == "permutation_importance"}
    pairs = []
    for row in table.rows[:CHARTED]:
        first, second = _estimate(row[1:4]), _estimate(row[4:7])
        m = measured.get(f"column={row[0]}")
        status = status_of(o, m) if m else "measured"
        pairs.append(Pair(str(row[0]), first, second, "s1" if status == "measured" else status, number(first[0], 3)))
    ends = [v for p in pairs for v in (*p.first, *p.second)]
    low, high = min(0.0, *ends), max(0.0, *ends)
    span = (low, high if high > low else 1.0)
    name, loss = table.rows[0][0], figure_in(table.rows[0][1])
    certain = table.rows[0][2] is not None and figure_in(table.rows[0][2]) > 0
    answer = f"Without knowing {name}, {_change(o, loss, 3)}." if certain else NOTHING_LOST
    svg = figure_svg("importance", "Importance of the columns", answer, paired(pairs, span))
    note = (
        "Filled: the column's values exchanged among all rows. Open: among rows alike in the columns that go with it. "
        "Bars are 95 % intervals over rows. First come those whose interval lies above 0, then those with which the "
        "answer moves furthest."
    )
    if len(table.rows) > CHARTED:
        note += f" The {CHARTED} strongest of {len(table.rows)} in the table."
    return Chart("Importance of the columns.", answer, svg, _with_intervals(table), note)


def _estimate(cells: Sequence[Any]) -> tuple[float, float, float]:
    """A value with its interval, which is the value itself where there is none."""
    value = figure_in(cells[0])
    return value, *(value if c is None else figure_in(c) for c in cells[1:])  # type: ignore[return-value]


# ---- how the answer moves ----------------------------------------------------------------------------------------
def _moves(tables: Sequence[Table]) -> Multiples:
    every = [_moves_of(t) for t in tables]
    widest = max(high - low for low, high in (m.reach for m in every)) or 1.0
    charts = [_small(m, _scale(m, widest / FINEST)) for m in every]
    note = (
        "How far the mean answer lies from its average when every row is given the value: the line, or the dots. The "
        "tint, or the bar, holds 80 % of the rows' own curves. Dashed: ALE, which moves each row within its own "
        "neighbourhood only. Each has a scale of its own, none finer than a quarter of "
        "the widest."
    )
    if crowded := [m.name for m in every if not m.to_scale]:
        note += f" Values at equal steps, not to scale: {', '.join(crowded)}."
    figures = Folded("The figures in these charts", [_plain_values(t) for t in tables])
    return Multiples("How the answer moves with the strongest columns", charts, note, figures)


def _moves_of(table: Table) -> Moves:
    name = table.title.removeprefix("The answer at each value of ")
    rows = list(table.rows)
    if any(row[5] is None for row in rows) and len(rows) > MOST_VALUES:  # values without an order: the commonest
        rows = sorted(rows, key=lambda row: -figure_in(row[6]))[:MOST_VALUES]
    at = [v if isinstance(v, str) else figure_in(v) for v in (row[0] for row in rows)]
    values, low, high = ([figure_in(row[i]) for row in rows] for i in (2, 3, 4))
    local = [None if row[5] is None else figure_in(row[5]) for row in rows]
    return Moves(name, at, values, low, high, local, len(table.rows) - len(rows))


def _scale(m: Moves, least: float) -> tuple[float, float]:
    """What the chart spans, at least `least`."""
    low, high = m.reach
    missing = max(0.0, least - (high - low)) / 2
    edge = EDGE * max(high - low, least)
    return low - missing - edge, high + missing + edge


def _plain_values(table: Table) -> Grid:
    """The figures with the values as they stood in the file."""
    grid = grid_of(table)
    cells = (_value(v if isinstance(v, str) else figure_in(v)) for v in (row[0] for row in table.rows))
    return replace(grid, rows=[[cell, *row[1:]] for cell, row in zip(cells, grid.rows, strict=False)])


def _small(m: Moves, span: tuple[float, float]) -> Small:
    least, most = (pick(range(len(m.at)), key=lambda i: m.values[i]) for pick in (min, max))
    apart = m.values[most] - m.values[least]
    answer = f"Lowest at {_value(m.at[least])}, highest at {_value(m.at[most])}: {number(apart)} apart."
    if m.more:
        answer += f" {counted(m.more, 'rarer value')} in the table."
    key = "m" + hashlib.sha256(m.name.encode()).hexdigest()[:10]
    return Small(m.name, answer, moves_svg(key, m, span, answer))


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.6g}"


# ---- rules -------------------------------------------------------------------------------------------------------
def _rules(o: Outcome) -> list[Any]:
    assert o.result is not None  # noqa: S101 - see behaviour_blocks
    found = {m.name: m for m in o.result.measures if not m.slice}
    rules, anchors = _table(o, "rule"), _table(o, "row")
    blocks: list[Any] = [Prose(_follows(found, rules))]
    if rules:
        how = "right in" if rules.columns[3] == "precision" else "off by"
        rows = [
            [r[0], r[1], f"{_with_interval(r[3:6])} of {r[6]:,} rows", number(figure_in(r[2]))] for r in _cells(rules)
        ]
        blocks.append(Grid(rules.title, ("rule", "answer", how, "share of rows"), rows, frozenset({3})))
    if anchors:
        rows = [[r[0], r[2], _with_interval(r[3:6]), number(figure_in(r[6]))] for r in _cells(anchors)]
        columns = ("row", "keeps its answer where", "in (95 % interval)", "share of rows")
        blocks.append(Grid("Anchors: what holds the answer of a row", columns, rows, frozenset({3})))
    return blocks


def _cells(table: Table) -> list[list[Any]]:
    """The rows with numbers among the answers as words."""
    return [[_value(v) if i == 1 and isinstance(v, float) else v for i, v in enumerate(row)] for row in table.rows]


def _with_interval(cells: Sequence[Any]) -> str:
    """`0.94 (0.93 to 0.95)`."""
    value, low, high = cells
    if value is None:
        return number(None)
    return number(value) if low is None else f"{number(value)} ({number(low)} to {number(high)})"


def _follows(found: dict[str, Measure], rules: Table | None) -> str:
    """How well rules follow the model, with what they must be held against."""
    fidelity, majority, stability = (found.get(name) for name in ("fidelity", "majority", "stability"))
    if fidelity is None or fidelity.value is None:
        return ""
    who = counted(len(rules.rows), "rule") if rules else "The best small tree"
    verb = "follow" if rules and len(rules.rows) > 1 else "follows"
    if majority is None:
        said = f"{who} {verb} the model's values with an R2 of {number(fidelity.value)}"
    else:
        interval = f"{number(fidelity.low)} to {number(fidelity.high)}"
        said = (
            f"{who} {verb} the model in {number(fidelity.value)} ({interval}) of {fidelity.n:,} rows not learnt from; "
            f"always naming its commonest answer does in {number(majority.value)}"
        )
    again = f" Of its rules {number(stability.value)} come again with other rows." if stability and rules else ""
    return f"{said}.{again}"


def _with_intervals(table: Table) -> Grid:
    """The table with both ends of an interval in one column."""
    grid = grid_of(table)
    ends = [i for i, c in enumerate(table.columns) if c in ENDS.values()]
    columns = [("95 % interval" if c in ENDS else c) for c in table.columns]
    rows = []
    for cells, raw in zip(grid.rows, table.rows, strict=False):
        row = list(cells)
        for i in ends:
            row[i - 1] = "" if raw[i] is None else f"{cells[i - 1]} to {cells[i]}"
        rows.append([c for i, c in enumerate(row) if i not in ends])
    kept = [i for i in range(len(columns)) if i not in ends]
    numbers = frozenset(k for k, i in enumerate(kept) if i in grid.numbers)
    return replace(grid, columns=[columns[i] for i in kept], rows=rows, numbers=numbers)
