"""What each row counts in a measure, kept so that two audits of the same rows can be paired, and groups be compared.

A gap between groups has no score a row: of it is kept which group each row is in and which outcome it has. What the
model says of each row is kept as well, so that it can be seen whose answers another model changes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.integers import Codes
from auditor.types import Better

__all__ = [
    "ANSWERS", "LABELS", "MOST_GROUPED_ROWS", "MOST_SCORED_ROWS", "SCORED_ROWS", "Scored", "as_scores", "group_key",
    "grouped", "score_key",
]  # fmt: skip

SCORED_ROWS = "scored-rows"  # the evidence under which a check keeps the ids of the rows
ANSWERS = "answers"  # what the model says of each of them: its class (int32), or its value
LABELS = "labels"  # and which class is true of it (int32)
MOST_SCORED_ROWS = 1_000_000  # of more rows no check keeps what each counts in a measure
MOST_GROUPED_ROWS = 100_000  # nor, of more than these, its group and outcome in every gap, of which there are many


@dataclass(frozen=True, slots=True)
class Scored:
    """A rate or mean of `check` and what each row counts in it: `scores` (n,), NaN where it has no part.

    They lie between 0 and 1 of a rate, and are any numbers of a mean. `rows` (n,) are the ids of the rows.
    """

    check: str
    name: str
    slice: str
    better: Better
    rows: np.ndarray[tuple[int], np.dtype[np.int64]]
    scores: np.ndarray[tuple[int], np.dtype[np.float32]]

    @property
    def key(self) -> tuple[str, str, str]:
        """Check, name and slice."""
        return self.check, self.name, self.slice


def score_key(name: str, about: str) -> str:
    """The evidence under which a check keeps the scores of its measure `name` in the slice `about`.

    A digest, as slices hold the names of classes and groups, which may be anything.
    """
    return f"scores-{_digest(name, about)}"


def group_key(name: str, about: str) -> str:
    """The evidence under which a check keeps the groups and outcomes of the gap `name` in the slice `about`."""
    return f"groups-{_digest(name, about)}"


def _digest(name: str, about: str) -> str:
    return hashlib.sha256(f"{name}\t{about}".encode()).hexdigest()[:16]


def grouped(
    groups: Codes,
    outcome: np.ndarray[Any, np.dtype[np.bool_]],
    about: np.ndarray[Any, np.dtype[np.bool_]],
) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """What a gap between rates is made of: twice the group's number of each row, and 1 more where `outcome` is so.

    -1 where the rates are not `about` the row. All are (n,).
    """
    return np.where(about, groups.astype(np.int32) * 2 + outcome, np.int32(-1))


def as_scores(values: Any) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Booleans, numbers or a tensor (n,) as scores."""
    return np.asarray(values, dtype=np.float32)
