"""Measures, tables and caveats of corrupted rows. Rows are the unit: one row at five severities is one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from auditor.corruptions.answers import Answers
from auditor.stats import mean_size, paired, rate, share
from auditor.types import Measure, Scalar, Table

__all__ = ["doubts", "measures_of", "scores_of_rows", "tables_of"]

Numbers = np.ndarray[Any, np.dtype[np.float64]]


def measures_of(found: Answers, families: Sequence[str], severities: Sequence[int]) -> tuple[Measure, ...]:
    """Every figure of the check, of a model with classes or with values; see the check for what they are called."""
    of_rows, by_family = scores_of_rows(found, families), found.scores(found.corrupted)
    clean, measures = found.scores(found.clean), []
    at = {f"corruption={f}": dict(zip(severities, s, strict=True)) for f, s in zip(families, by_family, strict=True)}
    for (name, where), scores in of_rows.items():
        measures.append(_level(name, scores, where, found.values))
        if name.startswith("corruption_"):
            measures.append(_rise(clean, scores, where, found.values))
            for severity, of_severity in at.get(where, {}).items():
                measures.append(_level(name, of_severity, f"{where}&severity={severity}", found.values))
    return tuple(measures)


def scores_of_rows(found: Answers, families: Sequence[str]) -> dict[tuple[str, str], Numbers]:
    """What each row counts (N,) in the figures by name and slice: of a corruption the mean over its severities.

    Shares of right answers from 0 to 1; of a model with values the mean absolute error.
    """
    what, by_family = "error" if found.values else "accuracy", found.scores(found.corrupted)
    of_rows = {(f"clean_{what}", ""): found.scores(found.clean), (f"corruption_{what}", ""): by_family.mean((0, 1))}
    for family, scores in zip(families, by_family, strict=True):
        of_rows[f"corruption_{what}", f"corruption={family}"] = scores.mean(0)
    if len(found.places):
        places = found.scores(found.places)
        of_rows[f"spatial_{what}", ""] = places.max(0) if found.values else places.min(0)
        of_rows[f"mean_spatial_{what}", ""] = places.mean(0)
    return of_rows


def _level(name: str, scores: Numbers, where: str, values: bool) -> Measure:
    """The mean over rows of `scores` (N,); None where one is infinite."""
    n = len(scores)
    if not np.isfinite(scores).all():
        return Measure(name, where, None, n, better="lower", why="the model gives no number for a row")
    if values:
        return mean_size(name, scores, slice=where, better="lower")
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
