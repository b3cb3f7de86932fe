"""Named columns beside the inputs: targets, groups, scores. Read as text (`labels`) or as numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from auditor.columns import Labels
from auditor.contingency import MISSING
from auditor.data.gathered import Numbers, Texts, is_number, numbers_of, parsed
from auditor.errors import LoadError
from auditor.integers import Integers, narrowed, smallest

__all__ = [
    "TARGET", "ArrayColumns", "ArrowColumns", "Columns", "HeldColumns", "Numbers", "as_text", "matching", "need",
    "stores_numbers",
]  # fmt: skip

HEAD = 100_000
TARGET = "y"  # the target's name where the audit file gives none


class Columns(Protocol):
    """Columns of N rows by name."""

    def __len__(self) -> int:
        """Number of rows."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Every column."""
        ...

    def labels(self, name: str) -> Labels:
        """The column as text; what counts as missing is the name `(missing)`."""
        ...

    def is_numeric(self, name: str) -> bool:
        """Whether the file itself stores the column as numbers; a csv stores none so."""
        ...

    def numbers(self, name: str) -> Numbers:
        """The column as numbers (N,), NaN where missing; LoadError that names the first row that is none."""
        ...

    def holds_many_numbers(self, name: str, most: int) -> bool:
        """Whether the column holds numbers alone, and more than `most` different ones."""
        ...

    def at(self, rows: Integers) -> Columns:
        """The same columns for `rows` (positions) only."""
        ...


def need(names: Sequence[str], name: str, what: str, file: str) -> None:
    """LoadError when `name` is not among the `names` of the file's columns."""
    if name not in names:
        known = ", ".join(names[:40]) or "none"
        msg = f"{file!r} has no column {name!r}, which is its {what}; it has: {known}"
        raise LoadError(msg)


def matching(columns: Columns, where: Mapping[str, object]) -> Integers:
    """Positions of the rows in which every column of `where` equals its value, as text."""
    keep = np.ones(len(columns), np.bool_)
    for name, value in where.items():
        labels = columns.labels(name)
        keep &= np.array([n == as_text(value) for n in labels.names], np.bool_)[labels.codes]
    return np.flatnonzero(keep)


def as_text(value: object) -> str:
    """A TOML value as a file would write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class ArrayColumns:
    """Arrays of an .npz file, one value a row."""

    arrays: Mapping[str, np.ndarray[Any, Any]]
    missing: Sequence[str]
    rows: int

    def __len__(self) -> int:
        return self.rows

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.arrays)

    def labels(self, name: str) -> Labels:
        return labels_of(self.arrays[name], self.missing)

    def is_numeric(self, name: str) -> bool:
        return self.arrays[name].dtype.kind in "biuf"

    def numbers(self, name: str) -> Numbers:
        array = self.arrays[name]
        if array.dtype.kind not in "biuf":
            return parsed(self.labels(name), name)
        return array.astype(np.float64)

    def holds_many_numbers(self, name: str, most: int) -> bool:
        array = self.arrays[name]
        return _many(array, most) if array.dtype.kind in "biuf" else _many_names(self.labels(name), most)

    def at(self, rows: Integers) -> ArrayColumns:
        return ArrayColumns({n: np.asarray(a[rows]) for n, a in self.arrays.items()}, self.missing, len(rows))


def labels_of(array: np.ndarray[Any, Any], missing: Sequence[str]) -> Labels:
    """The values of `array` (N,) as text; NaN and every missing text is `(missing)`, last."""
    values, codes = np.unique(array, return_inverse=True)
    texts = [_label(v) for v in values.tolist()]
    blank = {"", *missing, MISSING} if array.dtype.kind == "f" else {*missing, MISSING}
    names = list(dict.fromkeys(t for t in texts if t not in blank))
    place = {n: i for i, n in enumerate(names)}
    to = np.array([place.get(t, len(names)) for t in texts], smallest(len(names)))
    some = any(t in blank for t in texts)
    return Labels((*names, MISSING) if some else tuple(names), to[codes.reshape(-1)])


def _many(array: np.ndarray[Any, Any], most: int) -> bool:
    """Whether more than `most` numbers of `array` (N,) differ; the first rows show it as a rule."""
    return any(int((~np.isnan(np.unique(a))).sum()) > most for a in (array[:HEAD], array))


def _many_names(labels: Labels, most: int) -> bool:
    named = [n for n in labels.names if n != MISSING]
    return len(named) > most and all(map(is_number, named))


def _label(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if isinstance(value, float) and np.isnan(value) else str(value)


@dataclass(frozen=True)
class ArrowColumns:
    """Columns of a table file, as they stand in memory. `first` is the number of its first row, for messages."""

    table: pa.Table
    missing: Sequence[str]
    first: int = 0

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.table.column_names)

    def labels(self, name: str) -> Labels:
        texts = Texts(name)
        return texts.labels([texts.codes(part) for part in self.table.column(name).chunks], self.missing)

    def is_numeric(self, name: str) -> bool:
        return stores_numbers(self.table.column(name).type)

    def numbers(self, name: str) -> Numbers:
        parts, first = [np.zeros(0)], self.first
        for part in self.table.column(name).chunks:
            parts.append(numbers_of(part, self.missing, name, first))
            first += len(part)
        return np.concatenate(parts)

    def holds_many_numbers(self, name: str, most: int) -> bool:
        return _many_names(self.labels(name), most)

    def at(self, rows: Integers) -> ArrowColumns:
        return ArrowColumns(self.table.take(pa.array(rows)), self.missing, self.first)


def stores_numbers(kind: pa.DataType) -> bool:
    """Whether a file's column of this type holds numbers, or true and false, rather than text."""
    if pa.types.is_dictionary(kind):
        return stores_numbers(kind.value_type)
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(kind) for test in tests)


@dataclass(frozen=True)
class HeldColumns:
    """Columns of a table file that was read part by part: each as names and codes, or as numbers.

    `numeric` are those that the file itself stores as numbers.
    """

    held: Mapping[str, Labels | Numbers]
    numeric: Collection[str]
    rows: int

    def __len__(self) -> int:
        return self.rows

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.held)

    def labels(self, name: str) -> Labels:
        found = self.held[name]
        return found if isinstance(found, Labels) else labels_of(found, ())

    def is_numeric(self, name: str) -> bool:
        return name in self.numeric

    def numbers(self, name: str) -> Numbers:
        found = self.held[name]
        return parsed(found, name) if isinstance(found, Labels) else found

    def holds_many_numbers(self, name: str, most: int) -> bool:
        found = self.held[name]
        return _many_names(found, most) if isinstance(found, Labels) else _many(found, most)

    def at(self, rows: Integers) -> HeldColumns:
        held = {n: _used(c.at(rows)) if isinstance(c, Labels) else c[rows] for n, c in self.held.items()}
        return HeldColumns(held, self.numeric, len(rows))


def _used(labels: Labels) -> Labels:
    """The same column with those names alone that a row has."""
    some = labels.counts() > 0
    place = np.cumsum(some) - 1
    names = tuple(n for n, has in zip(labels.names, some, strict=True) if has)
    return labels if some.all() else Labels(names, narrowed(place[labels.codes]))
