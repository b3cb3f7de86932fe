"""The sizes of change that are audited, and what an epsilon is called."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from auditor.attacks.in_units import ORDER
from auditor.attacks.in_units import Norm as AnyNorm
from auditor.attacks.min_norm import L0, L1_DEVIATIONS, L1_PIXELS
from auditor.errors import NotApplicable, UsageError
from auditor.registry import Context
from auditor.subject import Model

__all__ = ["AnyNorm", "at_size", "beyond_reach", "doubts_of_size", "ladder_of"]

PIXELS = tuple(e / 255 for e in (0.5, 1, 2, 4, 8, 16, 32, 64))
DEVIATIONS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 2.0)
# A change that has the length of one spread over all elements looks smaller than its largest element: attacks put an
# L2 of .5 on CIFAR where they put 8/255 as the largest change, .29 of the length of the latter.
OF_LENGTH = 0.3
TINY = 1e-12


def at_size(norm: str, epsilon: float) -> str:
    """The slice of a measure at an epsilon."""
    return f"{norm}@{epsilon:.3g}"


def ladder_of(ctx: Context, model: Model, norm: AnyNorm, epsilons: Sequence[float]) -> tuple[float, ...]:
    """`epsilons`, ascending, those that agree in three digits once; where none are given eight for this norm and input.

    They go from invisible to obvious: 0.5/255 to 64/255 of the range of an element, .05 to 2 deviations for vectors;
    for L2 .3 times the length of such a change of every element; for L1 and L0 what min_norm.py has. UsageError for L0
    sizes that are not whole, NotApplicable where none are given and the range is endless.
    """
    odd = [e for e in epsilons if norm == "l0" and e != round(e)]
    if odd:
        msg = f"epsilons = {odd[0]:g}: of l0 they are numbers of changed elements, such as 1, 4, 16"
        raise UsageError(msg)
    if epsilons:
        return tuple({at_size(norm, e): e for e in sorted(epsilons)}.values())
    elements = math.prod(ctx.data.shape)
    if norm == "l0":
        return tuple(k for k in L0 if k <= elements)
    low, high = (torch.as_tensor(b) for b in model.bounds)
    vector = low.numel() > 1 or bool(ctx.columns)
    if not vector and not math.isfinite(float(high - low)):
        msg = "the bounds of the inputs are endless, so that no sizes can be chosen; give `epsilons`"
        raise NotApplicable(msg)
    if norm == "l1":
        return L1_DEVIATIONS if vector else tuple(e * float(high - low) for e in L1_PIXELS)
    factor = OF_LENGTH * math.sqrt(elements) if norm == "l2" else 1.0
    return tuple(e * factor for e in DEVIATIONS) if vector else tuple(e * factor * float(high - low) for e in PIXELS)


def doubts_of_size(ctx: Context, model: Model, norm: AnyNorm, ladder: Sequence[float]) -> list[str]:
    """A sentence when an epsilon is larger than any change of an input can be: it may be meant in 255ths."""
    reach = _reach(model, ctx.data.shape, norm)
    said = beyond_reach(norm, ladder, reach)
    if said and norm == "linf" and not ctx.columns:
        said[0] += f" If it is meant in 255ths of the range, write {ladder[-1] / 255 * reach:.3g}."
    return said


def beyond_reach(norm: str, ladder: Sequence[float], reach: float) -> list[str]:
    """A sentence when the largest epsilon is larger than `reach`, the largest change that can be made."""
    if ladder[-1] <= reach * (1 + 1e-6):
        return []
    said = f"An epsilon of {ladder[-1]:.4g} ({norm}) is more than any change can be, at most {reach:.4g}"
    return [f"{said}: anything may become anything else there."]


def _reach(model: Model, shape: Sequence[int], norm: AnyNorm) -> float:
    """The size of a change of a sample of this shape from one end of its bounds to the other; infinite without ends."""
    low, high, unit = (torch.as_tensor(v, dtype=torch.float64).expand(*shape) for v in (*model.bounds, model.unit))
    span = torch.where(unit > 0, (high - low) / unit.clamp_min(TINY), 0.0)
    return float(torch.linalg.vector_norm(span.flatten(), ORDER[norm]))
