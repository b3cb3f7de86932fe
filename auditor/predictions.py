"""What a model says of every row of the data, or what came with the data in its place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, as_tensor

from auditor.given import Probabilities, Scores, both_probabilities
from auditor.integers import Codes, Integers
from auditor.subject import Model

__all__ = ["InputRange", "Predictions"]


@dataclass(frozen=True, slots=True)
class InputRange:
    """The smallest and largest input value that the model was given, and how many samples left its bounds.

    `odd` counts the samples that hold NaN or infinity.
    """

    low: float = math.inf
    high: float = -math.inf
    outside: int = 0
    odd: int = 0

    def with_batch(self, x: Tensor, model: Model) -> InputRange:
        """The range after `x` (N, ...) was seen too."""
        low, high = (as_tensor(b) for b in model.bounds)
        beyond, finite = (x < low - 1e-6) | (x > high + 1e-6), x.isfinite()
        outside = self.outside + int(beyond.flatten(1).any(1).sum())
        odd = self.odd + int((~finite).flatten(1).any(1).sum())
        return InputRange(min(self.low, float(x.min())), max(self.high, float(x.max())), outside, odd)


@dataclass(frozen=True, slots=True)
class Predictions:
    """What the model says of every row: class indices (N,), the probabilities of classes, or values (N,).

    `scores` are probabilities (N, C) of all classes, or (N,) of the class `of` where that one column came as data;
    `plain` (N,) are scores of that class that are no probabilities, of which the order alone says something;
    `values` are those of a regression. Any is None where the subject does not give it. `inputs` is the range of what
    the model was given, `seconds` the wall time that it took for all rows.
    """

    predicted: Codes
    scores: Scores | None
    values: np.ndarray[tuple[int], np.dtype[np.floating[Any]]] | None = None
    inputs: InputRange | None = None
    seconds: float | None = None
    of: int = 1
    plain: np.ndarray[tuple[int], np.dtype[np.float64]] | None = None

    @property
    def probabilities(self) -> Probabilities | None:
        """(N, C) of all classes; of one column of scores they are made anew each time."""
        return self.of_rows(slice(None))

    def of_class(self, label: int) -> Scores | None:
        """(N,) the probability of one class; the column itself where it is of that class."""
        if self.scores is None or self.scores.ndim == 2:
            return None if self.scores is None else self.scores[:, label]
        return self.scores if self.of == label else 1 - self.scores

    def ordering(self, label: int) -> np.ndarray[tuple[int], np.dtype[np.floating[Any]]] | None:
        """(N,) numbers that are the higher the more a row is said to be of a class: probabilities, or plain scores."""
        if self.plain is None:
            return self.of_class(label)
        return self.plain if self.of == label else -self.plain

    def of_rows(self, rows: slice | Integers) -> Probabilities | None:
        """The probabilities (k, C) of k rows (positions)."""
        return None if self.scores is None else both_probabilities(self.scores[rows], self.of)
