"""The attacks of most published evaluations, as they stand: one loss, the model's own gradients, no adaptation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from auditor.attacks.balls import Norm, ball_of, per_sample
from auditor.attacks.goals import another_class
from auditor.subject import Model

__all__ = ["Climb", "Loss", "climb", "cross_entropy", "gradient_of", "margin"]

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Climb:
    """Which of N rows broke, and the highest loss (steps + 1, N) that each had reached by every step."""

    broken: Tensor
    highest: Tensor


def cross_entropy(outputs: Tensor, y: Tensor) -> Tensor:
    """(N,) cross-entropy of logits (N, C), as torch computes it: it saturates."""
    return functional.cross_entropy(outputs, y, reduction="none")


def margin(outputs: Tensor, y: Tensor) -> Tensor:
    """(N,) by how much the best other logit is ahead (Carlini & Wagner 2017, arXiv:1608.04644, f6)."""
    own = outputs.gather(1, y[:, None])[:, 0]
    return outputs.scatter(1, y[:, None], -torch.inf).amax(1) - own


def climb(
    model: Model,
    x: Tensor,
    y: Tensor,
    epsilon: float,
    *,
    loss: Loss,
    steps: int,
    norm: Norm = "linf",
    seed: int = 0,
    judge: Model | None = None,
) -> Climb:
    """Projected gradient descent from a random point, `steps` steps of 2.5 epsilon / steps (Madry et al. 2018).

    One step is the fast gradient method, of epsilon from the sample itself (Goodfellow et al. 2015). Rows leave when
    they break and `judge`, None: the model, agrees; where the model gives no gradient nothing moves.
    """
    ball, radius = ball_of(norm, model, x), torch.full((len(x),), epsilon)
    random = torch.Generator().manual_seed(seed)
    at = x.clone() if steps == 1 else ball.noise(x, radius, random)
    size = radius if steps == 1 else 2.5 * radius / steps
    broken, highest = torch.zeros(len(x), dtype=torch.bool), torch.full((steps + 1, len(x)), -torch.inf)
    for step in range(steps + 1):
        rows = (~broken).nonzero()[:, 0]
        if not len(rows):
            break
        leaf = at[rows].requires_grad_()
        outputs = model(leaf).cpu()
        value = loss(outputs, y[rows])
        gradient = gradient_of(value, leaf)
        highest[step, rows] = value.detach()
        broken[rows] = _agreed(judge, leaf.detach(), y[rows], another_class(model).reached(outputs, y[rows]))
        moved = at[rows] + per_sample(size[rows], x) * ball.steepest(gradient)
        at[rows] = ball.clip(moved.detach(), x[rows], radius[rows])
    return Climb(broken, highest.cummax(0).values)


def gradient_of(value: Tensor, leaf: Tensor) -> Tensor:
    """The gradient (N, ...) of the sum of `value` to `leaf`; 0 where there is none."""
    if not value.requires_grad:
        return torch.zeros_like(leaf)
    (gradient,) = torch.autograd.grad(value.sum(), leaf, allow_unused=True)
    return torch.zeros_like(leaf) if gradient is None else gradient.nan_to_num()


def _agreed(judge: Model | None, at: Tensor, y: Tensor, broken: Tensor) -> Tensor:
    if judge is None or not bool(broken.any()):
        return broken
    with torch.no_grad():
        return broken.index_put((broken,), another_class(judge).reached(judge(at[broken]).cpu(), y[broken]))
