"""Projected gradient descent (Madry et al. 2018, arXiv:1706.06083): the attack that adversarial training trains on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from auditor.attacks.balls import ball_of, per_sample
from auditor.subject import Model

__all__ = ["pgd"]


def pgd(model: Model, x: Tensor, y: Tensor, epsilon: float, *, steps: int, generator: torch.Generator) -> Tensor:
    """Inputs (N, ...) within `epsilon` (Linf, in input units) of `x` that raise the cross-entropy of classes `y` (N,).

    `steps` steps of 2.5 * epsilon / steps from a random point of the ball; always inside the bounds.
    """
    box, radius = ball_of("linf", model, x), torch.full((len(x),), epsilon)
    at = box.noise(x, radius, generator)
    size = per_sample(2.5 * radius / steps, x) * box.unit
    for _ in range(steps):
        leaf = at.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(functional.cross_entropy(model(leaf).cpu(), y, reduction="sum"), leaf)
        at = box.clip(at + size * gradient.sign(), x, radius)
    return at.detach()
