"""Named columns beside the inputs: targets, groups, scores. Read as text (`labels`) or as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from auditor.contingency import MISSING
from auditor.errors import LoadError
from auditor.subject import Integers, Labels

__all__ = ["TARGET", "ArrayColumns", "ArrowColumns", "Columns", "Numbers", "as_text", "matching", "need"]

TARGET = "y"  # the target's name where the audit file gives none

Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]


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
        array = self.arrays[name]
        values, codes = np.unique(array, return_inverse=True)
        names = tuple(_label(v) for v in values.tolist())
        return _with_missing(Labels(names, codes.reshape(-1).astype(np.int64)), self.missing)

    def is_numeric(self, name: str) -> bool:
        return self.arrays[name].dtype.kind in "biuf"

    def numbers(self, name: str) -> Numbers:
        array = self.arrays[name]
        if array.dtype.kind not in "biuf":
            return _parsed(self.labels(name), name)
        return array.astype(np.float64)

    def at(self, rows: Integers) -> ArrayColumns:
        return ArrayColumns({n: np.asarray(a[rows]) for n, a in self.arrays.items()}, self.missing, len(rows))


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
    """Columns of a table file. `first` is the number of its first row in the file, for messages."""

    table: pa.Table
    missing: Sequence[str]
    first: int = 0

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.table.column_names)

    def labels(self, name: str) -> Labels:
        text = pc.fill_null(pc.cast(self.table.column(name), pa.string()), "").combine_chunks()
        encoded = pc.dictionary_encode(text)
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        names = tuple(encoded.dictionary.to_pylist())
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return _with_missing(_sorted(Labels(names, codes)), self.missing)

    def is_numeric(self, name: str) -> bool:
        kind = self.table.column(name).type
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))

    def numbers(self, name: str) -> Numbers:
        column = self.table.column(name)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            blank = pc.is_in(column, value_set=pa.array(list(self.missing), column.type))
            column = pc.if_else(blank, None, pc.utf8_trim_whitespace(column))
        try:
            values = pc.cast(column, pa.float64()).to_numpy()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return _parsed(self.labels(name), name, self.first)
        return np.asarray(values, np.float64)

    def at(self, rows: Integers) -> ArrowColumns:
        return ArrowColumns(self.table.take(pa.array(rows)), self.missing, self.first)


def _parsed(labels: Labels, name: str, first: int = 0) -> Numbers:
    """Text as numbers; LoadError for the first row that is none."""
    numbers = np.full(len(labels.names), np.nan)
    for i, text in enumerate(labels.names):
        if text == MISSING:
            continue
        try:
            numbers[i] = float(text)
        except ValueError:
            row = first + int(np.argmax(labels.codes == i))
            msg = f"column {name!r} holds {text!r} in row {row} (counted from 0); expected a number"
            raise LoadError(msg) from None
    return numbers[labels.codes]


def _sorted(labels: Labels) -> Labels:
    order = sorted(range(len(labels.names)), key=labels.names.__getitem__)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return Labels(tuple(labels.names[i] for i in order), place[labels.codes] if order else labels.codes)


def _with_missing(labels: Labels, missing: Sequence[str]) -> Labels:
    """The same column with every missing text under the one name `(missing)`, last."""
    if not set(labels.names) & set(missing):
        return labels
    kept = [n for n in labels.names if n not in missing]
    place = {n: i for i, n in enumerate(kept)}
    codes = np.array([place.get(n, len(kept)) for n in labels.names], np.int64)
    return Labels((*kept, MISSING), codes[labels.codes])
