"""Everything that is known against a model, and of each sample the smallest change that any of it found."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from auditor.attacks.balls import Norm, ball_of
from auditor.attacks.curve import Frontiers, confirmed, robust_curve
from auditor.attacks.goals import AnotherClass, Goal
from auditor.attacks.seen import MOST_BLIND, Seen
from auditor.attacks.shrunk import shrunk
from auditor.attacks.square import square
from auditor.attacks.transfer import distilled_copy
from auditor.subject import Model

__all__ = ["strongest"]

SHORT = 100  # questions of the search with squares where gradients are what they should be
FULL = 5000  # and where they are not
CLEAR = 0.8  # by how much the mean of random answers must speak for another class, so that other draws say so too


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
    """The frontier of each sample `x` (N, ...) among `epsilons` (ascending), the smallest of all attacks.

    Random changes; the curve by the model's gradients, and by those that `seen` has for what hides them; squares from
    where these came closest; where gradients stay hidden also squares as published, with 5,000 questions, and a copy of
    the model that has gradients; what was found is made as small as can be.
    """
    goal = goal or AnotherClass(CLEAR if seen.random else 0.0)
    found = _by_noise(seen.model, goal, x, y, epsilons, norm, seed)
    for view in seen.searches:
        found = found.sooner(
            robust_curve(seen.model, x, y, epsilons, norm=norm, steps=steps, seed=seed, seen=view, goal=goal)
        )
    if seen.still_blind > MOST_BLIND or not seen.searches:
        found = square(seen.model, x, y, epsilons, found, norm=norm, queries=FULL, seed=seed, goal=goal)
        copy = distilled_copy(seen.model, x, epsilons[-1], norm=norm, seed=seed)
        found = found.sooner(
            robust_curve(seen.model, x, y, epsilons, norm=norm, steps=steps, seed=seed, seen=copy, goal=goal)
        )
    found = square(seen.model, x, y, epsilons, found, norm=norm, queries=SHORT, near=True, seed=seed, goal=goal)
    views = seen.searches[-1:] or (None,)
    return shrunk(seen.model, x, y, epsilons, found, norm=norm, seen=views[0], steps=20 if views[0] else 0, goal=goal)


def _by_noise(
    model: Model, goal: Goal, x: Tensor, y: Tensor, epsilons: Sequence[float], norm: Norm, seed: int
) -> Frontiers:
    """What is wrong as it is, and what one random change of each size does."""
    ball, eps = ball_of(norm, model, x), torch.tensor(epsilons, dtype=x.dtype)
    random = torch.Generator().manual_seed(seed)
    found = confirmed(model, goal, ball, x, y, x, x, eps)
    for e in eps:
        at = ball.noise(x, e.expand(len(x)), random)
        found = found.sooner(confirmed(model, goal, ball, x, y, at, x, eps))
    return found
