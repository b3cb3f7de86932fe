"""Which columns of a table move together, and which of its rows are alike in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from auditor.columns import Column
from auditor.explain.batched import Floats
from auditor.integers import Integers
from auditor.tables.raw import to_raw

__all__ = ["Ranks", "close_pairs", "groups_alike"]

MOST_BESIDE = 10  # columns that a column is predicted from
SMALLEST_GROUP = 10
RARE = 0.05  # a value of fewer rows agrees with others by chance


@dataclass(frozen=True)
class Ranks:
    """Rows as ranks, by which columns are compared.

    `elements` (N, F) are the ranks of the input elements, less their mean and of length 1, so that products are rank
    correlations; 0 for an element that is the same in all rows, and for a category's value in fewer than 5 % of them.
    `basis` (N, F) is the same but for categories: their values as they are, of length 1.
    """

    columns: Sequence[Column]
    elements: Floats
    basis: Floats

    @classmethod
    def of(cls, x: Tensor, columns: Sequence[Column]) -> Ranks:
        """The ranks of rows (N, F)."""
        from scipy.stats import rankdata

        given = x.double().numpy()
        found = rankdata(given, axis=0)
        found -= found.mean(0)
        elements = _of_length_one(found)
        basis, share = elements.copy(), given.mean(0)
        for c in columns:
            if c.kind == "category":
                own = slice(c.start, c.stop)
                basis[:, own] = _of_length_one(given[:, own])
                elements[:, own] *= np.minimum(share, 1 - share)[own] >= RARE
        return cls(columns, elements, basis)

    def correlations(self, i: int) -> Floats:
        """(columns,) how closely each goes with column `i`: |rank correlation|, from 0 to 1; 0 with itself.

        Of a category it is the correlation ratio (eta): the root of the share of the other's spread that its values
        explain. The larger of both ways.
        """
        own = slice(self.columns[i].start, self.columns[i].stop)
        ahead = np.square(self.basis[:, own].T @ self.elements).sum(0)
        back = np.square(self.basis.T @ self.elements[:, own])
        every = np.concatenate([np.arange(c.start, c.stop) for c in self.columns])
        first = np.cumsum([0, *(c.stop - c.start for c in self.columns[:-1])])
        found = np.maximum(np.maximum.reduceat(ahead[every], first), np.add.reduceat(back[every], first).max(1))
        found[i] = 0
        return np.asarray(np.sqrt(found))


def _of_length_one(columns: Floats) -> Floats:
    length = np.linalg.norm(columns, axis=0)
    return np.asarray(np.divide(columns, length, out=np.zeros_like(columns), where=length > 0))


def close_pairs(ranks: Ranks, above: float) -> list[tuple[int, int, float]]:
    """Pairs of columns (i < j) that go together more closely than `above`, with how closely, closest first."""
    found = []
    for i in range(len(ranks.columns)):
        r = ranks.correlations(i)
        found += [(i, int(j), float(r[j])) for j in np.flatnonzero(r > above) if j > i]
    return sorted(found, key=lambda pair: -pair[2])


def groups_alike(x: Tensor, ranks: Ranks, i: int, seed: int) -> Integers:
    """(N,) the group of each row: the leaves of a tree that predicts column `i` from the columns that go with it.

    Within a group the others say next to nothing of the column any more, so that its values can be exchanged there
    without making rows that cannot exist (Molnar et al. 2023, arXiv:2006.04628, cs-PFI). One group where
    no other column goes with it.
    """
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    columns, beside = ranks.columns, ranks.correlations(i)
    chosen = np.argsort(-beside, kind="stable")[:MOST_BESIDE]
    chosen = chosen[beside[chosen] > max(0.1, 2 / math.sqrt(len(x)))]  # two standard errors of no correlation
    if not len(chosen):
        return np.zeros(len(x), np.int64)
    given = np.concatenate([x[:, columns[j].start : columns[j].stop].numpy() for j in chosen], 1)
    shape: dict[str, Any] = {"min_samples_leaf": min(SMALLEST_GROUP, max(1, len(x) // 4)), "random_state": seed}
    if columns[i].kind == "category":
        tree = DecisionTreeClassifier(**shape).fit(given, to_raw(x, columns[i : i + 1])[:, 0])
    else:
        tree = DecisionTreeRegressor(**shape).fit(given, ranks.elements[:, columns[i].start])
    return np.asarray(tree.apply(given), np.int64)
