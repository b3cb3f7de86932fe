"""Measures, tables and caveats of corrupted rows. Rows are the unit: one row at five severities is one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from auditor.corruptions.answers import Answers
from auditor.stats import mean, paired, rate, share
from auditor.types import Measure, Scalar, Table

__all__ = ["doubts", "measures_of", "tables_of"]

Numbers = np.ndarray[Any, np.dtype[np.float64]]


def measures_of(found: Answers, families: Sequence[str], severities: Sequence[int]) -> tuple[Measure, ...]:
    """Every figure of the check, of a model with classes or with values; see the check for what they are called."""
    name = "corruption_error" if found.values else "corruption_accuracy"
    clean, scores = found.scores(found.clean), found.scores(found.corrupted)
    measures = [
        _level("clean_error" if found.values else "clean_accuracy", clean, "", found.values),
        _level(name, scores.mean((0, 1)), "", found.values),
        _rise(clean, scores.mean((0, 1)), "", found.values),
    ]
    for family, of_family in zip(families, scores, strict=True):
        where = f"corruption={family}"
        measures.append(_level(name, of_family.mean(0), where, found.values))
        measures.append(_rise(clean, of_family.mean(0), where, found.values))
        for severity, of_severity in zip(severities, of_family, strict=True):
            measures.append(_level(name, of_severity, f"{where}&severity={severity}", found.values))
    if len(found.places):
        at_places, name = found.scores(found.places), "spatial_error" if found.values else "spatial_accuracy"
        worst = at_places.max(0) if found.values else at_places.min(0)
        measures.append(_level(name, worst, "", found.values))
        measures.append(_level(f"mean_{name}", at_places.mean(0), "", found.values))
    return tuple(measures)


def _level(name: str, scores: Numbers, where: str, values: bool) -> Measure:
    """The mean over rows of `scores` (N,); None where one is infinite."""
    n = len(scores)
    if not np.isfinite(scores).all():
        return Measure(name, where, None, n, better="lower")
    if values:
        return mean(name, scores.tolist(), slice=where, better="lower")
    if np.isin(scores, (0.0, 1.0)).all():
        return rate(name, int(scores.sum()), n, slice=where)
    return share(name, scores.tolist(), slice=where)


def _rise(clean: Numbers, scores: Numbers, where: str, values: bool) -> Measure:
    """By how much the mean error over rows is larger than that of the same rows as they are."""
    name = "relative_error"
    if values:
        return _level(name, scores - clean if np.isfinite(clean).all() else clean, where, values)
    return paired(name, (1 - scores).tolist(), (1 - clean).tolist(), slice=where)


# ---- tables -------------------------------------------------------------------------------------------------------
def tables_of(
    found: Answers, families: Sequence[str], severities: Sequence[int], measures: Sequence[Measure]
) -> tuple[Table, ...]:
    """One row a family: its figure and the rise of the error; and the figure at each severity."""
    what = "error" if found.values else "accuracy"
    known = {(m.name, m.slice): m for m in measures}
    clean = known[f"clean_{what}", ""]
    wrong = None if clean.value is None else clean.value if found.values else 1 - clean.value
    rows: list[tuple[Scalar, ...]] = []
    grid: list[tuple[Scalar, ...]] = [("none", *[clean.value] * len(severities), clean.n * len(severities), clean.n)]
    for i, family in enumerate(families):
        where = f"corruption={family}"
        level, rise = known[f"corruption_{what}", where], known["relative_error", where]
        times = (wrong + rise.value) / wrong if wrong and rise.value is not None else None
        rows.append((family, level.value, level.low, level.high, rise.value, rise.low, rise.high, times, level.n))
        at = [known[f"corruption_{what}", f"{where}&severity={s}"].value for s in severities]
        grid.append((family, *at, int(found.unchanged[i].sum()), level.n))
    columns = ("corruption", what, "low", "high", "rise of error", "low", "high", "times the clean error", "n")
    at_severities = ("corruption", *(f"severity {s}" for s in severities), "inputs left unchanged", "n")
    title = what.capitalize()
    return Table(f"{title} by corruption", columns, tuple(rows)), Table(
        f"{title} by severity", at_severities, tuple(grid)
    )


# ---- caveats ------------------------------------------------------------------------------------------------------
def doubts(found: Answers, families: Sequence[str]) -> list[str]:
    """What weakens the figures: answers that are missing, corruptions that change nothing, a model without skill."""
    said, n = [], len(found.y)
    if found.failing:
        what = "figures with such an answer are not known" if found.values else "they count as wrong"
        said.append(
            f"For {found.failing:,} corrupted inputs the model raises an error or gives NaN or infinity, though not "
            f"for the rows as they are; {what}."
        )
    every = n * found.unchanged.shape[1]
    still = [f for f, same in zip(families, found.unchanged.sum(1), strict=True) if same == every]
    if still:
        said.append(f"What changes no input at all says nothing: {', '.join(still)}.")
    if not found.values and n:
        right, commonest = int((found.clean == found.y).sum()), int(np.unique(found.y, return_counts=True)[1].max())
        if right <= commonest:
            said.append(
                f"{right:,} of {n:,} rows are right as they are, no more than if the commonest class were always named "
                f"({commonest:,}): an accuracy on corrupted rows says little about such a model."
            )
    if found.values and n > 1 and np.ptp(found.clean) == 0:
        said.append("The model gives the same value for every row: what never moves says nothing about robustness.")
    return said
