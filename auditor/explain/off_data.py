"""How many rows that a method makes up lie off the data: rows that a model may answer as it would no real one.

A model can be built to be explained by what it does off the data (Slack et al. 2020, arXiv:1911.02508).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from auditor.explain.games import Floats

__all__ = ["Cloud"]

QUANTILE = 0.99
RIDGE = 1e-3  # of a column's variance: columns that tell each other exactly still have room for rounding


@dataclass(frozen=True)
class Cloud:
    """Rows as a cloud: the mean (F,), the inverse (F, F) of their covariance, and the distance that 99 % stay within.

    Mean and covariance are those of one half of the rows, the distance that of the other: rows lie closer to a cloud
    that is made of them, the more so the more columns there are. Elements that are constant have no say.
    """

    middle: Floats
    inverse: Floats
    reach: float

    @classmethod
    def of(cls, rows: Floats) -> Cloud:
        """The cloud of `rows` (n, F), at least two, in no order."""
        half, other = rows[::2], rows[1::2]
        middle, spread = half.mean(0), half.std(0)
        moving = spread > 0
        unit = np.where(moving, spread, 1.0)
        centred = (half - middle) / unit
        covariance = centred.T @ centred / len(half) + RIDGE * np.eye(rows.shape[1])
        inverse = np.linalg.inv(covariance) * np.outer(moving / unit, moving / unit)
        found = cls(middle, inverse, 0.0)
        return replace(found, reach=float(np.quantile(found.distance(other), QUANTILE)))

    def distance(self, rows: Floats) -> Floats:
        """(n,) the squared Mahalanobis distances of `rows` (n, F) from the middle."""
        centred = rows - self.middle
        return np.asarray(np.einsum("nf,fg,ng->n", centred, self.inverse, centred), np.float64)

    def off(self, rows: Floats) -> int:
        """How many of `rows` (n, F) lie further out than 99 % of the cloud's own."""
        return int((self.distance(rows) > self.reach * (1 + 1e-9)).sum())
