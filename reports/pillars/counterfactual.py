"""What would have changed the answer: a line for each way of a row, and how far the ways can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from markupsafe import Markup

from auditor.types import Measure, Outcome, Result, Scalar, Table
from reports.parts import CheckHead, Folded, Grid, Prose, grid_of, interval_words
from reports.pillars.effects import left_out, upper
from reports.texts import figure_in
from reports.words import counted, number

__all__ = ["COUNTERFACTUALS", "counterfactual_blocks"]

COUNTERFACTUALS = "explain.counterfactuals"
COLUMNS = ("way", "called", "column", "now", "would be", "distance")
OPEN_ROWS, MOST = 4, 40  # rows of the data
MOST_OPEN, MOST_COLUMNS = 12, 6  # lines of a table, columns of a way
NUMBERS = frozenset({1, 2, 3})
READ = {
    "validity": "Rows with an admissible change that gets another answer. 1 is all.",
    "recourse": "Rows without the favourable answer that have a way to it. 1 is all.",
    "changed_columns": "How many columns a change takes, on average.",
    "distance": "How far it goes, on average: numbers in MADs, 1 for a category or flag.",
    "plausibility": "Changed rows that lie as near to a real row as 95 % of real rows do.",
    "robustness": "How often the new answer stays when the weights get a little noise. Near 0.5 it just crosses over.",
    "robustness_before": "The same of the answers before the change.",
}
NONE = "no admissible change was found"


def counterfactual_blocks(outcome: Outcome) -> list[Any]:
    """The check as a sentence, the ways of each row, its figures, and how often each column is changed."""
    if outcome.result is None:
        return []
    result = outcome.result
    of_rows = [t for t in result.tables if t.columns == COLUMNS]
    blocks: list[Any] = [CheckHead.of(outcome), *_answer(result)]
    if of_rows:
        blocks += [_grid(t) for t in of_rows[:OPEN_ROWS]]
        more = of_rows[OPEN_ROWS:MOST]
        if more:
            blocks.append(Folded(counted(len(more), "further row"), [_grid(t) for t in more]))
        blocks += left_out(len(of_rows) - MOST)
    blocks.append(_figures(result))
    for table in (t for t in result.tables if t.columns != COLUMNS):
        grid = grid_of(table)
        blocks.append(grid if len(grid.rows) <= MOST_OPEN else Folded(table.title, [grid]))
    return blocks


def _answer(result: Result) -> list[Prose]:
    """How many rows have a way, and how many of those without the favourable answer have one to it."""
    of = {m.name: m for m in result.measures if not m.slice}
    said = []
    if (m := of.get("validity")) and m.n:
        columns = of.get("changed_columns")
        mean = f"; it changes {number(columns.value, 1)} columns on average" if columns and columns.n else ""
        said.append(f"{_share(m)} rows an admissible change gets another answer{mean}.")
    if (m := of.get("recourse")) and m.n:
        said.append(f"{_share(m)} rows without the favourable answer an admissible change gets it.")
    return [Prose(" ".join(said))] if said else []


def _figures(result: Result) -> Grid:
    """What holds of all rows, each figure with how it is read."""
    rows = [
        [m.name.replace("_", " "), number(m.value), interval_words(m, 2), f"{m.n:,}", READ.get(m.name, "")]
        for m in result.measures
        if not m.slice
    ]
    return Grid("The changes of all rows", ("figure", "value", "95 % interval", "n", "how to read it"), rows, NUMBERS)


def _share(m: Measure) -> str:
    return f"In {m.counts[0]:,.0f} of {m.n:,}"


def _grid(table: Table) -> Grid:
    """The ways of one row: what it would be called, if what is changed, and how far that is in MADs."""
    lines: list[list[str]] = [] if table.rows else [[NONE, "", ""]]
    for _, rows in groupby(table.rows, key=lambda row: row[0]):
        changes = list(rows)
        distance = sum(figure_in(row[5]) for row in changes)
        lines.append([_isolated(changes[0][1]), _changes(changes), number(distance)])
    return Grid(upper(table.title), ("would be called", "if", "MADs"), lines, frozenset({2}))


def _changes(rows: Sequence[tuple[Scalar, ...]]) -> Markup:
    """`income 41000 to 46200, member 0 to 1`, what is behind the first few counted."""
    words = [Markup("{} {} \u2192 {}").format(*(_isolated(v) for v in row[2:5])) for row in rows[:MOST_COLUMNS]]
    more = len(rows) - MOST_COLUMNS
    return Markup(", ").join([*words, *([f"and {counted(more, 'more column')}"] if more > 0 else [])])


def _isolated(value: Scalar) -> Markup:
    """Text that may run from right to left, kept to itself."""
    return Markup("<bdi>{}</bdi>").format(value)
