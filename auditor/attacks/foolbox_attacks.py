"""One of foolbox's attacks on a batch: what it finds, confirmed, and what it finds that is not."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.attacks.curve import Frontiers
from auditor.attacks.foolbox_named import Attack
from auditor.attacks.in_units import InUnits, frontiers_of, right_rows, spread_over
from auditor.guard import isolated
from auditor.subject import Model

__all__ = ["Attacked", "foolbox_frontiers"]


@dataclass(frozen=True)
class Attacked:
    """Where samples break, and how many of them foolbox calls broken at an epsilon at which the model does not."""

    frontiers: Frontiers
    unconfirmed: int


def foolbox_frontiers(
    model: Model,
    x: Tensor,
    y: Tensor,
    epsilons: Sequence[float],
    attack: Attack,
    *,
    passes: int | None = None,
    seed: int = 0,
) -> Attacked:
    """The frontier of each sample among `epsilons` (ascending, in input units) that `attack` finds.

    `x` (N, ...) with classes `y` (N,); samples that are wrong as they are break at 0 and are not attacked. The model is
    frozen and in evaluation mode. Raises whatever foolbox and the model raise, TooLong after `passes` passes of it.
    """
    right = right_rows(model, x, y)
    if not bool(right.any()):
        return Attacked(Frontiers(torch.zeros(len(x), dtype=torch.long), x.clone(), torch.zeros(len(x)), x.clone()), 0)
    seen, classes = InUnits(model, x[right], passes), y[right]
    # a change in L0 cannot be clipped: foolbox raises at every epsilon but None
    sizes = [math.inf] if attack.norm == "l0" else [float(e) for e in epsilons]
    with isolated(seed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of noise that turns nothing, which the figures say too
        raw, clipped, success = attack.run(
            seen.for_foolbox(), seen.encode(seen.x), classes, epsilons=[e if math.isfinite(e) else None for e in sizes]
        )
    found = [(raw[-1], math.inf), *zip(clipped, sizes, strict=True)]
    frontiers = frontiers_of(seen, classes, found, epsilons, attack.norm)
    return Attacked(spread_over(frontiers, right, x), _unconfirmed(frontiers, success, sizes))


def _unconfirmed(found: Frontiers, success: Tensor, sizes: Sequence[float]) -> int:
    """How many samples foolbox calls broken at one of `sizes`, success (K, N), at which none was confirmed."""
    stands = [found.index > k if math.isfinite(e) else found.distance == 0 for k, e in enumerate(sizes)]
    return int((success.cpu() & torch.stack(stands)).any(0).sum())
