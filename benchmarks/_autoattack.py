"""AutoAttack at its published budget, by torchattacks: which samples it leaves standing, and at what cost.

APGD-CE of 100 steps, targeted APGD of 100 steps at each of 9 classes, targeted FAB likewise, and Square of 5,000
queries, from one start each, one after the other on the samples that still stand (Croce & Hein 2020, arXiv:2003.01690,
section 4). The `version="standard"` of torchattacks makes 10 steps in place of 100, so that the four are put together
here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from auditor.subject import Model
from benchmarks._counted import Cost, Logits, measured, right

STEPS, QUERIES, TARGETS = 100, 5_000, 9
SLACK = 1e-6


def standing(model: Model, x: Tensor, y: Tensor, epsilon: float, seed: int = 0) -> tuple[Tensor, Cost]:
    """Which samples (N,) are still right after AutoAttack in Linf balls of `epsilon`, and its cost.

    `x` (N, C, H, W) with elements from 0 to 1, of classes `y` (N,); samples that are wrong as they are do not stand.
    """
    with measured(model) as cost, torch.random.fork_rng(devices=()):
        stands = right(model, x, y)
        for attack in _attacks(model, epsilon, seed):
            rows = stands.nonzero()[:, 0]
            if not len(rows):
                break
            found = attack(x[rows].contiguous(), y[rows])
            stands[rows] = right(model, found, y[rows]) | ~_inside(found, x[rows], epsilon)
    return stands, cost


def _attacks(model: Model, epsilon: float, seed: int) -> list[Any]:
    attacks = import_module("torchattacks.attacks")
    targets = min(TARGETS + 1, len(model.classes))  # they count the true class, too
    common = {"model": Logits(model), "norm": "Linf", "eps": epsilon, "n_restarts": 1, "seed": seed}
    return [
        attacks.apgd.APGD(**common, steps=STEPS, loss="ce"),
        attacks.apgdt.APGDT(**common, steps=STEPS, n_classes=targets),
        attacks.fab.FAB(**common, steps=STEPS, multi_targeted=True, n_classes=targets),
        attacks.square.Square(**common, n_queries=QUERIES, p_init=0.8, loss="margin"),
    ]


def _inside(found: Tensor, x: Tensor, epsilon: float) -> Tensor:
    """Which (N,) lie in their ball and between 0 and 1, as far as float32 can tell."""
    legal = ((found - x).abs() <= epsilon + SLACK) & (found >= -SLACK) & (found <= 1 + SLACK)
    return legal.flatten(1).all(1)
