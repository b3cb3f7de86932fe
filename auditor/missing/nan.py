"""What comes out where NaN goes in: NaN, an error, or an answer as if nothing were missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from auditor.columns import Column
from auditor.missing.asked import asked
from auditor.missing.fill import filled
from auditor.subject import Data, Model

__all__ = ["ALL_VALUES", "ONE_VALUE", "GivenNaN", "given_nan"]

Mask = np.ndarray[Any, np.dtype[np.bool_]]
OF_COLUMN = 32  # rows that a single column is looked at in: where a model raises, each is asked alone
ONE_VALUE, ALL_VALUES = "one value of each row", "all values of each row"


@dataclass(frozen=True, slots=True)
class GivenNaN:
    """Of `n` rows with NaN at `where`, how many have NaN or infinity as output, raise, or are answered silently.

    `right` of the silent answers are the label.
    """

    where: str
    n: int
    nan: int
    raises: int
    silent: int
    right: int


def given_nan(
    model: Model, data: Data, columns: Sequence[Column], one_by_one: Sequence[int], size: int, seed: int
) -> list[GivenNaN]:
    """With NaN in a drawn column of each row, in all, and in each column in turn (on at most 32 rows).

    `data` are rows that the model has an answer for as they are. The columns are in the order of `one_by_one`.
    """
    width, draw = len(columns), np.random.default_rng(seed)
    alone = np.arange(width)

    def one(rows: int) -> Mask:
        return np.asarray(draw.integers(width, size=(rows, 1)) == alone)

    def each(column: int) -> Callable[[int], Mask]:
        return lambda rows: np.broadcast_to(alone == column, (rows, width)).copy()

    few = data.take(OF_COLUMN, seed)
    found = [_given(model, data, columns, size, ONE_VALUE, one)]
    found.append(_given(model, data, columns, size, ALL_VALUES, lambda rows: np.ones((rows, width), np.bool_)))
    return found + [_given(model, few, columns, size, columns[c].name, each(c)) for c in one_by_one]


def _given(
    model: Model, data: Data, columns: Sequence[Column], size: int, where: str, masks: Callable[[int], Mask]
) -> GivenNaN:
    answers, raised = [], []
    for batch in data.batches(size):
        hole = torch.full_like(batch.x[0], torch.nan)
        found = asked(model, filled(batch.x, masks(len(batch.x)), columns, hole))
        answers.append(found[0])
        raised.append(found[1])
    answer, error = np.concatenate(answers), np.concatenate(raised)
    silent = ~np.isnan(answer)
    nan = ~silent & ~error
    counts = (int(which.sum()) for which in (nan, error, silent, answer == data.y))
    return GivenNaN(where, len(data), *counts)
