"""Trainings on a loss of the answers alone, which is also what they are judged by on rows held out."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from auditor.integers import Integers
from auditor.subject import Model
from auditor.training.recipe import Figure, Moment, Recipe

__all__ = ["by_likelihood"]

MOST_HELD_OUT = 10_000  # answers cost little, and gaps between groups take many rows to see


def by_likelihood(loss_of: Callable[[Tensor, Tensor], Tensor], words: str) -> Recipe:
    """The recipe that makes `loss_of(logits (n, C), positions (n,) of their rows)` small.

    Epochs are judged by that very loss L on rows held out, as exp(-L): of cross-entropy the geometric mean of the
    probabilities of the right classes, which a penalty makes smaller. `words` name it in sentences. The last epoch is
    kept that is within one standard error of the best: the model may have been trained on those rows before, so that
    every step away from it seems to cost, and the first epochs have hardly left it.
    """

    def loss(held: Model, x: Tensor, _y: Tensor, now: Moment) -> Tensor:
        held.module.train()
        return loss_of(held(x).cpu(), torch.from_numpy(now.rows))

    def logits(held: Model, x: Tensor, _y: Tensor, _random: torch.Generator) -> Tensor:
        with torch.no_grad():
            return held(x).cpu()

    def likelihood(found: Tensor, rows: Integers) -> float:
        return math.exp(-max(0.0, float(loss_of(found, torch.from_numpy(rows)))))

    return Recipe(loss, logits, Figure(likelihood, words, MOST_HELD_OUT, errors=1))
