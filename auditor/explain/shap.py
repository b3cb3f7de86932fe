"""KernelSHAP (Lundberg & Lee 2017, arXiv:1705.07874) over players, run twice so that its error can be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Shapley", "kernel_shap"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Value = Callable[[np.ndarray[Any, Any]], Floats]


@dataclass(frozen=True)
class Shapley:
    """Shapley values (players,) of one prediction: the mean of two runs with half the budget each.

    `base` is the value with no player, `value` with all; `values` sum to their difference by construction. `error` is
    the two runs' mean distance from their mean over the size of the values: 0 where every coalition was counted.
    """

    values: Floats
    runs: tuple[Floats, Floats]
    base: float
    value: float
    error: float


def kernel_shap(value: Value, players: int, *, budget: int, seed: int) -> Shapley:
    """Shapley values of the game `value`, which gives (k,) values for k coalitions (k, players) of 0 and 1.

    `budget` coalitions are played in all, at least as many as make the values unique. Few enough players are counted
    exactly.
    """
    half = max(budget // 2, 2 * players + 16)
    first, second = (_run(value, players, half, seed + i) for i in range(2))
    ends = value(np.stack([np.zeros(players), np.ones(players)]))
    mean = (first + second) / 2
    size = float(np.linalg.norm(mean))
    error = float(np.linalg.norm(first - second)) / 2 / size if size > 0 else 0.0
    return Shapley(mean, (first, second), float(ends[0]), float(ends[1]), error)


def _run(value: Value, players: int, budget: int, seed: int) -> Floats:
    import shap

    if players == 1:
        ends = value(np.array([[0.0], [1.0]]))
        return np.array([ends[1] - ends[0]])
    np.random.seed(seed)  # noqa: NPY002 - KernelExplainer draws from the global generator; the guard restores it
    explainer = shap.KernelExplainer(value, np.zeros((1, players)))
    # without l1_reg=False all but ten values are silently set to 0 (shap's default, "num_features(10)")
    found = explainer.shap_values(np.ones((1, players)), nsamples=budget, l1_reg=False, silent=True)
    return np.asarray(found, np.float64).reshape(players)
