"""The smallest changes in L1 and L0, by foolbox's FMN: one run for all epsilons."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, Literal

import torch
from torch import Tensor

from auditor.attacks.balls import per_sample
from auditor.attacks.curve import Frontiers
from auditor.attacks.goals import another_class
from auditor.attacks.in_units import InUnits, frontiers_of, right_rows, spread_over, standing_rows
from auditor.attacks.softened import SoftBackward
from auditor.errors import NotApplicable
from auditor.guard import isolated
from auditor.subject import Model

__all__ = ["L0", "L1_DEVIATIONS", "L1_PIXELS", "min_norm_frontiers", "sparse_noise"]

# Published budgets are 10 for digits of 784 pixels, 12 for pictures of 3,072 and 60 for those of 150,528: these are on
# both sides of all. Columns are few, and mostly one or two of them change.
L1_PIXELS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
L1_DEVIATIONS = (0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 2.0, 4.0)
L0 = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)  # from one element (Su et al. 2019, arXiv:1710.08864) on
# width of the softened step, and the first step of FMN as a share of the range: both together find what four runs find
RUNS = ((0.0, 1.0), (0.1, 0.3))
HALVINGS = 20
BEYOND = (1.5, 1.5, 1.5)  # of the way, three times


def min_norm_frontiers(
    model: Model,
    x: Tensor,
    y: Tensor,
    epsilons: Sequence[float],
    *,
    norm: Literal["l1", "l0"] = "l1",
    steps: int = 100,
    seed: int = 0,
    judge: Model | None = None,
    least: float = 0.0,
) -> Frontiers:
    """The frontier of each sample among `epsilons` (ascending) and the smallest change found, of whatever size.

    `x` (N, ...) with classes `y` (N,). L1 is the sum of all changes in input units, L0 the number of changed elements:
    each channel of a pixel is one. FMN (Pintor et al. 2021, arXiv:2102.12827) makes `steps` gradient steps twice, by
    true gradients and by those of softened ReLUs; for L0, whose FMN needs many steps to find anything, elements also go
    to the end of their range, those first whose gradient promises most (after Papernot et al. 2016, arXiv:1511.07528).
    What turns the answer of `judge`, None: of the model, by more than `least` is made smaller for as long as it does.
    The model is frozen and in evaluation mode, and treats the samples of a batch independently. NotApplicable when it
    gives no gradient.
    """
    judge = judge or model
    right = right_rows(judge, x, y)
    if not bool(right.any()):
        return Frontiers(torch.zeros(len(x), dtype=torch.long), x.clone(), torch.zeros(len(x)), x.clone())
    seen, asked, classes = InUnits(model, x[right]), InUnits(judge, x[right]), y[right]

    def wrong(z: Tensor) -> Tensor:
        return ~standing_rows(judge, asked.decode(z), classes, least)

    with isolated(seed):
        if norm == "l1":
            found = [_nearer(seen, z, wrong) for z in _fmn(seen, classes, norm, steps)]
        else:
            found = [_fewer(seen, z, order, wrong) for z, order in _elements(seen, classes, steps)]
    return spread_over(frontiers_of(asked, classes, [(z, math.inf) for z in found], epsilons, norm), right, x)


def sparse_noise(
    model: Model, x: Tensor, epsilon: Tensor, norm: Literal["l1", "l0"], random: torch.Generator
) -> Tensor:
    """A random change of size `epsilon` (N,) of each of `x` (N, ...), inside the bounds.

    In L0 that many elements, drawn anew from their range; in L1 a uniform direction.
    """
    low, high, unit = (torch.as_tensor(v, dtype=x.dtype).expand(x.shape[1:]) for v in (*model.bounds, model.unit))
    low, high, free = torch.minimum(low, x), torch.maximum(high, x), (unit > 0).expand(x.shape)
    drawn = torch.rand(x.shape, generator=random, dtype=x.dtype)
    if norm == "l0":
        order = torch.where(free, torch.rand(x.shape, generator=random), 2.0).flatten(1)
        picked = (order.argsort(1).argsort(1) < epsilon[:, None]).view(x.shape) & free
        return torch.where(picked, low + drawn * (high - low), x)
    sizes = -drawn.clamp_min(1e-12).log() * free
    signs = 2 * torch.randint(0, 2, x.shape, generator=random).to(x.dtype) - 1
    share = per_sample(epsilon / sizes.flatten(1).sum(1).clamp_min(1e-12), x)
    return (x + share * sizes * signs * unit).clamp(low, high)


def _elements(seen: InUnits, y: Tensor, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Changed samples, shaped like z, and how much each of their elements matters."""
    start = seen.encode(seen.x)
    for z in _fmn(seen, y, "l0", steps):
        yield z, (z - start).abs()
    leaf = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(another_class(seen.model).margin(seen(leaf), y).sum(), leaf)
    far = torch.where(gradient > 0, seen.encode(seen.high), seen.encode(seen.low))
    yield far, (gradient * (far - start)).abs().nan_to_num()


