"""Which columns of a table move together, and which of its rows are alike in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from auditor.explain.batched import Floats
from auditor.explain.players import to_raw
from auditor.subject import Column, Integers

__all__ = ["close_pairs", "correlations", "groups_alike", "standard_ranks"]

MOST_BESIDE = 10  # columns that a column is predicted from
SMALLEST_GROUP = 10
RARE = 0.05  # a value of fewer rows agrees with others by chance


def standard_ranks(x: Tensor, columns: Sequence[Column]) -> Floats:
    """(N, F) ranks of the elements of rows (N, F), less their mean and of length 1, so that products are correlations.

    0 for an element that is the same in all rows, and for a category's value in fewer than 5 % of them.
    """
    from scipy.stats import rankdata

    found: Floats = rankdata(x.double().numpy(), axis=0)
    found -= found.mean(0)
    length = np.linalg.norm(found, axis=0)
    on = x.double().mean(0).numpy()
    for c in columns:
        if c.kind == "category":
            length[c.start : c.stop][np.minimum(on, 1 - on)[c.start : c.stop] < RARE] = 0
    return np.where(length > 0, found / np.where(length > 0, length, 1), 0)


def correlations(ranks: Floats, columns: Sequence[Column], i: int) -> Floats:
    """(columns,) the largest |rank correlation| of an element of column `i` with one of each; 0 with itself."""
    c = columns[i]
    elements = np.abs(ranks[:, c.start : c.stop].T @ ranks).max(0)
    found = np.array([elements[other.start : other.stop].max() for other in columns])
    found[i] = 0
    return found


def close_pairs(ranks: Floats, columns: Sequence[Column], above: float) -> list[tuple[int, int, float]]:
    """Pairs of columns (i < j) whose |rank correlation| is over `above`, with it, closest first."""
    found = []
    for i in range(len(columns)):
        r = correlations(ranks, columns, i)
        found += [(i, int(j), float(r[j])) for j in np.flatnonzero(r > above) if j > i]
    return sorted(found, key=lambda pair: -pair[2])


def groups_alike(x: Tensor, columns: Sequence[Column], i: int, ranks: Floats, seed: int) -> Integers:
    """(N,) the group of each row: the leaves of a tree that predicts column `i` from the columns that go with it.

    Within a group the others say next to nothing of the column any more, so that its values can be exchanged there
    without making rows that cannot exist (Molnar et al. 2023, arXiv:2006.04628, cs-PFI). One group where
    no other column goes with it.
    """
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    beside = correlations(ranks, columns, i)
    chosen = np.argsort(-beside, kind="stable")[:MOST_BESIDE]
    chosen = chosen[beside[chosen] > max(0.1, 2 / math.sqrt(len(x)))]  # two standard errors of no correlation
    if not len(chosen):
        return np.zeros(len(x), np.int64)
    given = np.concatenate([x[:, columns[j].start : columns[j].stop].numpy() for j in chosen], 1)
    shape: dict[str, Any] = {"min_samples_leaf": min(SMALLEST_GROUP, max(1, len(x) // 4)), "random_state": seed}
    if columns[i].kind == "category":
        tree = DecisionTreeClassifier(**shape).fit(given, to_raw(x, columns[i : i + 1])[:, 0])
    else:
        tree = DecisionTreeRegressor(**shape).fit(given, ranks[:, columns[i].start])
    return np.asarray(tree.apply(given), np.int64)
