"""The sizes of change that are audited, and what an epsilon is called."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from auditor.attacks.in_units import Norm as AnyNorm
from auditor.attacks.min_norm import L0, L1_DEVIATIONS, L1_PIXELS
from auditor.registry import Context
from auditor.subject import Model

__all__ = ["AnyNorm", "at_size", "doubts_of_size", "ladder_of"]

PIXELS = tuple(e / 255 for e in (0.5, 1, 2, 4, 8, 16, 32, 64))
DEVIATIONS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 2.0)
# A change that has the length of one spread over all elements looks smaller than its largest element: attacks put an
# L2 of .5 on CIFAR where they put 8/255 as the largest change, .29 of the length of the latter.
OF_LENGTH = 0.3


def at_size(norm: str, epsilon: float) -> str:
    """The slice of a measure at an epsilon."""
    return f"{norm}@{epsilon:.3g}"


def ladder_of(ctx: Context, model: Model, norm: AnyNorm, epsilons: Sequence[float]) -> tuple[float, ...]:
    """`epsilons`, ascending, those that agree in three digits once; where none are given eight for this norm and input.

    They go from invisible to obvious: 0.5/255 to 64/255 of the range of an element, .05 to 2 deviations for vectors;
    for L2 .3 times the length of such a change of every element; for L1 and L0 what min_norm.py has.
    """
    if epsilons:
        return tuple({at_size(norm, e): e for e in sorted(epsilons)}.values())
    elements = math.prod(ctx.data.shape)
    if norm == "l0":
        return tuple(k for k in L0 if k <= elements)
    low, high = (torch.as_tensor(b) for b in model.bounds)
    vector = low.numel() > 1 or bool(ctx.columns)
    if norm == "l1":
        return L1_DEVIATIONS if vector else tuple(e * float(high - low) for e in L1_PIXELS)
    factor = OF_LENGTH * math.sqrt(elements) if norm == "l2" else 1.0
    return tuple(e * factor for e in DEVIATIONS) if vector else tuple(e * factor * float(high - low) for e in PIXELS)


def doubts_of_size(model: Model, norm: AnyNorm, ladder: Sequence[float]) -> list[str]:
    """A sentence when an epsilon is larger than the whole range of an input: it may be meant in 255ths."""
    low, high = (torch.as_tensor(b) for b in model.bounds)
    unit = torch.as_tensor(model.unit)
    if norm != "linf" or low.numel() > 1 or unit.numel() > 1:
        return []
    span = float((high - low) / unit)
    beyond = [e for e in ladder if e > span]
    if not beyond:
        return []
    said = (
        f"An epsilon of {beyond[0]:g} is more than the whole range of an input ({float(low):g} to {float(high):g}): "
        f"anything may become anything else. If it is meant in 255ths of the range, write {beyond[0] / 255 * span:.3g}."
    )
    return [said]
