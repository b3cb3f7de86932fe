"""How many rows that a method makes up lie off the data: rows that a model may answer as it would no real one.

A model can be built to be explained by what it does off the data (Slack et al. 2020, arXiv:1911.02508).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auditor.explain.games import Floats

__all__ = ["Cloud"]

QUANTILE = 0.99
RIDGE = 1e-3  # of a column's variance: columns that tell each other exactly still have room for rounding


@dataclass(frozen=True)
class Cloud:
    """Rows as a cloud: the mean (F,), the inverse (F, F) of their covariance, and the distance that 99 % stay within.

    Elements that are constant have no say.
    """

    middle: Floats
    inverse: Floats
    reach: float

    @classmethod
    def of(cls, rows: Floats) -> Cloud:
        """The cloud of `rows` (n, F)."""
        middle = rows.mean(0)
        spread = rows.std(0)
        moving = spread > 0
        unit = np.where(moving, spread, 1.0)
        centred = (rows - middle) / unit
        covariance = centred.T @ centred / max(1, len(rows)) + RIDGE * np.eye(rows.shape[1])
        inverse = np.linalg.inv(covariance) * np.outer(moving / unit, moving / unit)
        found = cls(middle, inverse, 0.0)
        return cls(middle, inverse, float(np.quantile(found.distance(rows), QUANTILE)))

    def distance(self, rows: Floats) -> Floats:
        """(n,) the squared Mahalanobis distances of `rows` (n, F) from the middle."""
        centred = rows - self.middle
        return np.asarray(np.einsum("nf,fg,ng->n", centred, self.inverse, centred), np.float64)

    def off(self, rows: Floats) -> int:
        """How many of `rows` (n, F) lie further out than 99 % of the cloud's own."""
        return int((self.distance(rows) > self.reach * (1 + 1e-9)).sum())