def _fmn(seen: InUnits, y: Tensor, norm: str, steps: int) -> Iterator[Tensor]:
    """What each run of FMN finds, shaped like z; where it finds nothing, the sample itself."""
    start, handle = seen.encode(seen.x), seen.for_foolbox()
    if not seen(start.clone().requires_grad_()).requires_grad:
        msg = "the model gives no gradient to its input; gradient attacks cannot be made"
        raise NotApplicable(msg)
    # of a table its deviations are what a step is measured by, of anything else the range
    span = 1.0 if seen.unit.unique().numel() > 1 else handle.bounds.upper - handle.bounds.lower
    for width, share in RUNS:
        with SoftBackward(torch.full((len(y),), width)) if width else nullcontext():
            found: Tensor = _attack(norm, steps, share * span).run(handle, start, y)
        yield found


def _attack(norm: str, steps: int, step: float) -> Any:
    """Foolbox's FMN, whose steps are of length `step` at first."""
    from foolbox.attacks.fast_minimum_norm import L0FMNAttack, L1FMNAttack

    class Crossing(L1FMNAttack):
        """Goes a little beyond the boundary: foolbox 3.3.4's ends on that of a linear model, and finds nothing."""

        def project(self, x: Any, x0: Any, epsilon: Any) -> Any:
            return super().project(x, x0, epsilon * (1 + 1e-4))

    class Exact(L0FMNAttack):
        """Changes as many elements as it may: foolbox 3.3.4's changes one more, and fails where all may change."""

        def project(self, x: Any, x0: Any, epsilon: Any) -> Any:
            away = (x.raw - x0.raw).flatten(1)
            rank = away.abs().argsort(1, descending=True).argsort(1)
            kept = torch.where(rank < epsilon.raw[:, None], away, 0.0)
            return x0 + type(x0)(kept.view(x0.shape))

    return {"l1": Crossing, "l0": Exact}[norm](steps=steps, max_stepsize=step)


def _nearer(seen: InUnits, z: Tensor, wrong: Callable[[Tensor], Tensor]) -> Tensor:
    """The point nearest to the sample, on the straight way to `z` and beyond, that halving finds to be wrong."""
    start = seen.encode(seen.x)
    for further in BEYOND:  # on the border of a model that answers at random nothing is wrong for sure
        z = torch.where(per_sample(wrong(z), z), z, start + further * (z - start))
    best, low, high = z, torch.zeros(len(z)), torch.ones(len(z))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        at = start + per_sample(middle, z) * (z - start)
        holds = wrong(at)
        best = torch.where(per_sample(holds, z), at, best)
        low, high = torch.where(holds, low, middle), torch.where(holds, middle, high)
    return best


def _fewer(seen: InUnits, z: Tensor, order: Tensor, wrong: Callable[[Tensor], Tensor]) -> Tensor:
    """As few of the elements that `z` changes, those of the highest `order` first, as halving finds to be wrong.

    They stay as they are in `z`, or go on to the end of their range: L0 does not ask how far.
    """
    start = seen.encode(seen.x)
    away = (z - start).flatten(1)
    far = torch.where(away.view(z.shape) > 0, seen.encode(seen.high), seen.encode(seen.low)) - start
    rank = order.flatten(1).argsort(1, descending=True).argsort(1).view(z.shape)
    best, low, high = z, torch.zeros(len(z)), (away != 0).sum(1).float()
    for _ in range(HALVINGS):
        middle = ((low + high) / 2).floor()
        for change in (z - start, far):
            at = start + torch.where((rank < per_sample(middle, z)) & (z != start), change, 0.0)
            holds = wrong(at) & (middle < high)
            best = torch.where(per_sample(holds, z), at, best)
            high = torch.where(holds, middle, high)
        low = torch.where(high > middle, middle, low)
    return best
