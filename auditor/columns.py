"""The columns of a table: names one a row, what a column fills of the input, and what must hold between columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from auditor.integers import Codes, Integers, narrowed, tally

__all__ = ["Column", "Labels", "Others", "Relation"]


@dataclass(frozen=True, slots=True)
class Labels:
    """A column of N names, stored as `names` and one code per row. Iterates over the names of the rows.

    `codes` (N,) are of any signed type, as a rule the smallest that holds them: widen them before arithmetic.
    """

    names: tuple[str, ...]
    codes: Codes

    @classmethod
    def of(cls, values: Sequence[str]) -> Labels:
        """Labels of the given texts; names in sorted order."""
        names, codes = np.unique(np.asarray(values, dtype=np.str_), return_inverse=True)
        return cls(tuple(map(str, names)), narrowed(codes.reshape(-1)))

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        return (self.names[c] for c in self.codes)

    def at(self, rows: Integers) -> Labels:
        """The same names for `rows` (positions) only."""
        return Labels(self.names, self.codes[rows])

    def counts(self) -> Integers:
        """(names,) how many rows have each name."""
        return tally(self.codes, len(self.names))


Others = Labels | np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table and the elements [start, stop) of the input vector that it fills.

    A number is (value - mean) / std; a category fills one element for each of `values`, 1 where it is that value; a
    flag is 0 or 1, or another whole number that stands for something.

    A change must leave a column that is not `mutable` as it is, keep the others between `low` and `high` (in units of
    the file), whole where `integer`, and not below the row's own value where `increasing_only`.
    """

    name: str
    start: int
    stop: int
    kind: Literal["number", "category", "flag"] = "number"
    values: tuple[str, ...] = ()
    mean: float = 0.0
    std: float = 1.0
    mutable: bool = True
    low: float = -math.inf
    high: float = math.inf
    integer: bool = False
    increasing_only: bool = False

    @property
    def continuous(self) -> bool:
        """Whether it is a number that may take any value of its range, up and down, whatever its neighbours do."""
        return self.kind == "number" and self.mutable and not self.integer and not self.increasing_only

    def shown(self, x: Sequence[float]) -> str:
        """This column of one input vector, as it stood in the file."""
        part = x[self.start : self.stop]
        if self.kind == "category":
            return next((v for v, on in zip(self.values, part, strict=True) if on > 0.5), "(none of the values)")
        step = 10.0 ** math.floor(math.log10(self.std) - 4)  # finer differences are those of float32
        return f"{round((part[0] * self.std + self.mean) / step) * step:.6g}"


@dataclass(frozen=True, slots=True)
class Relation:
    """What a change must keep: the sum of weight x value, in units of the file, is `equals`, or is `at_most` so much.

    `weights` are pairs of a column's position among the data's and its weight; one of the two bounds is None.
    """

    weights: tuple[tuple[int, float], ...]
    equals: float | None = None
    at_most: float | None = None
