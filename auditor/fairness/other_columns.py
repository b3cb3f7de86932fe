"""The other columns of a table of predictions as inputs, for checks that ask what goes with a group or who is alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from auditor.columns import Column, Labels, Others
from auditor.errors import NotApplicable
from auditor.registry import Context

__all__ = ["with_other_columns"]

Part = tuple[Column, np.ndarray[tuple[int, int], np.dtype[np.float32]]]


def with_other_columns(ctx: Context) -> Context:
    """The same audit of predictions whose inputs (N, F) are the other columns of their table.

    Text is a category; a missing number is the median of its column, beside a flag that it is missing. NotApplicable
    where the table has no other column that can be read so.
    """
    others = ctx.data.others() if ctx.data.others is not None else {}
    parts = [part for name, column in others.items() for part in _parts(name, column)]
    if not parts:
        msg = "the audit has predictions only, and their table has no other columns"
        raise NotApplicable(msg)
    columns, start = [], 0
    for column, values in parts:
        columns.append(replace(column, start=start, stop=start + values.shape[1]))
        start += values.shape[1]
    x = torch.from_numpy(np.concatenate([values for _, values in parts], 1))
    data = replace(ctx.data, read=lambda rows: x[torch.from_numpy(rows.astype(np.int64))], columns=tuple(columns))
    return replace(ctx, data=data)


def _parts(name: str, column: Others) -> Iterator[Part]:
    """The columns of the inputs that a column of the file becomes, each with its values (N, k)."""
    if isinstance(column, Labels):
        if len(column.names) < 2:
            return
        shown = np.eye(len(column.names), dtype=np.float32)[column.codes]
        yield Column(name, 0, 0, kind="category", values=column.names), shown
        return
    missing = np.isnan(column)
    if missing.all():
        return
    filled = np.where(missing, np.median(column[~missing]), column)
    yield Column(name, 0, 0), filled.astype(np.float32)[:, None]
    if missing.any():
        yield Column(f"{name} missing", 0, 0, kind="flag"), missing.astype(np.float32)[:, None]
