"""Every score against every kind of foreign rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auditor.outliers.auroc import auroc, fpr_at
from auditor.outliers.features import Answers
from auditor.outliers.scores import Score, energy, mahalanobis, max_softmax, nearest
from auditor.types import Measure, Scalar, Table

__all__ = ["Apart", "Asked", "figures", "told_apart"]

HELD_OUT = "held-out"
FEW = 59  # the fewest rows that say where their 95 % quantile is: 0.95 ** 59 < 0.05
FEW_A_FEATURE = 2  # rows for each feature, below which a covariance is mostly its ridge


@dataclass(frozen=True)
class Asked:
    """What the model says of rows of the data with classes `y` (N,), of those to fit on, and of foreign ones by kind.

    `probabilities`: its logits are made of probabilities.
    """

    inside: Answers
    y: Tensor
    fitted: Answers
    fitted_y: Tensor
    foreign: Mapping[str, Answers]
    classes: tuple[str, ...]
    probabilities: bool


@dataclass(frozen=True)
class Apart:
    """`auroc` and `fpr95` by score and kind, and what has to be said of them."""

    areas: Mapping[tuple[str, str], Measure]
    errors: Mapping[tuple[str, str], Measure]
    said: tuple[str, ...]


def told_apart(asked: Asked, k: int) -> Apart:
    """How well each score, `knn` with `k` neighbours, tells each kind of foreign rows."""
    asked, said = _with_answers(asked)
    areas: dict[tuple[str, str], Measure] = {}
    errors: dict[tuple[str, str], Measure] = {}
    held_out, words = _held_out(asked)
    scores, left_out = _scores(asked, k)
    for name, score in scores.items():
        inside = _numbers(score, asked.inside)
        for kind, answers in asked.foreign.items():
            _note(areas, errors, name, kind, inside, _numbers(score, answers))
    if held_out is not None:
        without, _ = _scores(held_out, k)
        for name, score in without.items():
            foreign = _numbers(score, held_out.foreign[HELD_OUT])
            _note(areas, errors, name, HELD_OUT, _numbers(score, held_out.inside), foreign)
    return Apart(areas, errors, (*said, *left_out, *words, *_doubts(asked, areas)))


def figures(found: Apart) -> tuple[tuple[Measure, ...], tuple[Table, ...], tuple[str, ...]]:
    """Measures, a table of each figure by score and kind, and caveats."""
    return (
        (*found.areas.values(), *found.errors.values()),
        (
            _table("How often a row of the data scores higher than a foreign one (AUROC)", found.areas),
            _table("Foreign rows that pass where 95 % of the data's rows must (FPR95)", found.errors),
        ),
        found.said,
    )


def _scores(asked: Asked, k: int) -> tuple[dict[str, Score], list[str]]:
    """The scores that can be had, and why others can't."""
    scores: dict[str, Score] = {"softmax": max_softmax}
    said = []
    if asked.probabilities:
        said.append("The model gives probabilities, whose energy is the same for every row: energy is left out.")
    else:
        scores["energy"] = energy
    n = len(asked.fitted_y)
    if n > 1:
        scores["mahalanobis"] = mahalanobis(asked.fitted, asked.fitted_y)
        dimensions = asked.fitted.features.shape[1]
        if n < FEW_A_FEATURE * dimensions:
            said.append(
                f"{n:,} rows were fitted on, few for a covariance of {dimensions:,} features: mahalanobis rests on its "
                "ridge."
            )
    else:
        said.append(f"{n} row to fit on has no covariance: mahalanobis is left out.")
    if n >= k:
        scores["knn"] = nearest(asked.fitted, k)
    else:
        said.append(f"neighbours = {k}: only {n} rows to fit on; knn is left out.")
    return scores, said


def _held_out(asked: Asked) -> tuple[Asked | None, list[str]]:
    """The same with the commonest class as the foreign rows, and in words which."""
    counts = torch.bincount(asked.y, minlength=1)
    if int((counts > 0).sum()) < 2:
        return None, ["The rows hold one class only, so that none can be held out."]
    c = int(counts.argmax())
    inside, fitted = asked.y != c, asked.fitted_y != c
    if not bool(fitted.any()):
        return None, [f"All rows to fit on are of class {asked.classes[c]}, so that it can't be held out."]
    foreign = {HELD_OUT: asked.inside.at(~inside)}
    rest = Asked(
        asked.inside.at(inside), asked.y[inside], asked.fitted.at(fitted), asked.fitted_y[fitted], foreign,
        asked.classes, asked.probabilities,
    )  # fmt: skip
    said = (
        f"held-out: {int(counts[c]):,} rows of class {asked.classes[c]}, which the model was trained on: an imperfect "
        "stand-in for a class that it has never seen."
    )
    return rest, [said]


def _with_answers(asked: Asked) -> tuple[Asked, list[str]]:
    """The rows that the model has finite answers for."""
    lost = {kind: int((~a.finite).sum()) for kind, a in asked.foreign.items()}
    lost |= {"the data": int((~asked.inside.finite).sum()), "those to fit on": int((~asked.fitted.finite).sum())}
    said = ", ".join(f"{n} of {kind}" for kind, n in lost.items() if n)
    keep, fitted = asked.inside.finite, asked.fitted.finite
    foreign = {kind: a.at(a.finite) for kind, a in asked.foreign.items()}
    kept = Asked(
        asked.inside.at(keep), asked.y[keep], asked.fitted.at(fitted), asked.fitted_y[fitted], foreign,
        asked.classes, asked.probabilities,
    )  # fmt: skip
    if not said:
        return kept, []
    return kept, [f"Rows for which the model raises an error or gives NaN or infinity are left out: {said}."]


def _numbers(score: Score, answers: Answers) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = score(answers).numpy()
    return found


def _note(
    areas: dict[tuple[str, str], Measure], errors: dict[tuple[str, str], Measure], score: str, kind: str,
    inside: np.ndarray[tuple[int], np.dtype[np.float64]], foreign: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:  # fmt: skip
    at = f"score={score}&against={kind}"
    areas[score, kind] = auroc("auroc", inside, foreign, slice=at)
    errors[score, kind] = fpr_at("fpr95", inside, foreign, slice=at)


def _doubts(asked: Asked, areas: Mapping[tuple[str, str], Measure]) -> list[str]:
    said = []
    softmax = {kind: m for (score, kind), m in areas.items() if score == "softmax"}
    surer = ", ".join(f"{k} ({m.value:.2f})" for k, m in softmax.items() if m.high is not None and m.high < 0.5)
    if surer:
        said.append(f"The model is surer of foreign inputs than of rows of the data: softmax against {surer}.")
    n = len(asked.y)
    if n < FEW:
        said.append(f"{n} of the data's rows say little about where 95 % of them lie: fpr95 is vague below {FEW}.")
    if asked.inside.features.shape[1] == asked.inside.logits.shape[1]:
        said.append(
            "The model shows no vector that is longer than its outputs: mahalanobis and knn are of the outputs."
        )
    return said


def _table(title: str, cells: Mapping[tuple[str, str], Measure]) -> Table:
    scores, kinds = (tuple(dict.fromkeys(pair[i] for pair in cells)) for i in range(2))
    rows: list[tuple[Scalar, ...]] = [(s, *(_cell(cells.get((s, k))) for k in kinds)) for s in scores]
    return Table(title, ("score", *kinds), tuple(rows))


def _cell(m: Measure | None) -> float | None:
    return None if m is None else m.value
