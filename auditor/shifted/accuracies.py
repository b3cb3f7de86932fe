"""The accuracy on both sides, and what confidence alone foretells of that on the audited one."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.shifted.answers import Answers
from auditor.shifted.predicted import (
    Foretold,
    average_thresholded_confidence,
    certainty,
    difference_of_confidences,
)
from auditor.stats import difference, rate
from auditor.types import Measure, Scalar, Table

__all__ = ["Accuracies", "accuracies"]

COLUMNS = ("accuracy", "value", "low", "high", "n", "off by")


@dataclass(frozen=True)
class Accuracies:
    """Measures, their table, and what could not be said."""

    measures: tuple[Measure, ...]
    table: Table
    caveats: tuple[str, ...]


def accuracies(reference: Answers, audited: Answers, seed: int) -> Accuracies:
    """Measured accuracies with their difference, and the foretold ones with their errors."""
    right = audited.right
    first, second = ((int(r.sum()), len(r)) for r in (reference.right, right))
    known = [rate("accuracy", *first, slice="data=reference"), rate("accuracy", *second, slice="data=audited")]
    fall = difference("accuracy_difference", second, first, slice="data=audited")
    rows = [_row("measured, reference", known[0]), _row("measured, audited", known[1])]
    rows.append(_row("difference, audited - reference", fall))
    measures = [*known, fall]
    methods, caveats = _methods(reference, audited, seed)
    for method, found in methods.items():
        where = f"method={method.lower()}"
        said = found.accuracy("predicted_accuracy", where)
        error = found.error("prediction_error", where, right)
        measures += [said, error]
        rows.append(_row(f"foretold by {method}, audited", said, error.value))
        caveats += _missed(method, error)
    return Accuracies(tuple(measures), Table("Accuracy, measured and foretold", COLUMNS, tuple(rows)), caveats)


def _missed(method: str, error: Measure) -> tuple[str, ...]:
    """A sentence where the accuracy foretold is not the one measured, by more than chance."""
    if error.value is None or error.low is None or error.high is None or error.low <= 0 <= error.high:
        return ()
    which = "more" if error.value > 0 else "less"
    said = (
        f"{method} foretells {abs(error.value):.3f} {which} than the accuracy that was measured, by more than chance: "
        "do not go by it where there are no labels."
    )
    return (said,)


def _row(what: str, m: Measure, error: float | None = None) -> tuple[Scalar, ...]:
    return what, m.value, m.low, m.high, m.n, error


def _methods(reference: Answers, audited: Answers, seed: int) -> tuple[dict[str, Foretold], tuple[str, ...]]:
    """What each method foretells, and which cannot."""
    p, q, right = reference.probabilities, audited.probabilities, reference.right
    if p is None or q is None:
        return {}, ("No accuracy is foretold: only decisions are known, without probabilities.",)
    doc = difference_of_confidences(p.max(1), right, q.max(1))
    atc = average_thresholded_confidence(certainty(p), right, certainty(q), seed)
    if atc is not None:
        return {"ATC": atc, "DoC": doc}, ()
    all_or_none = f"{int(right.sum()):,} of {len(p):,} reference rows are right"
    return {"DoC": doc}, (f"ATC foretells nothing: {all_or_none}, so that nothing tells where errors begin.",)
