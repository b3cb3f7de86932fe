"""Detectors of adversarial inputs, each with what an attack climbs that knows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.outliers.features import Answers, Asking
from auditor.outliers.foreign import Range
from auditor.outliers.lid import NEIGHBOURS, local_dimension
from auditor.outliers.scores import Score, mahalanobis
from auditor.outliers.squeezing import Squeezer, squeezed_apart, squeezers
from auditor.subject import Model

__all__ = ["Detector", "detectors"]

Scoring = Callable[[Model, Tensor], Tensor]


@dataclass(frozen=True)
class Detector:
    """`score(model, x)` (N,) is higher for inputs (N, ...) more like the data; `climbed` has a slope where it has none.

    Both ask the model themselves.
    """

    name: str
    score: Scoring
    climbed: Scoring


def detectors(ask: Asking, fitted: Answers, y: Tensor, within: Range) -> tuple[list[Detector], list[str]]:
    """The detectors that can be had of rows `fitted` with classes `y` (N,), and why others can't."""
    found, said = [_squeezing(squeezers(within))], []
    if len(y) > 1:
        found.append(_of_features("mahalanobis", ask, mahalanobis(fitted, y)))
    else:
        said.append(f"{len(y)} row to fit on has no covariance: mahalanobis is left out.")
    if len(y) >= NEIGHBOURS:
        found.append(_of_features("lid", ask, local_dimension(fitted)))
    else:
        said.append(f"lid needs {NEIGHBOURS} neighbours; only {len(y)} rows to fit on: it is left out.")
    return found, said


def _of_features(name: str, ask: Asking, score: Score) -> Detector:
    def scored(model: Model, x: Tensor) -> Tensor:
        return score(ask(model, x))

    return Detector(name, scored, scored)


def _squeezing(ways: tuple[Squeezer, ...]) -> Detector:
    def score(model: Model, x: Tensor) -> Tensor:
        return squeezed_apart(model(x).cpu(), [model(way(x)).cpu() for way in ways])

    def climbed(model: Model, x: Tensor) -> Tensor:
        logits = model(x).cpu()
        with torch.no_grad():
            top = logits.topk(2, dim=1).values
            heat = (top[:, 0] - top[:, 1]).clamp_min(1)
        return squeezed_apart(logits, [model(way(x)).cpu() for way in ways], heat)

    return Detector("squeezing", score, climbed)
