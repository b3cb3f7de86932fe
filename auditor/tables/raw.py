"""Input vectors of a table as one number a column, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column

__all__ = ["Raw", "from_raw", "to_raw"]

Raw = np.ndarray[Any, np.dtype[np.float64]]


def to_raw(x: Tensor, columns: Sequence[Column]) -> Raw:
    """(N, columns) one number a column: a category's is the index of its value, their count where it has none."""
    parts = [_raw_column(x[:, c.start : c.stop], c) for c in columns]
    return torch.stack(parts, 1).double().numpy()


def _raw_column(part: Tensor, column: Column) -> Tensor:
    if column.kind != "category":
        return part[:, 0]
    return torch.where(part.amax(1) > 0.5, part.argmax(1), len(column.values)).to(part.dtype)


def from_raw(raw: Raw, columns: Sequence[Column]) -> Tensor:
    """(N, F) input vectors that `to_raw` came from."""
    parts = []
    for i, c in enumerate(columns):
        values = torch.from_numpy(raw[:, i])
        if c.kind == "category":
            parts.append((values.round().long()[:, None] == torch.arange(len(c.values))).float())
        else:
            parts.append(values[:, None].float())
    return torch.cat(parts, 1)
