"""What a reader should know of data before any figure: what cannot be compared, what says nothing or too much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from auditor.columns import Column, Labels
from auditor.contingency import MISSING
from auditor.errors import LoadError
from auditor.subject import Targets

__all__ = ["column_notes", "group_notes", "need_comparable"]

FEWEST = 10  # rows of a group below which its gaps are left out


def need_comparable(groups: Mapping[str, Labels], y: Targets, target: str) -> None:
    """LoadError where groups are to be compared and there is one class only, or one group of a column only."""
    if not groups:
        return
    if y.min() == y.max():
        msg = f"target {target!r} has a single class in {len(y):,} rows; groups cannot be compared without a second one"
        raise LoadError(msg)
    for name, labels in groups.items():
        present = np.flatnonzero(labels.counts())
        if len(present) < 2:
            only = labels.names[int(present[0])]
            if only == MISSING:
                msg = f"sensitive column {name!r} has no value in any of {len(y):,} rows; a comparison needs two groups"
                raise LoadError(msg)
            msg = f"sensitive column {name!r} has a single group ({only!r:.80}); a comparison needs two"
            raise LoadError(msg)


def group_notes(groups: Mapping[str, Labels]) -> Iterator[str]:
    """Groups so small that their gaps say nothing; not how small, as a check may be told not to show that."""
    for name, labels in groups.items():
        for code, n in enumerate(labels.counts().tolist()):
            if 0 < n < FEWEST:
                yield f"Group {labels.names[code]!r} of {name!r} has under {FEWEST} rows: no gap is judged on so few."


def column_notes(x: np.ndarray[Any, np.dtype[np.float32]], y: Targets, columns: Sequence[Column]) -> Iterator[str]:
    """Columns of `x` (N, F) that are the same in every row, or that alone tell the class `y` (N,) of every row."""
    if len(x) < 2:
        return
    many = len(np.unique(y)) > 1
    for column in columns:
        part = x[:, column.start : column.stop]
        if bool((part == part[0]).all()):
            yield f"Column {column.name!r} is the same in every row, so nothing can be said of its effect."
        elif many and column.stop - column.start == 1 and _tells(part[:, 0], y):
            yield f"Column {column.name!r} tells the target of every row by itself: is it a copy of the answer?"


def _tells(values: np.ndarray[Any, np.dtype[np.float32]], y: Targets) -> bool:
    """Whether each value goes with one target only, and the values are no more than the classes."""
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) > min(len(np.unique(y)), 100):
        return False
    return all(len(np.unique(y[codes.reshape(-1) == i])) == 1 for i in range(len(distinct)))
