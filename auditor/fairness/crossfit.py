"""Scores that were learnt on other folds of the same rows, and how well they tell a group from the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from auditor.integers import Integers
from auditor.intervals import mann_whitney
from auditor.types import Measure

__all__ = ["FOLDS", "Values", "area_of_folds", "crossfitted", "folds_of", "rates"]

Values = np.ndarray[Any, np.dtype[np.float64]]
FOLDS = 5
PRIOR = 10  # rows like all others that stand beside those of a value, so that rare values say little
SHARED = 2  # how much larger the variance of the mean over folds is than that of an area of as many rows


def folds_of(codes: Integers, seed: int) -> Integers:
    """(N,) which of the folds each row is of; every group of `codes` (N,) is spread over all of them."""
    random, found = np.random.default_rng(seed), np.empty(len(codes), np.int64)
    order = random.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    found[order] = np.arange(len(codes)) % FOLDS
    return found


def crossfitted(make: Callable[[], Any], x: Values, codes: Integers, folds: Integers) -> Values:
    """(N, groups) the probability of each group for each row, by a model that did not learn from the row's fold."""
    found = np.zeros((len(x), int(codes.max()) + 1))
    for fold in range(FOLDS):
        held = folds == fold
        model = make().fit(x[~held], codes[~held])
        found[np.ix_(held, model.classes_)] = model.predict_proba(x[held])
    return found


def rates(values: Integers, codes: Integers, folds: Integers) -> Values:
    """(N, groups) how often each group stands at the row's value in the other folds, drawn to its share of all rows.

    `values` (N,) are the places of the rows' values among all that occur.
    """
    shape = (FOLDS, int(values.max()) + 1, int(codes.max()) + 1)
    cell = (folds * shape[1] + values) * shape[2] + codes
    own = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
    others = own.sum(0) - own
    whole = others.sum(1, keepdims=True)
    share = whole / whole.sum(2, keepdims=True)
    found = (others + PRIOR * share) / (others.sum(2, keepdims=True) + PRIOR)
    return np.asarray(found[folds, values])


def area_of_folds(name: str, scores: Values, inside: Any, folds: Integers, *, slice: str) -> Measure:  # noqa: A002
    """Measure of the area under the ROC curve of scores (N,) for the rows `inside` (N,): the mean over the folds.

    .5 tells nothing, 1 everything; a fold counts by its pairs. Its interval is that of half of the rows: folds learn
    from each other's rows, so that by chance their areas rise and fall together, and their mean has twice the variance
    of one area (with K folds two of them correlate by 1 / (K - 1) where there is nothing to learn; compare Bengio &
    Grandvalet 2004, JMLR 5:1089). Rows of different folds are never compared: where there is nothing to learn, such
    pairs are in the wrong order more often than not (Airola et al. 2011, Comput. Stat. Data Anal. 55:1828).
    """
    from scipy.stats import rankdata

    wins = pairs = 0.0
    for fold in range(FOLDS):
        held = folds == fold
        n, m = int(inside[held].sum()), int((~inside[held]).sum())
        above = rankdata(scores[held])[inside[held]].sum() - n * (n + 1) / 2
        wins, pairs = wins + float(above), pairs + n * m
    if not pairs:
        return Measure(name, slice, None, len(scores), better="lower", why="no fold has rows of both kinds")
    n, m = int(inside.sum()), int((~inside).sum())
    counts = (wins / pairs * n / SHARED, n / SHARED, m / SHARED)
    i = mann_whitney(*counts)
    return Measure(name, slice, i.value, n + m, i.low, i.high, "mann-whitney", counts, "lower")
