"""performance.accuracy: how often the model is right, as a whole and for each class."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from auditor.given import Probabilities
from auditor.integers import Codes, confusion, parts
from auditor.predictions import Predictions
from auditor.registry import Context, check
from auditor.stats import mean_size, rate
from auditor.types import Measure, Result, Scalar, Table


@check(
    "performance.accuracy",
    title="Accuracy",
    measures=("accuracy", "answered_accuracy", "brier", "majority_share", "precision", "recall", "rejected_share"),
    source="Wilson 1927, J. Am. Stat. Assoc. 22:209 (intervals); Brier 1950, Mon. Weather Rev. 78:1 (brier)",
)
def accuracy(ctx: Context) -> Result:
    """How often the model is right, as a whole and for each class.

    What it measures: `accuracy`, the share of rows classified correctly; `majority_share`, what always naming the
    commonest class would reach (None where the data hold one class only); for each class `recall`, the share of its
    rows that are found, and `precision`, the share of rows given its name that are its own. 1 is perfect, 0 always
    wrong; None where there are no such rows. Of a model that may reject an input also `rejected_share`, the share of
    rows that it rejects, which count as wrong, and `answered_accuracy`, the share of the others that are right. Where
    the probabilities of all classes are known, and none is to be rejected, `brier` is the mean over rows of the squared
    errors of all classes' probabilities, each against 1 for the true class and 0 for the others: 0 is certain and
    right, 2 certain and wrong.

    How to read it: an accuracy whose interval does not clear `majority_share` shows no skill. A class with low recall
    is one the model overlooks. A `brier` that falls while accuracy stays says that the probabilities got truer.

    When it misleads: one figure hides rare classes and groups; the interval is about chance in drawing these rows,
    not about data of another origin.
    """
    ctx.need_classes()
    predicted, y = ctx.predictions.predicted, ctx.data.y
    k = len(ctx.classes)
    table = confusion(y, predicted, k)
    right, actual, named = table.diagonal(), table.sum(1), table.sum(0)
    n = int(table.sum())
    commonest = float(actual.max()) / n if np.count_nonzero(actual) > 1 else None
    measures = [
        rate("accuracy", int(right.sum()), n),
        Measure("majority_share", "", commonest, n, why="the rows are all of one class"),
    ]
    shown = np.flatnonzero(actual + named)
    if ctx.model is not None and ctx.model.rejects:
        rejected = int(named[-1])
        measures.append(rate("rejected_share", rejected, n, better="lower"))
        measures.append(rate("answered_accuracy", int(right.sum()), n - rejected))
        shown = shown[shown != k - 1]
    scores: dict[Measure, Any] = {measures[0]: ctx.right}
    if ctx.predictions.scores is not None and not (ctx.model is not None and ctx.model.rejects):
        errors = _squared_errors(ctx.predictions, y)
        measures.append(mean_size("brier", errors, better="lower"))
        scores[measures[-1]] = errors
    rows: list[tuple[Scalar, ...]] = []
    for c in shown:
        name = ctx.classes[c]
        recall = rate("recall", int(right[c]), int(actual[c]), slice=f"class={name}")
        precision = rate("precision", int(right[c]), int(named[c]), slice=f"class={name}")
        measures += [recall, precision]
        confused = _confused(table[c], int(c), ctx.classes)
        rows.append(
            (name, int(actual[c]), recall.value, recall.low, recall.high, precision.value, int(named[c]), confused)
        )
    ctx.keep_scores(ctx.data.row_ids, scores)
    ctx.keep_answers()
    columns = ("class", "n", "recall", "low", "high", "precision", "named so", "most often called")
    return Result(tuple(measures), (Table("Accuracy by class", columns, tuple(rows)),))


def _squared_errors(found: Predictions, y: Codes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(N,) the sum over classes of (p - 1 for the true class, p - 0 for the others) squared, from 0 to 2."""
    errors = np.empty(len(y))
    for rows in parts(len(y)):
        p = cast("Probabilities", found.of_rows(rows))
        true = np.take_along_axis(p, y[rows, None].astype(np.int64), 1)[:, 0].astype(np.float64)
        errors[rows] = np.einsum("nc,nc->n", p, p, dtype=np.float64) - 2 * true + 1
    return errors


def _confused(row: np.ndarray[tuple[int], np.dtype[np.int64]], own: int, classes: tuple[str, ...]) -> str:
    """What this class is most often mistaken for."""
    others = row.copy()
    others[own] = 0
    worst = int(others.argmax())
    return f"{classes[worst]} ({others[worst]})" if others[worst] else ""
