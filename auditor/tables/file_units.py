"""Rows of a table in the units of their file: one number a column, as it stood there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.tables.raw import to_raw

__all__ = ["Rows", "decoded", "encoded", "said"]

Rows = np.ndarray[Any, np.dtype[np.float64]]
RESOLUTION = 1e-6  # of a standard deviation: finer differences are those of float32


def decoded(x: Tensor, columns: Sequence[Column]) -> Rows:
    """(N, columns) values of input vectors (N, F); a category's is the index of its value, their count where it has
    none.

    Numbers are rounded as far as that gives the very same input: 41,000 and not 40,999.9987.
    """
    raw = to_raw(x, columns)
    mean, std = _scale(columns)
    plain = raw * std + mean
    decimals = -np.ceil(np.log10(std * RESOLUTION))
    up, down = 10.0 ** np.maximum(decimals, 0), 10.0 ** np.maximum(-decimals, 0)
    near = np.round(plain / down * up) / up * down
    same = ((near - mean) / std).astype(np.float32) == raw.astype(np.float32)
    return np.asarray(np.where(same, near, plain) + 0.0)  # no -0


def encoded(rows: Rows, own: Rows, x: Tensor, columns: Sequence[Column]) -> Tensor:
    """(N, F) input vectors of `rows` (N, columns); a column that is as in `own` keeps its elements of `x` (N, F)."""
    mean, std = _scale(columns)
    fresh = x.clone()
    plain = [i for i, c in enumerate(columns) if c.kind != "category"]
    if plain:
        fresh[:, [columns[i].start for i in plain]] = torch.from_numpy(((rows - mean) / std)[:, plain]).to(x.dtype)
    for i, c in enumerate(columns):
        if c.kind == "category":
            fresh[:, c.start : c.stop] = (torch.from_numpy(rows[:, i : i + 1]) == torch.arange(len(c.values))).to(
                x.dtype
            )
    widths = torch.tensor([c.stop - c.start for c in columns])
    return torch.where(torch.from_numpy(rows != own).repeat_interleave(widths, 1), fresh, x)


def said(value: float, column: Column) -> str:
    """One value of a column, as it could stand in the file."""
    if column.kind == "category":
        return column.values[int(value)] if value < len(column.values) else "(none of the values)"
    return f"{value:.7g}" if abs(value) < 1e7 else f"{value:.0f}"


def _scale(columns: Sequence[Column]) -> tuple[Rows, Rows]:
    numbers = [c.kind == "number" for c in columns]
    mean = [c.mean if number else 0.0 for c, number in zip(columns, numbers, strict=True)]
    std = [c.std if number else 1.0 for c, number in zip(columns, numbers, strict=True)]
    return np.array(mean), np.array(std)
