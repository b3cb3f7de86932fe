"""Robustness: how far the accuracy falls under changes made on purpose, and whether the attacks can be believed."""

from __future__ import annotations

from typing import Any

from auditor.store import Record
from auditor.types import Outcome
from reports.headline import most_telling_size
from reports.parts import CheckHead, Folded, Section, grid_of, measures_grid
from reports.pillars.common import in_short, plain_blocks, ran
from reports.pillars.corruption import corruption_answer, corruption_blocks
from reports.pillars.frontier import curve_chart, robust_measures
from reports.pillars.sandwich import of_other_rows, sandwich
from reports.pillars.turned import turned
from reports.since import beside_baseline
from reports.words import change_words, epsilons, number

__all__ = ["robustness"]

TABLE_FIRST = {  # with the measure that says most
    "robustness.trust": "rules_fired",
    "robustness.foolbox": "robust_accuracy",
    "robustness.ood": "auroc",
    "robustness.detection": "auroc",
    "robustness.shift": "shift_auc",
    "robustness.missing": "missing_accuracy",
}


def robustness(record: Record) -> Section | None:
    """The section, None when no check of it ran."""
    outcomes = ran(record.audit, "robustness")
    if not outcomes:
        return None
    blocks: list[Any] = []
    answer = ""
    for o in outcomes:
        if o.check == "robustness.curve":
            answer = _answer(o)
            more = [
                CheckHead.of(o),
                curve_chart(o, answer, _distances(record, o), _unit(record)),
                *turned(record, o),
            ]
        elif o.check == "robustness.corruption":
            answer = answer or corruption_answer(o)
            more = corruption_blocks(record, o)
        elif o.check == "robustness.certified":
            more = [*sandwich(o), *of_other_rows(o, record.audit.outcome("robustness.curve"))]
        elif o.check in TABLE_FIRST:
            more = _table_first(o)
        else:
            more = plain_blocks(o)
        blocks += beside_baseline(record.audit, o.check, more)
    return Section("robustness", "Robustness", answer, blocks)


def _answer(o: Outcome) -> str:
    robust, noise = robust_measures(o), robust_measures(o, noise=True)
    clean = robust.get(0.0)
    at = most_telling_size(list(robust.values()))
    if clean is None or at is None:
        return ""
    epsilon = epsilons(o)[at.slice]
    beside = f"; random changes of that size leave {number(noise[epsilon].value)}" if epsilon in noise else ""
    what = "share of stable values" if at.name == "stable_rate" else "accuracy"
    fall = f"from {number(clean.value)} to {number(at.value)}"
    return f"{change_words(at.slice, epsilon)} bring the {what} {fall}{beside}."


def _unit(record: Record) -> str:
    """What sizes of changes are measured in, where that is not the input's own unit."""
    return "deviations" if record.audit.subject.get("data", {}).get("kind") == "table" else ""


def _distances(record: Record, o: Outcome) -> list[float]:
    """Of each attacked row the size of the smallest change found: 0 wrong as it is, infinity where none was found."""
    kept = record.arrays.get(f"{o.check}/distance")
    return [] if kept is None else [float(d) for d in kept]


def _table_first(o: Outcome) -> list[Any]:
    """A sentence and the first table in sight, what was measured and further tables folded."""
    if o.result is None:
        return []
    first, *further = o.result.tables
    folded = [Folded(t.title, [grid_of(t)]) for t in further]
    figures = Folded(f"Measured by {o.check}", [measures_grid(f"Measured by {o.check}", o.result.measures)])
    return [CheckHead.of(o), *in_short(o, TABLE_FIRST[o.check]), grid_of(first), figures, *folded]
