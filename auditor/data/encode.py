"""Rows of a table to input vectors, column by column, as [[columns]] says."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from auditor.columns import Column
from auditor.config import ColumnSpec, DataSpec
from auditor.contingency import MISSING
from auditor.data.columns import ArrowColumns, Numbers, need
from auditor.errors import LoadError, UsageError

__all__ = ["Block", "Encoder", "columns_for"]

Block = np.ndarray[tuple[int, int], np.dtype[np.float32]]
LARGEST = float(2**63)  # beyond it nobody means a number
FLAGS = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0, "no": 0.0, "yes": 1.0}


def columns_for(
    names: Sequence[str], spec: DataSpec, columns: Sequence[ColumnSpec], beside: Collection[str], file: str
) -> tuple[ColumnSpec, ...]:
    """The columns that make the input vector, in order; without any named, all but those `beside`, as numbers."""
    if columns:
        wanted = tuple(columns)
    elif isinstance(spec.inputs, tuple):
        wanted = tuple(ColumnSpec(name=n) for n in spec.inputs)
    elif isinstance(spec.inputs, str):
        wanted = (ColumnSpec(name=spec.inputs),)
    else:
        wanted = tuple(ColumnSpec(name=n) for n in names if n not in beside)
    for column in wanted:
        need(names, column.name, "input column", file)
    if not wanted:
        msg = "the table has no column left for inputs; name them with [data] inputs or [[columns]]"
        raise UsageError(msg)
    return wanted


class Encoder:
    """Turns rows into vectors, and counts what did not fit."""

    def __init__(self, specs: Sequence[ColumnSpec]) -> None:
        self._specs = specs
        self._odd: Counter[tuple[str, str]] = Counter()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return tuple(spec.name for spec in self._specs)

    def rows(self, columns: ArrowColumns) -> Block:
        """Input vectors (N, F) of the rows of `columns`."""
        parts = [self._column(columns, spec) for spec in self._specs]
        return np.concatenate(parts, 1).astype(np.float32) if parts else np.zeros((len(columns), 0), np.float32)

    def _column(self, columns: ArrowColumns, spec: ColumnSpec) -> np.ndarray[Any, np.dtype[np.float64]]:
        if spec.kind == "category":
            return self._category(columns, spec)
        values = self._flag(columns, spec) if spec.kind == "flag" else self._number(columns, spec)
        return values[:, None]

    def _category(self, columns: ArrowColumns, spec: ColumnSpec) -> np.ndarray[Any, np.dtype[np.float64]]:
        labels = columns.labels(spec.name)
        known = {str(v): i for i, v in enumerate(spec.values)}
        place = np.array([known.get(n, -1) for n in labels.names], np.int64)[labels.codes]
        if (place < 0).any():
            self._odd[spec.name, "a value that is not listed (all zeros)"] += int((place < 0).sum())
        return np.asarray(place[:, None] == np.arange(len(known)), np.float64)

    def _flag(self, columns: ArrowColumns, spec: ColumnSpec) -> Numbers:
        labels = columns.labels(spec.name)
        odd = next((n for n in labels.names if n != MISSING and n.lower() not in FLAGS), None)
        if odd is not None:
            msg = f"flag column {spec.name!r} holds {odd!r}; expected one of {', '.join(FLAGS)}"
            raise LoadError(msg)
        values = np.array([FLAGS.get(n.lower(), np.nan) for n in labels.names])[labels.codes]
        return self._filled(values, spec, columns.first, fill=0.0, how="(0)")

    def _number(self, columns: ArrowColumns, spec: ColumnSpec) -> Numbers:
        values = columns.numbers(spec.name)
        beyond = np.flatnonzero(np.abs(values) > LARGEST)
        if len(beyond):
            row, value = columns.first + int(beyond[0]), values[beyond[0]]
            what = "infinity" if np.isinf(value) else f"{value:.4g}"
            msg = f"column {spec.name!r} holds {what} in row {row} (counted from 0); expected numbers to {LARGEST:.2g}"
            raise LoadError(msg)
        filled = self._filled(values, spec, columns.first, fill=spec.mean, how="(its mean)")
        return filled if spec.mean is None or spec.std is None else (filled - spec.mean) / spec.std

    def _filled(self, values: Numbers, spec: ColumnSpec, first: int, *, fill: float | None, how: str) -> Numbers:
        missing = np.isnan(values)
        if not missing.any():
            return values
        if fill is None:
            row = first + int(np.argmax(missing))
            msg = (
                f"input column {spec.name!r} is missing in row {row} (counted from 0); "
                "give the column a mean to fill in ([[columns]]), or leave such rows out"
            )
            raise LoadError(msg)
        self._odd[spec.name, f"no value {how}"] += int(missing.sum())
        return np.where(missing, fill, values)

    def features(self, x: Block) -> tuple[Column, ...]:
        """What each element of the vectors is. A number that is always 0 or 1 here is a flag."""
        found, start = [], 0
        for spec in self._specs:
            width = len(spec.values) if spec.kind == "category" else 1
            kind = spec.kind
            if kind == "number" and spec.mean is None and len(x) and bool(np.isin(x[:, start], (0.0, 1.0)).all()):
                kind = "flag"
            found.append(
                Column(
                    spec.name,
                    start,
                    start + width,
                    kind,
                    tuple(map(str, spec.values)),
                    spec.mean or 0.0,
                    spec.std or 1.0,
                    spec.mutable,
                    -math.inf if spec.min is None else spec.min,
                    math.inf if spec.max is None else spec.max,
                    spec.integer,
                    spec.increasing_only,
                )
            )
            start += width
        return tuple(found)

    def caveats(self) -> tuple[str, ...]:
        """What did not fit, counted."""
        return tuple(f"Column {name!r}: {n:,} rows have {what}." for (name, what), n in self._odd.items())
