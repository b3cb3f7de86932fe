"""A whole curve of robust accuracy in one run: every sample walks down to its own frontier.

Balls are nested, so each sample has one frontier: the smallest epsilon that breaks it. One gradient and a few questions
find how far down the fast gradient method gets. What breaks a sample is clipped into the next smaller ball and is the
next start, so breaking is cheap, and only the epsilon just below the frontier is attacked to exhaustion, by every stage
of the plan in turn. All samples share one batch, each with its own epsilon, stage, step size and schedule (APGD's
rules: Croce & Hein 2020, arXiv:2003.01690, section 3, as tensors over the batch); who is done leaves. Some stages see
softened activations (`SoftBackward`), which opens networks trained for certified robustness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.attacks.balls import Ball, Norm, ball_of
from auditor.attacks.goals import Goal, another_class
from auditor.attacks.plan import PLAN, Stage
from auditor.attacks.walk import Search, outside
from auditor.subject import Model

__all__ = ["Frontiers", "confirmed", "robust_curve"]


@dataclass(frozen=True)
class Frontiers:
    """Where N samples break.

    `index` (N,) is the position of the smallest epsilon that breaks each (0 also for samples that are wrong as they
    are), the number of epsilons where none does: robust accuracy at epsilons[k] is (index > k).mean(). `witness`
    (N, ...) are the inputs that show it, and `distance` (N,) the epsilon of each, 0 where nothing was found. `closest`
    (N, ...) are the inputs that came nearest to breaking each at the epsilon before.
    """

    index: Tensor
    witness: Tensor
    distance: Tensor
    closest: Tensor

    def sooner(self, other: Frontiers) -> Frontiers:
        """Of each sample, whichever of both is broken by less."""
        theirs = (other.index < self.index) | ((other.index == self.index) & (other.distance < self.distance))
        picked = theirs.view(-1, *[1] * (self.witness.ndim - 1))
        return Frontiers(
            torch.where(theirs, other.index, self.index),
            torch.where(picked, other.witness, self.witness),
            torch.where(theirs, other.distance, self.distance),
            torch.where(picked, other.closest, self.closest),
        )


def robust_curve(
    model: Model,
    x: Tensor,
    y: Tensor,
    epsilons: Sequence[float],
    *,
    norm: Norm = "linf",
    steps: int = 40,
    plan: Sequence[Stage] = PLAN,
    seed: int = 0,
    seen: Model | None = None,
    goal: Goal | None = None,
) -> Frontiers:
    """The frontier of each sample among `epsilons` (ascending, of `norm`, in input units) and what shows it.

    `x` (N, ...) with classes `y` (N,), or whatever `goal` leads away from; each stage of `plan` makes `steps` gradient
    steps. Gradients are those of `seen`, None: the model's own; what it calls broken counts where the model agrees.
    The model is frozen and in evaluation mode, and treats the samples of a batch independently. NotApplicable when it
    gives no gradient.
    """
    goal, ball, eps = goal or another_class(model), ball_of(norm, model, x), torch.tensor(epsilons, dtype=x.dtype)
    with torch.no_grad():
        outputs = model(x).cpu()
    stands = (~goal.reached(outputs, y)).nonzero()[:, 0]
    witness, closest = x.clone(), x.clone()
    if len(stands):
        search = Search(model, seen or model, goal, ball, eps, tuple(plan), steps, torch.Generator().manual_seed(seed))
        rows = search.begin(stands, x[stands], y[stands], outputs[stands], witness)
        while len(rows.id):
            rows = search.advance(rows, witness, closest)
    return confirmed(model, goal, ball, x, y, witness, closest, eps)


def confirmed(
    model: Model, goal: Goal, ball: Ball, x: Tensor, y: Tensor, witness: Tensor, closest: Tensor, eps: Tensor
) -> Frontiers:
    """The frontiers that `witness` (N, ...) shows: nothing counts that one plain forward pass does not confirm."""
    with torch.no_grad():
        reached = goal.reached(model(witness).cpu(), y)
    index = torch.where(reached, outside(ball, witness, x, eps), len(eps))
    return Frontiers(index, witness, torch.where(reached, ball.distance(witness, x), 0.0), closest)
