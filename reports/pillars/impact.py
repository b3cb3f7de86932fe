"""Impact ratios: by each attribute and crossing a chart and the table that a rule asks to be published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditor.types import Measure, Outcome, Scalar, Table
from reports.charts import Dot, figure_svg, forest
from reports.legend import legend
from reports.parts import LONGEST, Chart, CheckHead, Facts, Folded, Grid
from reports.pillars.common import status_of
from reports.saying import BEHIND, category_slice
from reports.words import isolated, number

__all__ = ["impact", "most_surely_behind"]

RULE = "The rule"
MOST_DOTS = 20


def impact(o: Outcome) -> list[Any]:
    """The check's head, the rule it follows, and its tables; crossings and scores are folded."""
    if o.result is None:
        return []
    blocks: list[Any] = [CheckHead.of(o)]
    limit = next((j.limit.value for j in o.judgements if j.measure == "impact_ratio"), None)
    for table in o.result.tables:
        if table.title == RULE:
            blocks.append(Facts([(str(term), _said(what)) for term, what in table.rows]))
            continue
        attributes = " and ".join(map(isolated, table.columns[:-BEHIND]))
        scores = table.columns[-4] == "scoring rate"
        own = _blocks(o, table, attributes, None if scores else limit, scores=scores)
        if scores or len(table.columns) > BEHIND + 1:
            blocks.append(Folded(f"{'Scores by' if scores else 'By'} {attributes}", own))
        else:
            blocks += own
    return blocks


def most_surely_behind(o: Outcome) -> Measure | None:
    """The impact ratio whose interval ends lowest; None where none is known."""
    known = [m for m in o.measures if m.name == "impact_ratio" and m.high is not None]
    return min(known, key=lambda m: m.high or 0.0, default=None)


def _said(what: Scalar) -> str:
    return number(what, 3) if isinstance(what, float) else str(what)


def _blocks(o: Outcome, table: Table, attributes: str, limit: float | None, *, scores: bool) -> list[Any]:
    name = "scoring_impact_ratio" if scores else "impact_ratio"
    found = {m.slice: m for m in o.measures if m.name == name}
    dots = [d for row in table.rows if (d := _dot(o, table, row, found)) is not None]
    figures = _grid(table)
    if len(dots) < 2:
        return [figures]
    lowest = min((d for d in dots if d.status != "ref"), key=lambda d: d.value)
    got = "scores above the median" if scores else "gets the favourable answer"
    said = f"{lowest.label} {got} {number(lowest.value)} times as often as the reference."
    shown = sorted(dots, key=lambda d: d.value)[:MOST_DOTS] if len(dots) > MOST_DOTS else dots
    left = f" The {MOST_DOTS} lowest of {len(dots)}." if len(dots) > MOST_DOTS else ""
    span = (0.0, max(1.4, min(2.0, max(d.high for d in shown))))
    title = f"{'Scoring impact' if scores else 'Impact'} ratio by {attributes}."
    svg = figure_svg(f"c-ir-{figures.key}", title, said, forest(shown, span, limit))
    return [Chart(title, said, svg, None, legend(d.status for d in shown) + left), figures]


def _dot(o: Outcome, table: Table, row: Sequence[Scalar], found: dict[str, Measure]) -> Dot | None:
    label = ", ".join(isolated(str(name)) for name in row[:-BEHIND])
    m = found.get(category_slice(table, row))
    if m is None or m.value is None:
        return Dot(label, 1.0, 1.0, 1.0, "ref", "1") if row[-BEHIND] == "reference" else None
    return Dot(label, m.value, m.low or 0.0, m.value if m.high is None else m.high, status_of(o, m), number(m.value))


def _grid(table: Table) -> Grid:
    """The table as rules lay it out: category, n, how many are counted, their share, the ratio with its interval."""
    rows = []
    for row in table.rows[:LONGEST]:
        *names, role, n, k, share, value, low, high = row
        interval = "" if low is None else f"{number(float(low))} to {number(float(high or 0.0))}"
        counts = ["" if c is None else f"{c:,}" if isinstance(c, int) else str(c) for c in (n, k)]
        figures = ["" if v is None else number(float(v), d) for v, d in ((share, 3), (value, 2))]
        rows.append([*map(str, names), *counts, *figures, interval, str(role)])
    k = len(table.columns) - BEHIND
    columns = (*table.columns[:k], *table.columns[k + 1 : -2], "95 % interval", "role")
    return Grid(table.title, columns, rows, frozenset(range(k, k + 5)), max(0, len(table.rows) - LONGEST))
