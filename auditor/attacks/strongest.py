"""Everything that is known against a model, and of each sample the smallest change that any of it found."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from auditor.attacks.balls import Norm, ball_of
from auditor.attacks.curve import Frontiers, confirmed, robust_curve
from auditor.attacks.goals import AnotherClass, Goal, another_class
from auditor.attacks.plan import PLAN
from auditor.attacks.seen import MOST_BLIND, Seen
from auditor.attacks.shrunk import shrunk
from auditor.attacks.square import square
from auditor.attacks.transfer import distilled_copy

__all__ = ["found_by_all", "strongest"]

# what is spent for each step of the gradient attacks: at 40 steps the published 5,000 questions
STAGES = 0.5  # of the plan's stages: all from 22 steps on
SHORT = 2.5  # questions of the search with squares where gradients are what they should be
FULL = 125  # and where they are not
LESSONS = 10  # of the copy
SHRINKING = 0.5  # gradients


def found_by_all(
    seen: Seen,
    x: Tensor,
    y: Tensor,
    epsilons: Sequence[float],
    *,
    norm: Norm = "linf",
    steps: int = 40,
    seed: int = 0,
    goal: Goal | None = None,
) -> Frontiers:
    """The frontier of each sample `x` (N, ...) among `epsilons` (ascending), the smallest of all attacks.

    The curve by the model's gradients, `steps` a stage, and by those that `seen` has for what hides them; squares from
    where these came closest; where gradients stay hidden also squares as published, with 125 questions for each of
    `steps`, and a copy of the model that has gradients.
    """
    goal, plan = _clearly(goal, seen), PLAN[: max(1, round(STAGES * steps))]
    ball, eps = ball_of(norm, seen.model, x), torch.tensor(epsilons, dtype=x.dtype)
    found = confirmed(seen.model, goal, ball, x, y, x, x, eps)  # what is wrong as it is
    for view in seen.searches:
        found = found.sooner(
            robust_curve(seen.model, x, y, epsilons, norm=norm, steps=steps, plan=plan, seed=seed, seen=view, goal=goal)
        )
    if seen.still_blind > MOST_BLIND or not seen.searches:
        found = square(seen.model, x, y, epsilons, found, norm=norm, queries=FULL * steps, seed=seed, goal=goal)
        copy = distilled_copy(seen.model, x, epsilons[-1], norm=norm, steps=LESSONS * steps, seed=seed)
        found = found.sooner(
            robust_curve(seen.model, x, y, epsilons, norm=norm, steps=steps, plan=plan, seed=seed, seen=copy, goal=goal)
        )
    short = max(2, round(SHORT * steps))
    return square(seen.model, x, y, epsilons, found, norm=norm, queries=short, near=True, seed=seed, goal=goal)


def strongest(
    seen: Seen,
    x: Tensor,
    y: Tensor,
    epsilons: Sequence[float],
    *,
    norm: Norm = "linf",
    steps: int = 40,
    seed: int = 0,
    goal: Goal | None = None,
) -> Frontiers:
    """As `found_by_all`, with every change made as small as can be; a sample may break sooner by that."""
    goal = _clearly(goal, seen)
    found = found_by_all(seen, x, y, epsilons, norm=norm, steps=steps, seed=seed, goal=goal)
    last = seen.searches[-1] if seen.searches else None
    gradients = round(SHRINKING * steps) if last is not None else 0
    return shrunk(seen.model, x, y, epsilons, found, norm=norm, seen=last, steps=gradients, goal=goal)


def _clearly(goal: Goal | None, seen: Seen) -> Goal:
    """Another class where no goal is given; of answers that are random, by more than chance may turn back."""
    return another_class(seen.model, seen.least) if goal is None or isinstance(goal, AnotherClass) else goal
