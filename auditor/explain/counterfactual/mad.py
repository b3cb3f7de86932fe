"""Distances between rows of a table, and how near to others a row usually is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.columns import Column
from auditor.integers import Integers
from auditor.tables.file_units import Rows

__all__ = ["Distance"]

AT_ONCE = 4_000_000  # distances held at once: 32 MB


@dataclass(frozen=True)
class Distance:
    """The sum over numbers of |difference| / MAD, plus 1 for each category or flag that differs.

    MAD is the median absolute deviation from the median of the reference, or the standard deviation where that is 0.
    `scale` (columns,) holds them: 1 for categories and flags, 0 for columns that are the same in every reference row,
    whose differences do not count. (Wachter et al. 2018, arXiv:1711.00399, eq. 3.)
    """

    scale: Rows
    discrete: np.ndarray[Any, np.dtype[np.bool_]]

    @classmethod
    def of(cls, reference: Rows, columns: Sequence[Column]) -> Distance:
        """The distance that `reference` (M, columns) gives."""
        discrete = np.array([c.kind != "number" for c in columns])
        mad = np.median(np.abs(reference - np.median(reference, 0)), 0)
        scale = np.where(mad > 0, mad, reference.std(0))
        constant = (reference == reference[0]).all(0)
        return cls(np.where(constant, 0.0, np.where(discrete, 1.0, scale)), discrete)

    def parts(self, a: Rows, b: Rows) -> Rows:
        """What each column adds to the distance of `a` and `b`, which may be any shapes (..., columns)."""
        return self.of_column(np.arange(len(self.scale)), a, b)

    def of_column(self, column: Integers, a: Rows, b: Rows) -> Rows:
        """What the difference of the values `a` and `b` (..., N) adds, each of the `column` (N,) at its place."""
        scale = self.scale[column]
        differs = np.where(self.discrete[column], a != b, np.abs(a - b) / np.where(scale > 0, scale, 1.0))
        return np.asarray(np.where(scale > 0, differs, 0.0))

    def nearest(self, rows: Rows, reference: Rows, without: Integers | None = None) -> Rows:
        """(N,) distances of `rows` (N, columns) to the nearest row of `reference` (M, columns).

        `without` (N,) names the reference row that does not count for each, -1 for none. Infinite where none is left.
        """
        found = np.full(len(rows), np.inf)
        at_once = max(1, AT_ONCE // len(reference))
        for start in range(0, len(rows), at_once):
            block = self._between(rows[start : start + at_once], reference)
            if without is not None:
                left_out = without[start : start + at_once]
                known = np.flatnonzero(left_out >= 0)
                block[known, left_out[known]] = np.inf
            found[start : start + at_once] = block.min(1)
        return found

    def usual(self, reference: Rows) -> float | None:
        """The distance within which 95 % of the rows of `reference` have another; None for fewer than two rows."""
        if len(reference) < 2:
            return None
        return float(np.percentile(self.nearest(reference, reference, np.arange(len(reference))), 95))

    def _between(self, a: Rows, b: Rows) -> Rows:
        from scipy.spatial.distance import cdist

        numbers = np.flatnonzero(~self.discrete & (self.scale > 0))
        others = np.flatnonzero(self.discrete & (self.scale > 0))
        found = np.zeros((len(a), len(b)))
        if len(numbers):
            found += cdist(a[:, numbers] / self.scale[numbers], b[:, numbers] / self.scale[numbers], "cityblock")
        if len(others):
            found += cdist(a[:, others], b[:, others], "hamming") * len(others)
        return found
