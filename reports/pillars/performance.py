"""Performance: how often the model is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from auditor.store import Record
from auditor.types import Measure, Outcome
from reports.charts import Dot, figure_svg, forest
from reports.parts import Chart, CheckHead, Folded, Section, grid_of, measures_grid
from reports.pillars.common import plain_blocks, ran, status_of
from reports.since import beside_baseline
from reports.words import number, slice_words

__all__ = ["performance"]

CLASSES = 10


def performance(record: Record) -> Section | None:
    """The section, None when no check of it ran."""
    outcomes = ran(record.audit, "performance")
    if not outcomes:
        return None
    blocks: list[Any] = []
    answer = ""
    for o in outcomes:
        if o.check == "performance.accuracy":
            answer, more = _accuracy(o)
        else:
            more = plain_blocks(o)
        blocks += beside_baseline(record.audit, o.check, more)
    return Section("performance", "Performance", answer, blocks)


def _accuracy(o: Outcome) -> tuple[str, list[Any]]:
    assert o.result is not None  # noqa: S101 - see `ran`
    measures = o.result.measures
    whole = next(m for m in measures if m.name == "accuracy")
    share = next((m.value for m in measures if m.name == "majority_share"), None)
    recalls = [m for m in measures if m.name == "recall" and m.value is not None]
    answer = f"The model is right in {int(whole.counts[0]):,} of {whole.n:,} rows ({number(whole.value, 3)})"
    if share is not None and whole.value is not None:
        answer += f"; always naming the commonest class would reach {number(share, 3)}"
    worst = sorted(recalls, key=lambda m: (m.value or 0.0, -m.n))[:CLASSES]
    dots = [
        replace(_dot("all rows", o, whole), limit=share),
        *(_dot(m.slice.removeprefix("class="), o, m) for m in worst),
    ]
    said = _worst_words(worst, len(recalls))
    figures = measures_grid("Accuracy of all rows, and recall by class", [whole, *worst])
    title = (
        "Accuracy, and the classes found least often." if len(recalls) > CLASSES else "Accuracy, and recall by class."
    )
    svg = figure_svg("c-acc", title, said, forest(dots, (0.0, 1.0)))
    chart = Chart(
        title, said, svg, figures, "The short dashed line is what always naming the commonest class would reach."
    )
    tables = [grid_of(t) for t in o.result.tables]
    return f"{answer}.", [CheckHead.of(o), chart, *(Folded(t.caption, [t]) for t in tables)]


def _dot(label: str, o: Outcome, m: Measure) -> Dot:
    value = m.value or 0.0
    return Dot(label, value, m.low or value, m.high or value, status_of(o, m), number(m.value))


def _worst_words(worst: list[Measure], classes: int) -> str:
    if not worst:
        return ""
    name = slice_words(worst[0].slice).removeprefix("class = ")
    return f"Of {classes:,} classes {name} is found least often: {number(worst[0].value)} of its {worst[0].n:,} rows."
