"""Which rows of a table are alike: distances in each column's standard deviations, and the nearest rows by them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from auditor.columns import Column
from auditor.integers import Integers
from auditor.types import Measure

__all__ = ["Places", "Values", "in_deviations", "nearest", "steepness"]

Values = np.ndarray[Any, np.dtype[np.float64]]
Places = np.ndarray[Any, np.dtype[np.int64]]
AT_ONCE = 2**22  # distances
ROUNDING = 1e-6  # of probabilities in float32
MOST_OF_PAIRS = 0.95
SAME = "rows that are the same in all that counts are answered differently"


def in_deviations(x: Tensor, columns: Sequence[Column], left_out: Collection[str] = ()) -> Values:
    """(N, D) rows x (N, F), each column in its standard deviations; without those `left_out`, and those that are still.

    A category's is the root of the variance of its elements together, so that two rows drawn at random lie as far apart
    in it as in a number: their squared distance is 2 on average.
    """
    parts = []
    for c in columns:
        part = x[:, c.start : c.stop].double().numpy()
        spread = float(part.var(0).sum())
        if c.name not in left_out and spread > 0:
            parts.append((part - part.mean(0)) / np.sqrt(spread))
    return np.concatenate(parts, 1) if parts else np.empty((len(x), 0))


def nearest(rows: Values, pool: Values, k: int, own: Integers) -> tuple[Places, Values]:
    """(n, k) places in `pool` (m, D) of the rows nearest to each of `rows` (n, D), nearest first, and their distances.

    `own` (n,) is each row's own place in the pool, which is none of its neighbours; -1 where it is not there. There are
    more than k in the pool. Of rows as near as each other any is taken: put the pool in random order.
    """
    found = np.empty((len(rows), k), np.int64)
    squares, step = (pool**2).sum(1), max(1, AT_ONCE // len(pool))
    for start in range(0, len(rows), step):
        part, place = rows[start : start + step], own[start : start + step]
        away = squares - 2 * part @ pool.T
        away[np.flatnonzero(place >= 0), place[place >= 0]] = np.inf
        found[start : start + step] = np.argpartition(away, k - 1, 1)[:, :k]
    # once more and exactly: what is above leaves rounding where rows are the same
    distance = np.stack([np.sqrt(((rows - pool[found[:, j]]) ** 2).sum(1)) for j in range(k)], 1)
    order = np.argsort(distance, 1, kind="stable")
    return np.take_along_axis(found, order, 1), np.take_along_axis(distance, order, 1)


def steepness(probabilities: Any, near: Places, distances: Values) -> tuple[list[Measure], list[str]]:
    """How much probabilities (N, C) differ between rows and those `near` (N, k), over their `distances`; and a caveat.

    The difference is the total variation, from 0 to 1. None where it is over nothing: rows that are the same in all
    that counts, and not in what the model gives for them.
    """
    p = np.asarray(probabilities, np.float64)
    apart = np.stack([np.abs(p - p[near[:, j]]).sum(1) / 2 for j in range(near.shape[1])], 1)
    apart[apart <= ROUNDING] = 0
    nowhere = (distances == 0) & (apart > 0)
    ratios = np.sort(np.divide(apart, distances, out=np.where(nowhere, np.inf, 0.0), where=distances > 0), axis=None)
    found = {"lipschitz_95": ratios[math.ceil(MOST_OF_PAIRS * len(ratios)) - 1], "lipschitz_largest": ratios[-1]}
    measures = [
        Measure(name, "", float(v) if np.isfinite(v) else None, len(p), better="lower", why=SAME)
        for name, v in found.items()
    ]
    if not nowhere.any():
        return measures, []
    said = f"{int(nowhere.any(1).sum()):,} rows have a neighbour that is the same in all that counts here"
    return measures, [f"{said}, and get probabilities that differ by up to {float(apart[nowhere].max()):.2g}."]
