"""Where to cut the scores of each group: fairlearn's thresholds (Hardt et al. 2016), without its random draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from auditor.columns import Labels
from auditor.contingency import MISSING, RATES_OF, Criterion
from auditor.errors import NotApplicable
from auditor.subject import Data, Model

__all__ = ["Cuts", "cuts_of", "leads", "probability"]

CONSTRAINTS = {"equal_opportunity": "true_positive_rate_parity"}  # fairlearn's names, where they are others
FEWEST = 10  # favourable rows of a group, and others, that a threshold is found on
BATCH = 64

Floats = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Cuts:
    """What every threshold does to the rows of one group.

    `at` (K,) rises, and holds the plain threshold 0; a row is answered favourably where its score lies above. `rates`
    (K, R) are what a criterion makes equal, `right` (K,) the shares of rows answered rightly, `chosen` (K,) the numbers
    of rows answered favourably, of `n`. `drawn` (R,) and `drawn_right` are those of fairlearn's random draws.
    """

    at: Floats
    rates: Floats
    right: Floats
    chosen: Floats
    n: int
    drawn: Floats
    drawn_right: float

    @property
    def plain(self) -> int:
        """Which is the plain threshold."""
        return int(np.flatnonzero(self.at == 0)[0])

    def nearest(self, strength: float) -> int:
        """Which has the rates nearest to those that lie `strength` (0 to 1) of the way from its own to fairlearn's.

        Of several the most accurate, and of those the nearest to the plain one.
        """
        wanted = self.rates[self.plain] + strength * (self.drawn - self.rates[self.plain])
        apart = np.abs(self.rates - wanted).max(1).round(12)
        return int(np.lexsort((np.abs(self.at), -self.right, apart))[0])


def leads(model: Model, data: Data, positive: int) -> Floats:
    """(N,) by how much the logit of class `positive` leads that of every other: above 0 it is the answer."""
    found = []
    with torch.no_grad(), model.frozen():
        for batch in data.batches(BATCH):
            y = model(batch.x).double().cpu()
            others = torch.cat([y[:, :positive], y[:, positive + 1 :]], 1)
            found.append((y[:, positive] - others.amax(1)).numpy())
    return np.concatenate(found)


def probability(lead: float) -> float:
    """The probability of two classes at which the logit of one leads by `lead`."""
    return float(1 / (1 + np.exp(-np.clip(lead, -700, 700))))


def cuts_of(scores: Floats, actual: Flags, labels: Labels, criterion: Criterion) -> dict[str, Cuts]:
    """The thresholds of every group that one can be found for, by its name.

    These are named groups of which at least 10 rows with a finite score (N,) are truly favourable (`actual`, (N,)) and
    10 are not. NotApplicable where fewer than two groups are.
    """
    known = np.isfinite(scores)
    rows = {name: np.flatnonzero(known & (labels.codes == i)) for i, name in enumerate(labels.names)}
    fit = {g: at for g, at in rows.items() if g != MISSING and _enough(actual[at])}
    if len(fit) < 2:
        msg = (
            f"{len(fit)} of {sum(len(at) > 0 for at in rows.values())} groups have {FEWEST} favourable reference rows "
            f"and {FEWEST} others; thresholds need two such groups"
        )
        raise NotApplicable(msg)
    drawn = _by_fairlearn([scores[at] for at in fit.values()], [actual[at] for at in fit.values()], criterion)
    return {g: _cuts(scores[at], actual[at], p, criterion) for (g, at), p in zip(fit.items(), drawn, strict=True)}


def _enough(actual: Flags) -> bool:
    return bool(min(actual.sum(), (~actual).sum()) >= FEWEST)


def _by_fairlearn(scores: Sequence[Floats], actual: Sequence[Flags], criterion: Criterion) -> list[Floats]:
    """The chance with which fairlearn's ThresholdOptimizer answers each row favourably, group by group."""
    from fairlearn.postprocessing import ThresholdOptimizer
    from sklearn.base import BaseEstimator

    class Scores(BaseEstimator):  # type: ignore[misc]
        """An estimator whose input is its score."""

        def fit(self, x: Floats, y: Floats) -> Scores:  # noqa: ARG002 - looked for, and never called
            return self

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def decision_function(self, x: Floats) -> Floats:
            return np.asarray(x)[:, 0]

    group = np.repeat(np.arange(len(scores)), [len(s) for s in scores])
    constraints = CONSTRAINTS.get(criterion, criterion)
    optimizer = ThresholdOptimizer(
        estimator=Scores(), constraints=constraints, prefit=True, predict_method="decision_function"
    )
    y = np.concatenate(actual).astype(np.int64)
    optimizer.fit(np.concatenate(scores)[:, None], y, sensitive_features=group)
    rules = optimizer.interpolated_thresholder_.interpolation_dict
    return [_chance(s, rules[i]) for i, s in enumerate(scores)]


def _chance(scores: Floats, rule: Any) -> Floats:
    """(n,) with which chance each score is answered favourably: by one of two thresholds, or by none."""
    drawn = rule.p0 * (scores > rule.operation0.threshold) + rule.p1 * (scores > rule.operation1.threshold)
    ignored = rule.get("p_ignore", 0.0)
    return np.asarray(ignored * rule.get("prediction_constant", 0.0) + (1 - ignored) * drawn, np.float64)


def _cuts(scores: Floats, actual: Flags, drawn: Floats, criterion: Criterion) -> Cuts:
    values, place = np.unique(scores, return_inverse=True)
    below, unfavourable_below = (np.bincount(place, w, len(values)).cumsum() for w in (None, ~actual))
    n, negatives = len(scores), int((~actual).sum())
    chosen = n - np.concatenate([[0.0], below])
    wrong = negatives - np.concatenate([[0.0], unfavourable_below])

    def figures(chosen: Any, wrong: Any) -> tuple[Floats, Any]:
        """The rates of a criterion, and the share answered rightly, where `wrong` of the `chosen` are unfavourable."""
        positives, true = n - negatives, chosen - wrong
        known = {"selection_rate": chosen / n, "tpr": true / positives, "fpr": wrong / negatives}
        return np.stack([known[r] for r in RATES_OF[criterion]], -1), (true + negatives - wrong) / n

    rates, right = figures(chosen, wrong)
    mixed, mixed_right = figures(drawn.sum(), (drawn * ~actual).sum())
    return Cuts(_between(values), rates, right, chosen, n, mixed, float(mixed_right))


def _between(values: Floats) -> Floats:
    """(K,) thresholds below, between and above rising `values` (K - 1,): 0 in the gap where it lies, else half way."""
    low, high = np.concatenate([[-np.inf], values]), np.concatenate([values, [np.inf]])
    middle = np.concatenate([[values[0] - 1], (values[1:] + values[:-1]) / 2, [values[-1] + 1]])
    return np.where((low <= 0) & (high > 0), 0.0, middle)
