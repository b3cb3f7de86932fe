"""Counting: every fairness figure comes from one table of counts a group, made in one pass over the predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.subject import Labels

__all__ = ["Cell", "Contingency", "count", "rows_of"]

Flags = np.ndarray[Any, np.dtype[np.bool_]]
MISSING = "(missing)"


@dataclass(frozen=True, slots=True)
class Cell:
    """One group's counts: true and false positives, false and true negatives."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def n(self) -> int:
        """Rows of the group."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def selection_rate(self) -> tuple[int, int]:
        """(predicted favourable, all)."""
        return self.tp + self.fp, self.n

    @property
    def base_rate(self) -> tuple[int, int]:
        """(truly favourable, all)."""
        return self.tp + self.fn, self.n

    @property
    def tpr(self) -> tuple[int, int]:
        """(predicted favourable, truly favourable)."""
        return self.tp, self.tp + self.fn

    @property
    def fpr(self) -> tuple[int, int]:
        """(predicted favourable, truly not)."""
        return self.fp, self.fp + self.tn

    @property
    def fnr(self) -> tuple[int, int]:
        """(predicted not favourable, truly favourable)."""
        return self.fn, self.tp + self.fn

    @property
    def tnr(self) -> tuple[int, int]:
        """(predicted not favourable, truly not)."""
        return self.tn, self.fp + self.tn

    @property
    def ppv(self) -> tuple[int, int]:
        """(truly favourable, predicted favourable)."""
        return self.tp, self.tp + self.fp

    @property
    def npv(self) -> tuple[int, int]:
        """(truly not, predicted not favourable)."""
        return self.tn, self.tn + self.fn

    @property
    def accuracy(self) -> tuple[int, int]:
        """(right, all)."""
        return self.tp + self.tn, self.n


@dataclass(frozen=True, slots=True)
class Contingency:
    """Counts of the groups that occur. A group is a tuple of names, one an attribute."""

    groups: tuple[tuple[str, ...], ...]
    cells: tuple[Cell, ...]

    def __iter__(self) -> Iterator[tuple[tuple[str, ...], Cell]]:
        return iter(zip(self.groups, self.cells, strict=True))

    @property
    def n(self) -> int:
        """Rows in all groups."""
        return sum(cell.n for cell in self.cells)


def rows_of(rate: str, predicted: Flags, actual: Flags) -> tuple[Flags, Flags]:
    """The rows (N,) that a rate of `Cell` is about, and those of them that it counts, by its name."""
    every = np.ones_like(predicted)
    return {
        "selection_rate": (every, predicted),
        "tpr": (actual, predicted),
        "fpr": (~actual, predicted),
        "ppv": (predicted, actual),
        "accuracy": (every, predicted == actual),
    }[rate]


def count(predicted: Flags, actual: Flags, groups: Sequence[Labels]) -> Contingency:
    """Counts of `predicted` against `actual` (N,) in every crossing of `groups` that occurs."""
    shape = tuple(len(g.names) for g in groups)
    code = np.zeros(len(predicted), np.int64)
    for g in groups:
        code = code * len(g.names) + g.codes
    code = (code * 2 + actual) * 2 + predicted
    table = np.bincount(code, minlength=4 * int(np.prod(shape, dtype=np.int64))).reshape(*shape, 2, 2)
    found = np.argwhere(table.sum((-1, -2)) > 0)
    names = tuple(tuple(g.names[i] for g, i in zip(groups, where, strict=True)) for where in found)
    cells = tuple(_cell(table[tuple(where)]) for where in found)
    return Contingency(names, cells)


def _cell(square: np.ndarray[Any, np.dtype[np.int64]]) -> Cell:
    """A group's counts from [actual, predicted]."""
    (tn, fp), (fn, tp) = square.tolist()
    return Cell(tp, fp, fn, tn)
