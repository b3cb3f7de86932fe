"""Partial dependence (Friedman 2001) with the curves of single rows behind it (ICE, Goldstein et al. 2015)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from auditor.columns import Column
from auditor.explain.batched import Floats, Run, in_batches
from auditor.tables.raw import from_raw, to_raw

__all__ = ["Grid", "grid_of", "ice_curves", "shown_values", "steps_of"]


@dataclass(frozen=True)
class Grid:
    """The values of a column at which curves are drawn.

    `raw` (G,) as `to_raw` gives them, rising; `parts` (G, w) the same as elements of the input vector; `shares` (G,)
    of the rows at each, adding up to 1; a row between two counts for both, the more the nearer.
    """

    raw: Floats
    parts: Tensor
    shares: Floats


def grid_of(x: Tensor, column: Column, points: int) -> Grid:
    """At most `points` values that occur in rows (N, F): quantiles of a number, the commonest values of others."""
    values = to_raw(x, (column,))[:, 0]
    own, counts = np.unique(values, return_counts=True)
    if column.kind == "number" and len(own) > points:
        spread = _quantiles(values, points)
        own = spread if 2 * len(spread) > points else _quantiles(own, points)  # nearly all rows have the same value
        place = np.interp(values, own, np.arange(len(own)))
        counts = np.maximum(1 - np.abs(place[:, None] - np.arange(len(own))), 0).sum(0)
    elif len(own) > points:
        kept = np.sort(np.argsort(-counts, kind="stable")[:points])
        own, counts = own[kept], counts[kept]
    alone = replace(column, start=0, stop=column.stop - column.start)
    return Grid(own, from_raw(own[:, None], (alone,)), counts / counts.sum())


def _quantiles(values: Floats, points: int) -> Floats:
    found: Floats = np.unique(np.quantile(values, np.linspace(0, 1, points), method="inverted_cdf"))
    return found


def shown_values(column: Column, grid: Grid) -> list[str | float]:
    """The values of a grid as they stood in the file: numbers but for a category."""
    alone = replace(column, start=0, stop=column.stop - column.start)
    shown = [alone.shown(part) for part in grid.parts.tolist()]
    return list(shown) if column.kind == "category" else [float(v) for v in shown]


def ice_curves(run: Run, x: Tensor, columns: Sequence[Column], grids: Sequence[Grid], size: int) -> Iterator[Floats]:
    """For each of `columns` what `run` gives (N, G) of every row with each value of the column's grid in place of its.

    Their mean over the rows is the partial dependence (G,).
    """

    def pieces() -> Iterator[Tensor]:
        for c, grid in zip(columns, grids, strict=True):
            for part in grid.parts:
                put = x.clone()
                put[:, c.start : c.stop] = part
                yield put

    found = in_batches(run, pieces(), size)
    for grid in grids:
        yield np.stack([next(found) for _ in grid.raw], 1)


def steps_of(ice: Floats, tolerance: float) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], ...]:
    """(N,) whether each curve (N, G) somewhere rises by more than `tolerance`, and whether it somewhere falls so.

    Small steps one after the other add up: counted from the lowest point so far, and from the highest.
    """
    rises = (ice - np.minimum.accumulate(ice, 1)).max(1) > tolerance
    falls = (np.maximum.accumulate(ice, 1) - ice).max(1) > tolerance
    return rises, falls
