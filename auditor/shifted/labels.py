"""How the shares of the classes moved, estimated from predictions alone and counted from the labels.

Black box shift estimation: Lipton et al. 2018, arXiv:1802.03916. It assumes that rows of one class look the same in
both samples, and that the model is as good on the reference as on other rows from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.integers import confusion
from auditor.shifted.answers import Answers
from auditor.types import Measure

__all__ = ["LabelShift", "estimated_shift", "label_measures", "measured_shift"]

Counts = np.ndarray[Any, np.dtype[np.int64]]
Shares = np.ndarray[Any, np.dtype[np.float64]]
DRAWS = 500
FEWEST = 5  # reference rows of a class
SINGULAR = 0.05  # smallest singular value of P(predicted | class): below, classes cannot be told apart
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class LabelShift:
    """Shares (C,) of the classes in the audited data, and their total variation from those in the reference.

    `low` to `high` holds the total variation of the two populations: the estimate's own error is a distance too, which
    95 % of draws of rows with replacement keep, so that the triangle inequality gives both ends.
    """

    shares: Shares
    value: float
    low: float
    high: float


def measured_shift(reference: Counts, audited: Counts, seed: int) -> LabelShift:
    """The shift of the labels themselves between two tables of `confusion`."""
    return _with_interval(reference, audited, _counted, seed)


def estimated_shift(reference: Counts, audited: Counts, seed: int) -> LabelShift | str:
    """The shift that the predictions of the audited rows give away (eq. 3), or why it cannot be said."""
    present = reference.sum(0) > 0
    fewest = int(reference.sum(0)[present].min())
    if present.sum() < 2:
        return "the reference holds one class only"
    if fewest < FEWEST:
        return f"the rarest class has {fewest} of the reference rows; at least {FEWEST} of each are needed"
    if np.linalg.svd(_given_class(reference)[:, present], compute_uv=False)[-1] < SINGULAR:
        return "the model's answers do not tell all classes of the reference apart"
    return _with_interval(reference, audited, _solved, seed)


def _counted(_: Counts, audited: Counts) -> Shares:
    return np.asarray(audited.sum(0) / audited.sum())


def _given_class(reference: Counts) -> Shares:
    return np.asarray(reference / np.maximum(reference.sum(0, keepdims=True), 1))


def _solved(reference: Counts, audited: Counts) -> Shares:
    """Shares of the classes whose mixture of answers is the one seen: a negative one becomes 0 (their section 4)."""
    said = audited.sum(1) / audited.sum()
    shares = np.linalg.lstsq(_given_class(reference), said, rcond=None)[0].clip(0)
    return np.asarray(shares / shares.sum()) if shares.sum() > 0 else said


def _with_interval(reference: Counts, audited: Counts, shares_of: Any, seed: int) -> LabelShift:
    def difference(first: Counts, second: Counts) -> Shares:
        return np.asarray(shares_of(first, second) - first.sum(0) / first.sum())

    moved = difference(reference, audited)
    value = round(_length(moved), 12)  # what rounding leaves is no shift
    draw = np.random.default_rng(seed)
    away = [_length(difference(_redrawn(reference, draw), _redrawn(audited, draw)) - moved) for _ in range(DRAWS)]
    reach = float(np.quantile(away, CONFIDENCE))
    return LabelShift(shares_of(reference, audited), value, max(0.0, value - reach), min(1.0, value + reach))


def _redrawn(counts: Counts, draw: np.random.Generator) -> Counts:
    """As many rows drawn with replacement: only their numbers a cell matter."""
    n = int(counts.sum())
    return np.asarray(draw.multinomial(n, counts.ravel() / n).reshape(counts.shape), np.int64)


def _length(difference: Shares) -> float:
    return float(np.abs(difference).sum() / 2)


def label_measures(reference: Answers, audited: Answers, classes: int, seed: int) -> tuple[list[Measure], list[str]]:
    """`label_shift` as it was counted and as it was estimated, by how much the latter is off, and caveats."""
    first, second = (confusion(a.predicted, a.y, classes) for a in (reference, audited))
    n = len(reference.y) + len(audited.y)
    counted, found = measured_shift(first, second, seed), estimated_shift(first, second, seed)
    measures = [_variation(counted, n, "method=counted")]
    if isinstance(found, str):
        unknown = Measure("label_shift", "method=bbse", None, n, better="lower", why=found)
        return [*measures, unknown], [f"The shift of the labels cannot be estimated from the answers: {found}."]
    away = _length(found.shares - counted.shares)
    off = Measure("label_shift_error", "method=bbse", away, n, better="lower")
    return [*measures, _variation(found, n, "method=bbse"), off], []


def _variation(found: LabelShift, n: int, where: str) -> Measure:
    return Measure("label_shift", where, found.value, n, found.low, found.high, better="lower")
