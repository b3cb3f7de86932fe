"""The values of a regression by group: how far off they are, in one pass over the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.columns import Labels
from auditor.counting.crossings import Crossing
from auditor.counting.tally import BATCH

__all__ = ["Spreads", "spreads"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Spreads:
    """Mean and standard deviation (n - 1 in its denominator) of figures of the rows of G groups, by name: (G,) each."""

    n: np.ndarray[Any, np.dtype[np.int64]]
    means: Mapping[str, Floats]
    deviations: Mapping[str, Floats]

    def of(self, name: str, g: int) -> tuple[int, float, float]:
        """(n, mean, standard deviation) of a figure in a group."""
        return int(self.n[g]), float(self.means[name][g]), float(self.deviations[name][g])


def spreads(
    values: np.ndarray[Any, Any], y: np.ndarray[Any, Any], groups: Mapping[str, Labels], crossing: Crossing
) -> Spreads:
    """Of values (N,) against targets `y` (N,): mean_residual (value minus target), mean_absolute_error, mean_value."""
    n = np.zeros(crossing.size, np.int64)
    middle = {
        "mean_residual": float(np.mean(values - y)),
        "mean_absolute_error": 0.0,
        "mean_value": float(values.mean()),
    }
    sums = {name: np.zeros((2, crossing.size)) for name in middle}
    for start in range(0, len(y), BATCH):
        at = slice(start, start + BATCH)
        code = crossing.codes(groups, at)
        value = np.asarray(values[at], np.float64)
        residual = value - y[at]
        n += np.bincount(code, minlength=len(n))
        for name, figure in zip(middle, (residual, np.abs(residual), value), strict=True):
            off = figure - middle[name]  # about the middle, so that squares do not cancel
            sums[name] += [np.bincount(code, off, len(n)), np.bincount(code, off * off, len(n))]
    size = np.maximum(n, 1)
    means = {name: middle[name] + total / size for name, (total, _) in sums.items()}
    deviations = {
        name: np.sqrt(np.maximum(squares - total * total / size, 0) / np.maximum(n - 1, 1))
        for name, (total, squares) in sums.items()
    }
    return Spreads(n, means, deviations)
