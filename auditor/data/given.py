"""Predictions that came as data: classes, probabilities, or values of a regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auditor.config import DataSpec
from auditor.data.columns import Columns, Numbers
from auditor.data.targets import encode_target, favourable
from auditor.errors import LoadError, UsageError
from auditor.given import Given
from auditor.integers import narrowed

__all__ = ["about_values", "finite", "given_predictions", "given_values", "holder_of_values"]

LARGEST_INDEX = 10_000  # of a class that nobody names: a larger number is an amount


def given_predictions(columns: Columns, spec: DataSpec, classes: Sequence[str]) -> Given:
    """Predictions of classes, from the score or prediction columns."""
    names = tuple(classes)
    if spec.prediction is not None:
        predicted, _ = encode_target(columns, names, spec.prediction, "prediction")
        return Given(names, predicted, None)
    if isinstance(spec.score, str):
        return _from_score(columns, spec, names)
    wanted = spec.score or ()
    if len(wanted) != len(names) or len(set(wanted)) != len(wanted):
        msg = f"[data] score lists {len(set(wanted))} columns for {len(names)} classes; one a class is needed"
        raise UsageError(msg)
    scores = np.stack([finite(columns, n, "score") for n in wanted], 1)
    inside = bool((scores >= 0).all() and np.allclose(scores.sum(1), 1, atol=1e-3))
    return Given(names, narrowed(scores.argmax(1)), scores.astype(np.float32) if inside else None)


def _from_score(columns: Columns, spec: DataSpec, names: tuple[str, ...]) -> Given:
    """Above the threshold is the favourable class; the scores are its probabilities where all lie from 0 to 1."""
    positive = favourable(spec.positive, names)
    if positive is None or len(names) != 2:
        msg = f"[data] score is one column, which needs two classes; there are {len(names)}: list a column a class"
        raise UsageError(msg)
    score = finite(columns, str(spec.score), "score")
    beyond = np.flatnonzero((score < 0) | (score > 1))
    if len(beyond) and "threshold" not in spec.model_fields_set:
        found = f"{score[beyond[0]]:g} in row {beyond[0]} (counted from 0)"
        msg = f"score {spec.score!r} is {found}; expected probabilities from 0 to 1, or else [data] threshold"
        raise LoadError(msg)
    predicted = ((score > spec.threshold) == bool(positive)).astype(np.int8)
    if len(beyond):
        return Given(names, predicted, None, positive, plain=score)
    return Given(names, predicted, score.astype(np.float32), positive)


def finite(columns: Columns, name: str, what: str) -> Numbers:
    """The numbers (N,) of a column; LoadError where some are missing or infinite."""
    values = columns.numbers(name)
    odd = np.flatnonzero(~np.isfinite(values))
    if len(odd):
        msg = f"{what} {name!r} is missing or infinite in {len(odd):,} rows (first: {odd[0]}, counted from 0)"
        raise LoadError(msg)
    return values


# ---- values ------------------------------------------------------------------------------------------------------
def holder_of_values(columns: Columns, spec: DataSpec, target: str) -> str:
    """Whichever holds numbers that are no class indices, "target" or "prediction"; "" where both hold classes.

    They are no indices where one of them is not whole, or beyond LARGEST_INDEX. Both columns must hold numbers alone,
    and [data] classes must name none.
    """
    if spec.prediction is None or spec.classes is not None:
        return ""
    found = {"target": _holds_amounts(columns, target), "prediction": _holds_amounts(columns, spec.prediction)}
    return "" if None in found.values() else next((what for what, amounts in found.items() if amounts), "")


def _holds_amounts(columns: Columns, name: str) -> bool | None:
    """Whether one of its numbers is no class index; None where it holds text."""
    try:
        values = columns.numbers(name)
    except LoadError:
        return None
    present = values[~np.isnan(values)]
    return bool(((present != np.floor(present)) | (present > LARGEST_INDEX)).any())


def given_values(columns: Columns, name: str) -> Given:
    """Predictions of a regression."""
    values = finite(columns, name, "prediction")
    return Given((), np.zeros(len(values), np.int8), None, values=values)


def about_values(holder: str, given: Given) -> str:
    """How the file was read, as a caveat."""
    said = f"The {holder} holds numbers that are no classes: values are compared."
    if holder == "prediction" and given.values is not None and ((given.values >= 0) & (given.values <= 1)).all():
        return f"{said} If they are probabilities, name their column as [data] score."
    return said
