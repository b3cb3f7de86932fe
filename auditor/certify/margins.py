"""The least margin that a model can have anywhere within an epsilon of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.attacks.balls import ball_of
from auditor.certify.abstract import Region
from auditor.certify.interval import Interval
from auditor.certify.zonotope import Zonotope
from auditor.errors import NotApplicable, reason, without_machine
from auditor.subject import Model

__all__ = ["Certified", "certified", "ends", "least_margins", "outputs_of", "worst_logits"]

ROUNDING = 1e-4  # of the largest output: what float32 may move


@dataclass(frozen=True)
class Certified:
    """Of how many epsilons (N,) bounds say that nothing within breaks a row; whether zonotopes were narrow enough."""

    index: Tensor
    by_zonotopes: bool


def certified(model: Model, x: Tensor, y: Tensor, epsilons: Sequence[float]) -> Certified:
    """How far rows `x` (N, ...) of classes `y` (N,) stand for certain, among `epsilons` (ascending, Linf, input units).

    Intervals for all rows together first, zonotopes for what they leave open. NotApplicable with the function that no
    bound is known of.
    """
    index = torch.zeros(len(x), dtype=torch.long)
    for k, epsilon in enumerate(epsilons):  # what holds in a ball holds in all smaller ones
        holds = least_margins(model, *ends(model, x, epsilon), y) > 0
        index[holds] = k + 1
        if not bool(holds.any()):
            break
    try:
        for i in range(len(x)):
            index[i] = _further(model, x[i : i + 1], y[i : i + 1], epsilons, int(index[i]))
    except NotApplicable:  # too wide, which it is for all rows alike
        return Certified(index, by_zonotopes=False)
    return Certified(index, by_zonotopes=True)


def ends(model: Model, x: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """The smallest and largest legal value (N, ...) of each element within `epsilon` of `x`."""
    ball, radius = ball_of("linf", model, x), torch.full((len(x),), epsilon)
    away = epsilon * ball.unit
    return ball.clip(x - away, x, radius), ball.clip(x + away, x, radius)


def least_margins(model: Model, low: Tensor, high: Tensor, y: Tensor) -> Tensor:
    """(N,) by how much class `y` (N,) leads at least, whatever lies between `low` and `high` (N, ...)."""
    low, high = (end.double().to(model.device) for end in (low, high))
    return _margins(model, Interval(low, high), y.to(model.device)).cpu()


def worst_logits(model: Model, low: Tensor, high: Tensor, y: Tensor) -> Tensor:
    """(N, C) logits of which cross-entropy is the worst that intervals allow: minus the least leads, 0 for class `y`.

    They have a gradient to the weights.
    """
    low, high = (end.double().to(model.device) for end in (low, high))
    found = outputs_of(model, Interval(low, high))
    if not isinstance(found, Interval) or found.low.ndim != 2 or found.low.shape[1] < 2:
        msg = "the model gives one output; bounds are trained on two or more"
        raise NotApplicable(msg)
    return -found.margins(y.to(model.device)).cpu().scatter(1, y[:, None], 0.0)


def outputs_of(model: Model, region: Region) -> Region:
    """What the model's module gives for a region of its inputs; NotApplicable where that is not known."""
    try:
        found = model.module(model.feed(model.normalize(region)))  # type: ignore[arg-type]
        found = found if model.part is None else found[model.part]
    except NotApplicable:
        raise
    except Exception as e:  # noqa: BLE001 - the model's own code may do to its input what it likes
        msg = f"the model cannot be bounded: {without_machine(reason(e))}"
        raise NotApplicable(msg) from None
    if not isinstance(found, Region):
        msg = f"no bounds are known of what the model returns: {type(found).__name__}"
        raise NotApplicable(msg)
    return found


def _margins(model: Model, region: Interval | Zonotope, y: Tensor) -> Tensor:
    found = outputs_of(model, region)
    low, high = found.bounds()
    if len(model.classes) == 2 and low.numel() == len(y):  # one output for two classes
        border = 0.5 if model.output == "probabilities" else 0.0
        low, high = low.reshape(-1) - border, high.reshape(-1) - border
        least = torch.where(y == 1, low, -high)
    else:
        least = found.margins(y).amin(1)
    largest = torch.maximum(low.abs(), high.abs()).reshape(len(y), -1).amax(1)
    return least - ROUNDING * largest


def _further(model: Model, x: Tensor, y: Tensor, epsilons: Sequence[float], known: int) -> int:
    """How far zonotopes reach for one row, which stands `known` of the epsilons."""
    low, high = known, len(epsilons)
    while low < high:
        middle = (low + high + 1) // 2
        below, above = (t.double() for t in ends(model, x, epsilons[middle - 1]))
        holds = bool(_margins(model, Zonotope.box(below, above), y) > 0)
        low, high = (middle, high) if holds else (low, middle - 1)
    return low
