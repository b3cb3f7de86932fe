"""The exponentiated gradient reduction by fairlearn, on vectors: a mixture of linear layers, and what it reaches."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.integers import Integers
from auditor.training.groups import NOWHERE, Flags
from auditor.training.head import Vectors

__all__ = ["Mixture", "Rows", "reduced"]

SMALLEST = 10  # rows of a group below which its rate is not compared


@dataclass(frozen=True, slots=True)
class Rows:
    """N rows: `features` (N, D), whether they are `truly` favourable, their `groups`, and the rows they are `among`.

    The last two are codes: groups are compared among rows of one code, and not where it is NOWHERE.
    """

    features: Vectors
    truly: Flags
    groups: Integers
    among: Integers

    def at(self, rows: Integers) -> Rows:
        """The rows at these positions."""
        return Rows(self.features[rows], self.truly[rows], self.groups[rows], self.among[rows])

    def figures(self, rate: Vectors) -> tuple[float | None, float]:
        """The largest gap and the accuracy of answers that are favourable at a `rate` (N,), each from 0 to 1.

        The gap is of two groups with at least SMALLEST rows that are compared with each other; None without any.
        """
        gaps = []
        for kind in np.unique(self.among[self.among != NOWHERE]):
            codes, of = self.groups[self.among == kind], rate[self.among == kind]
            sizes = np.bincount(codes)
            levels = np.bincount(codes, of)[sizes >= SMALLEST] / sizes[sizes >= SMALLEST]
            gaps += [float(np.ptp(levels))] if len(levels) > 1 else []
        return max(gaps, default=None), float(np.where(self.truly, rate, 1 - rate).mean())


@dataclass(frozen=True, slots=True)
class Mixture:
    """Linear layers: weights (T, D) and biases (T,) of log-odds, the `shares` (T,) in which they are drawn.

    `unsolved` says that the reduction had not converged; else "".
    """

    weights: Vectors
    biases: Vectors
    shares: Vectors
    unsolved: str = ""

    @property
    def mean(self) -> tuple[Vectors, float]:
        """One layer: the mean of all by their shares."""
        return self.shares @ self.weights, float(self.shares @ self.biases)

    def rate(self, features: Vectors) -> Vectors:
        """(N,) how often the answer is favourable where the layer is drawn anew every time."""
        return np.asarray((features @ self.weights.T + self.biases > 0) @ self.shares)


def reduced(rows: Rows, bound: float, iterations: int, *, with_bias: bool) -> Mixture:
    """What ExponentiatedGradient makes of logistic regression: no group's rate off that of all by more than `bound`."""
    import pandas as pd
    from fairlearn.reductions import ExponentiatedGradient, UtilityParity
    from sklearn.linear_model import LogisticRegression

    scale = np.sqrt(np.square(rows.features).mean(0))
    scale[scale == 0] = 1.0  # what is 0 in every row stays without a weight
    found = ExponentiatedGradient(
        LogisticRegression(fit_intercept=with_bias, max_iter=1000), UtilityParity(difference_bound=bound),
        max_iter=iterations,
    )  # fmt: skip
    events = pd.Series(rows.among.astype(float)).where(rows.among != NOWHERE)  # NaN: under no constraint
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, and of single regressions that were stopped
        found.fit(
            rows.features / scale, pd.Series(rows.truly.astype(int)), sensitive_features=pd.Series(rows.groups),
            event=events,
        )  # fmt: skip
    shares = found.weights_[found.weights_ > 0]
    layers = [_layer(found.predictors_[i], len(scale), len(rows.truly)) for i in shares.index]
    unsolved = "" if found.best_gap_ <= found.nu else f"a duality gap of {found.best_gap_:.2g} for {found.nu:.2g}"
    return Mixture(
        np.stack([weights for weights, _ in layers]) / scale, np.array([bias for _, bias in layers]),
        shares.to_numpy() / shares.sum(), unsolved,
    )  # fmt: skip


def _layer(predictor: Any, width: int, n: int) -> tuple[Vectors, float]:
    """Weights (D,) and bias of a logistic regression; one that always says the same has the log-odds n to 1 of that."""
    if hasattr(predictor, "coef_"):
        return predictor.coef_[0], float(np.ravel(predictor.intercept_)[0])
    favourable = bool(predictor.predict(np.zeros((1, width)))[0])
    return np.zeros(width), math.log(n) if favourable else -math.log(n)
