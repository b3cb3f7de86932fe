"""What a table of predictions holds besides them: read when a check asks for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from auditor.columns import Labels, Others
from auditor.config import DataSpec
from auditor.contingency import MISSING
from auditor.data.columns import ArrowColumns, need
from auditor.data.files import batches
from auditor.data.gathered import Gathered, is_number, is_plain, parsed
from auditor.integers import Codes

__all__ = ["names_of_others", "read_others"]

MOST = 100  # values of a text


def names_of_others(names: Sequence[str], spec: DataSpec, beside: Collection[str], file: str) -> tuple[str, ...]:
    """The columns that `inputs` names; else all but those that serve something, which are `beside`."""
    if spec.inputs is None:
        return tuple(n for n in names if n not in beside)
    wanted = (spec.inputs,) if isinstance(spec.inputs, str) else spec.inputs
    for name in wanted:
        need(names, name, "input column", file)
    return wanted


def read_others(path: Path, spec: DataSpec, names: Sequence[str], row_ids: Codes) -> dict[str, Others]:
    """The columns `names` of the rows with these numbers, in ascending order: numbers, and text of few values."""
    columns = {n: Gathered(n, spec.missing, MOST + len(spec.missing) + 1) for n in names}
    first = 0
    for batch in batches(path, spec, names):
        start, stop = np.searchsorted(row_ids, [first, first + len(batch)])
        rows = row_ids[start:stop] - first
        kept = batch if len(rows) == len(batch) else ArrowColumns(batch, spec.missing).at(rows).table
        columns = {n: c for n, c in columns.items() if is_plain(batch.schema.field(n).type)}
        for name, column in columns.items():
            for part in kept.column(name).chunks:
                column.add(part, first)
        first += len(batch)
    found = {n: _read(n, column) for n, column in columns.items()}
    return {n: c for n, c in found.items() if c is not None}


def _read(name: str, column: Gathered) -> Others | None:
    """Numbers, or text of at most MOST values; None for other text."""
    found = column.held()
    if not isinstance(found, Labels):
        return found
    named = [n for n in found.names if n != MISSING]
    if named and all(map(is_number, named)):
        return parsed(found, name)
    return found if len(named) <= MOST else None
