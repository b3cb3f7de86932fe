"""Whose answers changed between two models on the same rows, of which accuracy alone says nothing.

Churn is the share of rows that two models answer differently (Milani Fard et al. 2016, "Launch and Iterate: Reducing
Prediction Churn"): two models that are right equally often may be so for other people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.comparing.changes import same_rows
from auditor.comparing.kept import Ids, kept_of_rows
from auditor.comparing.members import members_of
from auditor.scores import ANSWERS, LABELS
from auditor.stats import mean_size, rate
from auditor.store import Record
from auditor.types import Better, Measure

__all__ = ["FLOWS", "QUANTILES", "Churn", "churn"]

CHECK, OF_VALUES = "performance.accuracy", "intake.preflight"  # which keep the answers of classes, and values
FLOWS: dict[str, Better] = {
    "answer_changed": "neither",
    "right_to_wrong": "lower",
    "wrong_to_right": "higher",
    "wrong_to_other_wrong": "neither",
}
QUANTILES = (0.5, 0.9, 0.99, 1.0)
Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Churn:
    """What became of the answers, as shares of the rows with Wilson's intervals: of all rows, by true class, by group.

    Of classes each has the measures of FLOWS, without the last where there are two classes only. Of values `whole` is
    `mean_absolute_change` with Student's interval and the QUANTILES of `absolute_change` (0.5 the median, 1 the
    largest), in the unit of the value; the other two are empty.
    """

    whole: tuple[Measure, ...]
    by_class: tuple[Measure, ...] = ()
    by_group: tuple[Measure, ...] = ()


@dataclass(frozen=True)
class Answers:
    """The classes, as numbers of `names`, that a model gives each of the `rows` (n,), and the true ones."""

    rows: Ids
    said: Ids
    true: Ids


def churn(before: Record, after: Record) -> Churn | None:
    """How the answers of two audits of the same rows differ; None where rows or classes do, or none were kept."""
    if not same_rows(before.audit, after.audit):
        return None
    names = tuple(dict.fromkeys(str(c) for r in (before, after) for c in _classes(r)))
    first, second = (_answers(r, names) for r in (before, after))
    if first is None or second is None:
        return _of_values(before, after)
    if not (np.array_equal(first.rows, second.rows) and np.array_equal(first.true, second.true)):
        return None
    flows = _flows(first, second)
    if len(names) <= 2:
        del flows["wrong_to_other_wrong"]  # there is no other
    by_group: list[Measure] = []
    for m in next((found for r in (after, before) if (found := list(members_of(r)))), []):
        codes = np.full(len(first.rows), -1)
        codes[np.isin(first.rows, m.rows)] = m.codes[np.isin(m.rows, first.rows)]
        by_group += _counted(flows, codes, [f"{m.attribute}={name}" for name in m.names])
    whole = _counted(flows, np.zeros(len(first.rows), np.int64), [""])
    return Churn(tuple(whole), tuple(_counted(flows, first.true, [f"class={name}" for name in names])), tuple(by_group))


def _classes(record: Record) -> Sequence[Any]:
    found: Sequence[Any] = record.audit.subject.get("data", {}).get("classes", ())
    return found


def _answers(record: Record, names: tuple[str, ...]) -> Answers | None:
    """The answers that an audit kept, its classes by their names; None where they name no class of it."""
    kept, labels = (kept_of_rows(record, CHECK, key) for key in (ANSWERS, LABELS))
    number = {name: i for i, name in enumerate(names)}
    own = np.array([number[str(c)] for c in _classes(record)], np.int64)
    if kept is None or labels is None or not len(kept[0]):
        return None
    both = np.stack([kept[1], labels[1]])
    if both.dtype.kind not in "iu" or both.min() < 0 or both.max() >= len(own):
        return None
    return Answers(kept[0], own[both[0]], own[both[1]])


def _flows(first: Answers, second: Answers) -> dict[str, Flags]:
    """Of each row whether it is counted in each of FLOWS."""
    changed, was, now = first.said != second.said, first.said == first.true, second.said == second.true
    return dict(zip(FLOWS, (changed, was & ~now, ~was & now, changed & ~was & ~now), strict=True))


def _counted(flows: dict[str, Flags], codes: Ids, slices: Sequence[str]) -> list[Measure]:
    """The flows of the rows of each code, which is the number of a slice, or -1 of a row in none."""
    inside = codes >= 0
    n = np.bincount(codes[inside], minlength=len(slices))
    of = {name: np.bincount(codes[inside & flags], minlength=len(slices)) for name, flags in flows.items()}
    return [
        rate(name, int(of[name][g]), int(n[g]), slice=about, better=FLOWS[name])
        for g, about in enumerate(slices)
        if n[g]
        for name in flows
    ]


def _of_values(before: Record, after: Record) -> Churn | None:
    """How far the values of a regression moved."""
    first, second = (kept_of_rows(r, OF_VALUES, ANSWERS) for r in (before, after))
    if first is None or second is None or not len(first[0]) or not np.array_equal(first[0], second[0]):
        return None
    moved = np.abs(second[1].astype(np.float64) - first[1].astype(np.float64))
    if not np.isfinite(moved).all():
        return None
    ends = np.quantile(moved, QUANTILES, method="inverted_cdf")
    quantiles = (
        Measure("absolute_change", f"quantile={q:g}", float(end), len(moved))
        for q, end in zip(QUANTILES, ends, strict=True)
    )
    return Churn((mean_size("mean_absolute_change", moved), *quantiles))
