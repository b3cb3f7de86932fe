"""Accumulated local effects of a number (Apley & Zhu 2020, JRSS-B 82:1059, arXiv:1612.08468), first order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.explain.batched import Floats, Run, in_batches

__all__ = ["ale_curves"]


def ale_curves(run: Run, x: Tensor, columns: Sequence[Column], edges: Sequence[Floats], size: int) -> Iterator[Floats]:
    """For each of `columns` the effect (G,) at each of its `edges` (G,), which rise; 0 on average over rows (N, F).

    Each row is moved between the ends of the interval that it lies in and nowhere else, so that columns that go with
    this one stay possible beside it: equation 15 of the paper. Between the edges it is joined by lines, over which the
    mean is taken. [0.] for a column with one edge.
    """

    def pieces() -> Iterator[Tensor]:
        for c, ends in zip(columns, edges, strict=True):
            within = _intervals(x, c, ends)
            for side in (within, within + 1) if len(ends) > 1 else ():
                put = x.clone()
                put[:, c.start] = torch.from_numpy(ends[side]).to(x.dtype)
                yield put

    found = in_batches(run, pieces(), size)
    for c, ends in zip(columns, edges, strict=True):
        if len(ends) == 1:
            yield np.zeros(1)
            continue
        low, high = next(found), next(found)
        effects = _accumulated(high - low, _intervals(x, c, ends), len(ends) - 1)
        yield effects - np.interp(x[:, c.start].double().numpy(), ends, effects).mean()


def _intervals(x: Tensor, column: Column, edges: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(N,) which interval each row lies in; a row on an edge lies below it, on the first one above it."""
    values = x[:, column.start].double().numpy()
    return np.clip(np.searchsorted(edges, values) - 1, 0, max(0, len(edges) - 2))


def _accumulated(differences: Floats, within: np.ndarray[tuple[int], np.dtype[np.int64]], intervals: int) -> Floats:
    counts = np.bincount(within, minlength=intervals)
    sums = np.bincount(within, weights=differences, minlength=intervals)
    return np.append(0.0, np.cumsum(sums / np.maximum(counts, 1)))
