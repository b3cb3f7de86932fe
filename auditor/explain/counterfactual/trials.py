"""Changed rows of a table, each with the row that it is a change of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from auditor.integers import Integers
from auditor.tables.file_units import Rows

__all__ = ["Candidates", "nearest"]

MOST = 64  # candidates of a row that change a single column, from each source


@dataclass(frozen=True)
class Candidates:
    """Changed `rows` (S, columns) in units of the file; `of` (S,) is which row each is a change of."""

    of: Integers
    rows: Rows

    @classmethod
    def of_pairs(cls, found: Iterable[tuple[int, Rows]], columns: int) -> Candidates:
        """Candidates from pairs of a row's position and its changed values (columns,)."""
        pairs = list(found)
        rows = np.stack([values for _, values in pairs]) if pairs else np.zeros((0, columns))
        return cls(np.array([of for of, _ in pairs], np.int64), rows)

    def with_those_of(self, other: Candidates) -> Candidates:
        """These and then the `other`."""
        return Candidates(np.concatenate([self.of, other.of]), np.concatenate([self.rows, other.rows]))

    def at(self, places: Integers) -> Candidates:
        """Those at `places`."""
        return Candidates(self.of[places], self.rows[places])


def nearest(of: Integers, distance: Rows) -> Integers:
    """Positions of the MOST smallest of `distance` (S,) among those of the same row `of` (S,), as they stood."""
    order = np.lexsort((distance, of))
    _, first = np.unique(of[order], return_index=True)
    rank = np.arange(len(of)) - np.repeat(first, np.diff([*first, len(of)]))
    return np.sort(order[rank < MOST])
