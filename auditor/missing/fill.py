"""What is put in the place of a missing value: one value a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.registry import Context
from auditor.tables.file_units import decoded, encoded, said

__all__ = ["Fill", "How", "fill_of", "filled"]

How = Literal["median", "mean"]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Values = np.ndarray[Any, np.dtype[np.float64]]
MOST = 10_000  # rows that it is made of


@dataclass(frozen=True)
class Fill:
    """An input vector (F,) of the values that stand in for missing ones.

    `shown` says for each column what that is, in units of the file; `made_of` what it was taken from.
    """

    x: Tensor
    shown: tuple[str, ...]
    made_of: str


def fill_of(ctx: Context, columns: Sequence[Column], how: How) -> Fill:
    """The median (or mean) of each number and the commonest value of each category and flag.

    Of at most 10,000 rows of the reference data, else of the audited data. Whole where the audit file says so. Without
    any value there: the mean that the audit file gives, 0, or none of the category's values.
    """
    data = (ctx.reference or ctx.data).take(MOST, ctx.seed)
    rows = np.concatenate([decoded(b.x, columns) for b in data.batches(ctx.batch_size)])
    values = np.array([_typical(rows[:, i], c, how) for i, c in enumerate(columns)])[None]
    first = data.read(np.zeros(1, np.int64))
    x = encoded(values, np.full_like(values, np.nan), first, columns)[0]
    shown = tuple(said(v, c) for v, c in zip(values[0], columns, strict=True))
    return Fill(x, shown, f"{len(data):,} {'audited' if ctx.reference is None else 'reference'} rows")


def filled(x: Tensor, missing: Mask, columns: Sequence[Column], fill: Tensor) -> Tensor:
    """`x` (N, F) with `fill` (F,) in the place of values that are `missing` (N, columns), or (columns,) in all rows."""
    widths = torch.tensor([c.stop - c.start for c in columns])
    return torch.where(torch.from_numpy(missing).repeat_interleave(widths, -1), fill, x)


def _typical(values: Values, column: Column, how: How) -> float:
    known = values[np.isfinite(values)]
    if column.kind == "category":
        known = known[known < len(column.values)]  # beyond stands none of its values
    if not len(known):
        return column.mean if column.kind == "number" else float(len(column.values))
    if column.kind != "number":
        found, times = np.unique(known, return_counts=True)
        return float(found[times.argmax()])
    middle = float(np.median(known) if how == "median" else known.mean())
    return float(np.round(middle)) if column.integer else middle
