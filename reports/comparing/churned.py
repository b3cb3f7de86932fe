"""Whose answers changed: the rows by what became of their answer, by true class and by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditor.comparing.changes import Change, same_rows
from auditor.comparing.churn import Churn
from auditor.types import Measure
from reports.comparing.compared import Compared
from reports.comparing.naming import change_words, interval_of, n_words
from reports.parts import Folded, Grid, Prose, Section, interval_words, measures_grid
from reports.words import counted, number, slice_words

__all__ = ["churn_section", "churn_words"]

TITLE = "Whose answers changed"
SHORT, LONGEST = 12, 200  # rows of a table in sight, and at all
WORDS = {
    "answer_changed": "another answer",
    "right_to_wrong": "from right to wrong",
    "wrong_to_right": "from wrong to right",
    "wrong_to_other_wrong": "from wrong to wrong in another way",
}
NOTE = (
    "Intervals are Wilson's, each at 95 % for itself. With two models that are right equally often, answers may have "
    "changed for many: as many for the better as for the worse."
)


def churn_words(c: Compared) -> str:
    """How many answers changed, and to what; or why that cannot be said."""
    if c.churn is None:
        return f"Whose answers changed cannot be said: {_why_not(c)}."
    whole = {m.name: m for m in c.churn.whole}
    if "mean_absolute_change" in whole:
        return _of_values(c.churn)
    changed = whole["answer_changed"]
    said = [f"{_count(m):,} {WORDS[name]}" for name, m in whole.items() if m is not changed]
    return (
        f"{_count(changed):,} of {counted(changed.n, 'row')} got another answer "
        f"({number(changed.value, 3)}, 95 % interval {interval_words(changed)}): {', '.join(said)}."
    )


def churn_section(c: Compared) -> Section:
    """The answers of all rows, of each group and of each true class."""
    if c.churn is None:
        return Section("churn", TITLE, churn_words(c), [])
    if not any(m.name == "answer_changed" for m in c.churn.whole):
        grid = measures_grid("How far the values moved", c.churn.whole)
        return Section("churn", TITLE, churn_words(c), [grid])
    rows = [[WORDS[m.name], f"{_count(m):,}", number(m.value, 3), interval_words(m)] for m in c.churn.whole]
    columns = ("answer", "rows", "share", "95 % interval")
    blocks: list[Any] = [Grid("What became of the answers", columns, rows, frozenset({1, 2, 3}))]
    if accuracy := next((x for x in c.changes if (x.check, x.name, x.slice) == ACCURACY), None):
        blocks.append(Prose(_of_accuracy(accuracy), small=True))
    blocks += _by("group", c.churn.by_group)
    blocks += _by("true class", c.churn.by_class)
    return Section("churn", TITLE, churn_words(c), [*blocks, Prose(NOTE, small=True)])


ACCURACY = ("performance.accuracy", "accuracy", "")


def _why_not(c: Compared) -> str:
    if not same_rows(c.before.audit, c.after.audit):
        return "the audits are of different rows"
    return "not both audits kept the answers to the same rows, labels and classes"


def _of_values(churn: Churn) -> str:
    mean, *quantiles = churn.whole
    ends = {m.slice: number(m.value, 3) for m in quantiles}
    return (
        f"Over {counted(mean.n, 'row')} the value moved by {number(mean.value, 3)} on average (95 % interval "
        f"{interval_words(mean)}), by {ends['quantile=0.5']} in the median row and {ends['quantile=1']} at most."
    )


def _of_accuracy(c: Change) -> str:
    if c.value is None:
        return ""
    interval = f"95 % interval {interval_of(c)}; " if c.ends else ""
    return f"Accuracy changed by {change_words(c)} ({interval}{n_words(c)})."


def _by(what: str, measures: Sequence[Measure]) -> list[Any]:
    """A row a slice; behind a click where there are many, those first that surely changed most."""
    by_slice: dict[str, dict[str, Measure]] = {}
    for m in measures:
        by_slice.setdefault(m.slice, {})[m.name] = m
    if not by_slice:
        return []
    ordered = list(by_slice.items())
    if len(ordered) > SHORT:
        ordered.sort(key=lambda row: -(row[1]["answer_changed"].low or 0.0))
    flows = list(ordered[0][1])
    rows = [
        [slice_words(about), f"{own['answer_changed'].n:,}", number(own["answer_changed"].value, 3),
         interval_words(own["answer_changed"]), *(f"{_count(own[name]):,}" for name in flows)]
        for about, own in ordered[:LONGEST]
    ]  # fmt: skip
    columns = (what, "n", "share with another answer", "95 % interval", *(WORDS[name] for name in flows))
    grid = Grid(f"Answers that changed, by {what}", columns, rows, frozenset(range(1, len(columns))))
    found: list[Any] = [grid if len(rows) <= SHORT else Folded(f"By {what}: {len(ordered):,}", [grid])]
    if len(ordered) > LONGEST:
        found.append(Prose(f"{len(ordered) - LONGEST:,} more are in compare.json.", small=True))
    return found


def _count(m: Measure) -> int:
    return int(m.counts[0])
