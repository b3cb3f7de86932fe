"""Accuracy and gap of the same rows with a threshold of its own for each group, from none of the way to all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.columns import Labels
from auditor.contingency import MISSING, RATES_OF, Criterion
from auditor.counting.crossings import Crossing
from auditor.counting.tally import Rows, tally
from auditor.fairness.figures import gaps
from auditor.integers import Integers
from auditor.stats import measured, rate
from auditor.types import Measure, Scalar, Table
from auditor.wrapped.cuts import Cuts, Floats, probability

__all__ = ["Answers", "Fitted", "answers_of", "steps"]

TINY = 1e-38  # below it float32 knows no probability
Probabilities = np.ndarray[Any, np.dtype[np.float32]]
Fitted = Mapping[Criterion, Mapping[str, Cuts]]


@dataclass(frozen=True)
class Answers:
    """Of every audited row (N,) the class that is named, the best one but the favourable, and the true one.

    `leads` says by how much the logit of the favourable class `positive` leads every other.
    """

    predicted: Integers
    other: Integers
    actual: Integers
    leads: Floats
    positive: int

    def under(self, needed: Floats) -> Integers:
        """(N,) the classes that are named where the favourable one needs leads (N,); 0 is the plain threshold."""
        chosen = np.where(needed == 0, self.predicted == self.positive, self.leads > needed)
        return np.where(chosen, self.positive, np.where(self.predicted == self.positive, self.other, self.predicted))


def answers_of(predicted: Integers, probabilities: Probabilities, actual: Integers, positive: int) -> Answers:
    """What a model with `probabilities` (N, C) says of the rows whose classes are `actual`."""
    logs = np.log(np.maximum(probabilities.astype(np.float64), TINY))
    others = logs.copy()
    others[:, positive] = -np.inf
    return Answers(predicted, others.argmax(1), actual, logs[:, positive] - others.max(1), positive)


def steps(
    answers: Answers, labels: Labels, attribute: str, fitted: Fitted, strengths: Sequence[float], smallest: int
) -> tuple[list[Measure], Table]:
    """Accuracy and gap at every strength of every criterion, and the thresholds that they are of."""
    measures: list[Measure] = []
    rows: list[tuple[Scalar, ...]] = []
    for criterion, cuts in fitted.items():
        for strength in strengths:
            asked = {g: float(c.at[c.nearest(strength)]) if strength else 0.0 for g, c in cuts.items()}
            needed = np.array([asked.get(name, 0.0) for name in labels.names])[labels.codes]
            where = f"{attribute}&criterion={criterion}&strength={strength:g}"
            both = _figures(answers, answers.under(needed), labels, criterion, where, smallest)
            measures += both
            rows.append((criterion, strength, *(m.value for m in both), *map(probability, asked.values())))
    columns = ("made equal", "strength", "accuracy", "gap", *(f"threshold of {g}" for g in cuts))
    return measures, Table(f"Thresholds by {attribute}", columns, tuple(rows))


def _figures(
    answers: Answers, predicted: Integers, labels: Labels, criterion: Criterion, where: str, smallest: int
) -> tuple[Measure, Measure]:
    """Accuracy of all rows, and the gap between named groups that a criterion closes."""
    chosen, truly = predicted == answers.positive, answers.actual == answers.positive
    rows = Rows(len(truly), {"": labels}, lambda at: chosen[at], lambda at: truly[at])
    found = [
        measured(name, group, "wilson", counts, n=counts[1])
        for (group,), cell in tally(rows, Crossing(("",), (labels.names,)))
        if group != MISSING
        for name, counts in ((name, getattr(cell, name)) for name in RATES_OF[criterion])
    ]
    (gap,) = (m for m in gaps(found, where, smallest) if m.name == f"{criterion}_difference")
    return rate("accuracy", int((predicted == answers.actual).sum()), len(predicted), slice=where), gap
