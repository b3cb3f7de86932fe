"""Predictions that came as data, for an audit without a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from auditor.integers import Codes, Integers

__all__ = ["Given", "Probabilities", "Scores", "both_probabilities"]

Probabilities = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Scores = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Given:
    """Predictions that came as data, for an audit without a model.

    `predicted` (N,) are indices of `classes`. `scores` (N, C) are the probabilities of all classes, or (N,) of the
    class `of`, which is one of two; None where only decisions or plain scores are known. `plain` (N,) are scores of
    that class that are no probabilities. Of a regression there are no classes, and `values` (N,) are what was
    predicted.
    """

    classes: tuple[str, ...]
    predicted: Codes
    scores: Scores | None
    of: int = 1
    values: np.ndarray[tuple[int], np.dtype[np.floating[Any]]] | None = None
    plain: np.ndarray[tuple[int], np.dtype[np.float64]] | None = None

    @property
    def probabilities(self) -> Probabilities | None:
        """The probabilities (N, C) of all classes, made when asked for; None where they are not known."""
        return None if self.scores is None else both_probabilities(self.scores, self.of)

    def at(self, rows: Integers) -> Given:
        """The same for `rows` (positions) only."""
        scores, values = (None if a is None else a[rows] for a in (self.scores, self.values))
        plain = None if self.plain is None else self.plain[rows]
        return replace(self, predicted=self.predicted[rows], scores=scores, values=values, plain=plain)


def both_probabilities(scores: Scores, of: int) -> Probabilities:
    """Probabilities (N, C) as they are; of two classes (N, 2) from those (N,) of the class `of` alone."""
    if scores.ndim == 2:
        return cast("Probabilities", scores)
    return np.stack([scores, 1 - scores] if of == 0 else [1 - scores, scores], 1)
