"""How well inputs tell the groups of their rows: by all columns together, by one alone, by a model's last vector."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from auditor.columns import Column
from auditor.fairness.crossfit import Values, crossfitted
from auditor.integers import Integers
from auditor.tables.raw import to_raw

__all__ = ["by_columns", "by_vectors", "cramers_v", "values_of"]

MOST_FOR_TREES = 200  # columns: beyond, trees take minutes and a linear model seconds
TREES, LEAVES, LARGEST_LEAF = 50, 15, 20
MOST_CATEGORIES = 255  # that scikit-learn's trees take as such; more are read as numbers
WEIGHT = 0.1  # of the data against the prior of the linear model
RANGES = 20
LARGEST = 1e30


def by_columns(x: Tensor, columns: Sequence[Column], codes: Integers, folds: Integers, seed: int) -> Values:
    """(N, groups) the probability of each group by the `columns` of x (N, F), for rows of folds that were not learnt.

    The mean of two models: gradient boosting of small trees, which finds what columns say only together, and the line
    of `by_vectors`, which needs fewer rows. Of more than 200 columns the line alone.
    """
    elements = np.concatenate([np.arange(c.start, c.stop) for c in columns])
    line = by_vectors(x[:, elements].double().numpy(), codes, folds)
    return line if len(columns) > MOST_FOR_TREES else (line + _by_trees(x, columns, codes, folds, seed)) / 2


def _by_trees(x: Tensor, columns: Sequence[Column], codes: Integers, folds: Integers, seed: int) -> Values:
    from sklearn.ensemble import HistGradientBoostingClassifier

    raw = to_raw(x, columns).clip(-LARGEST, LARGEST)
    named = np.zeros(len(columns), np.bool_)
    for i, c in enumerate(columns):
        if c.kind != "number":
            distinct, places = np.unique(raw[:, i], return_inverse=True)
            raw[:, i], named[i] = places, len(distinct) <= MOST_CATEGORIES
    for i in range(len(columns)):
        if len(np.unique(folds[~np.isnan(raw[:, i])])) < 2:  # some models would learn from nothing, which trees refuse
            raw[:, i] = np.nan_to_num(raw[:, i])
    leaf = min(LARGEST_LEAF, max(1, len(raw) // (2 * LARGEST_LEAF)))

    def trees() -> HistGradientBoostingClassifier:
        return HistGradientBoostingClassifier(
            max_iter=TREES, max_leaf_nodes=LEAVES, min_samples_leaf=leaf, early_stopping=False,
            categorical_features=named, random_state=seed % 2**31,
        )  # fmt: skip

    return crossfitted(trees, raw, codes, folds)


def by_vectors(x: Values, codes: Integers, folds: Integers) -> Values:
    """As `by_columns` for vectors (N, D), by logistic regression: a linear probe (Alain & Bengio 2016,
    arXiv:1610.01644). NaN counts as the mean.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import StandardScaler

    def probe() -> Pipeline:
        line = LogisticRegression(C=WEIGHT, max_iter=200)
        return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), line)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it need not be the best of all lines
        return crossfitted(probe, x.clip(-LARGEST, LARGEST), codes, folds)


def values_of(x: Tensor, column: Column) -> Integers:
    """(N,) the place of each row's value among those of the column; a number's range, of 20 with as many rows each.

    NaN is a value of its own.
    """
    raw = to_raw(x, [column])[:, 0]
    if column.kind == "number" and (known := raw[~np.isnan(raw)]).size:
        edges = np.unique(np.quantile(known, np.arange(1, RANGES) / RANGES, method="lower"))
        raw = np.where(np.isnan(raw), len(edges) + 1.0, np.searchsorted(edges, raw, side="left"))
    return np.asarray(np.unique(raw, return_inverse=True)[1].reshape(-1), np.int64)


def cramers_v(values: Integers, codes: Integers) -> float | None:
    """How closely values (N,) go with groups (N,): 0 not at all, 1 each tells the other; None where one does not vary.

    Cramer's V less what chance makes of it: Bergsma 2013, J. Korean Stat. Soc. 42:323, equation 4.
    """
    n, shape = len(codes), (int(values.max()) + 1, int(codes.max()) + 1)
    table = np.bincount(values * shape[1] + codes, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    table = table[table.sum(1) > 0][:, table.sum(0) > 0]
    expected = table.sum(1, keepdims=True) * table.sum(0) / n
    r, k = table.shape
    sides = [side - (side - 1) ** 2 / (n - 1) - 1 for side in (r, k)] if n > 1 else [0.0]
    if min(sides) <= 0:
        return None
    chance = (r - 1) * (k - 1) / (n - 1)
    excess = float(((table - expected) ** 2 / expected).sum()) / n - chance
    return min(1.0, math.sqrt(max(0.0, excess) / min(sides)))
