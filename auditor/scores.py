"""What each row counts in a measure, kept so that two audits of the same rows can be paired, and groups be compared."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.types import Better

__all__ = ["SCORED_ROWS", "Scored", "as_scores", "score_key"]

SCORED_ROWS = "scored-rows"  # the evidence under which a check keeps the ids of the rows


@dataclass(frozen=True, slots=True)
class Scored:
    """A rate or mean of `check` and what each row counts in it: `scores` (n,) from 0 to 1, NaN where it has no part.

    `rows` (n,) are the ids of the rows.
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
    digest = hashlib.sha256(f"{name}\t{about}".encode()).hexdigest()
    return f"scores-{digest[:16]}"


def as_scores(values: Any) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Booleans, numbers or a tensor (n,) as scores."""
    return np.asarray(values, dtype=np.float32)
