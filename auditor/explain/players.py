"""A table's columns as players: one a column of the file, however many elements of the input vector it fills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.tables.raw import Raw, to_raw

__all__ = ["alike", "correlations", "mixed", "per_column"]

ROUNDING = 1e-9  # of a correlation, so that 1 is not beyond 1


def per_column(shares: Tensor, columns: Sequence[Column]) -> Tensor:
    """(N, columns): shares (N, F) of the input elements added up over each column's."""
    return torch.stack([shares[:, c.start : c.stop].sum(1) for c in columns], 1)


def mixed(x: Tensor, background: Tensor, present: np.ndarray[Any, Any], columns: Sequence[Column]) -> Tensor:
    """(k, b, F): for each row of `present` (k, columns) the vector x (F,), absent columns from each background row."""
    wide = np.zeros((len(present), len(x)), np.bool_)
    for i, c in enumerate(columns):
        wide[:, c.start : c.stop] = np.asarray(present, np.bool_)[:, i : i + 1]
    return torch.where(torch.from_numpy(wide)[:, None], x, background)


def correlations(rows: Tensor, columns: Sequence[Column]) -> Raw:
    """(columns, columns) the sizes of the rank correlations between columns in `rows` (N, F).

    0 for constant columns and for categories, which have no order.
    """
    from scipy.stats import rankdata

    ranks = rankdata(to_raw(rows, columns), axis=0)
    ranks -= ranks.mean(0)
    size = np.sqrt((ranks**2).sum(0))
    ranks /= np.where(size > 0, size, 1)
    found = np.abs(ranks.T @ ranks)
    apart = np.array([c.kind == "category" for c in columns])
    found[apart] = found[:, apart] = 0.0
    return np.asarray(found)


def alike(rows: Tensor, columns: Sequence[Column], above: float) -> list[list[int]]:
    """Groups of columns, in their order, that move together in `rows` (N, F).

    Numbers and flags are of one group where the size of their rank correlation is beyond `above`, or where others join
    them; from 1 on every column is alone, as constant columns and categories always are.
    """
    together = correlations(rows, columns) > above + ROUNDING
    of_group = np.arange(len(columns))
    for i, j in zip(*np.nonzero(np.triu(together, 1)), strict=True):
        of_group[of_group == of_group[j]] = of_group[i]
    return [np.flatnonzero(of_group == g).tolist() for g in dict.fromkeys(of_group.tolist())]
