"""What adversarial trainings share: answers to the worst inputs found, and which rows stand a short attack."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from auditor.attacks.pgd import pgd
from auditor.subject import Model
from auditor.training.moved import movable

__all__ = ["answers_to", "standing_attacks"]

VALIDATION = 10  # steps of the attack on rows held out (Rice et al. 2020, arXiv:2002.11569)


def answers_to(model: Model, x: Tensor, search: Callable[[Model, Tensor], Tensor]) -> Tensor:
    """Logits (N, C), in training mode, for what `search(model, inputs)` finds in place of `x` (N, ...).

    The search sees the model in evaluation mode, its weights without gradients.
    """
    view, at = movable(model, x)
    with model.frozen():
        away = search(view, at.detach()) - at.detach()
    model.module.train()
    return model(at + away).cpu()


def standing_attacks(epsilon: float) -> Callable[[Model, Tensor, Tensor, torch.Generator], Tensor]:
    """Which rows (N,) are right whatever projected gradient descent of 10 steps does within `epsilon`."""

    def stands(model: Model, x: Tensor, y: Tensor, random: torch.Generator) -> Tensor:
        view, at = movable(model, x)
        worst = pgd(view, at, y, epsilon, steps=VALIDATION, generator=random)
        with torch.no_grad():
            return model(worst).argmax(1).cpu() == y

    return stands
