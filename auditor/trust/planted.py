"""The attack unit test: an adversarial example is planted for every row, and the attack must find it.

Zimmermann et al. 2022, arXiv:2206.13991: a readout on the model's own features calls one point on the border of the
ball another class than points inside; whoever says that nothing is there has an attack that is too weak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from auditor.attacks.balls import Norm, ball_of
from auditor.attacks.curve import robust_curve
from auditor.attacks.plan import PLAN, Stage
from auditor.errors import NotApplicable
from auditor.subject import Model

__all__ = ["Planted", "last_vector_and_outputs", "planted"]

Features = Callable[[Model, Tensor], Tensor]
INSIDE = 24  # points that are of the row's own class
RIDGE = 1e-2
CLEARLY = 1.0  # standard deviations of the points inside
# from more random points than the curve has: networks with few units have corners to be stuck in
STAGES = (*PLAN[:3], *(Stage(None, "random", soft) for soft in (0.0, 0.0, 0.1, 0.0, 0.0)))


@dataclass(frozen=True)
class Planted:
    """In how many of `n` rows the planted example was found, and in how many by one random point.

    `n` counts the rows where the features tell the planted point from the others.
    """

    found: int
    by_chance: int
    n: int


def planted(
    model: Model, seen: Model, x: Tensor, epsilon: float, *, norm: Norm = "linf", steps: int = 40, seed: int = 0
) -> Planted:
    """How many planted examples the attack by gradients of `seen` finds within `epsilon` of the rows `x` (N, ...).

    `model` gives the answers that count. Both are asked for the same features: the last vector before the outputs, or
    the outputs where only one of them shows it, as a program does not.
    """
    features = _common(model, seen, x)
    ball, random = ball_of(norm, model, x), torch.Generator().manual_seed(seed)
    radius = torch.full((len(x),), epsilon)
    border = _border(model, x, epsilon, norm, random)
    with torch.no_grad():
        inside = [features(model, ball.noise(x, 0.95 * radius, random)) for _ in range(INSIDE)]
        readouts = _Readouts.between(torch.stack(inside, 1), features(model, border))
    rows = readouts.separates.nonzero()[:, 0]
    if not len(rows):
        return Planted(0, 0, 0)
    numbered = torch.cat([x[rows].flatten(1), rows[:, None].to(x.dtype)], 1)
    judge, view = (_with_readout(_Answering(m, features, readouts, x.shape[1:]), m, x, numbered) for m in (model, seen))
    y = torch.zeros(len(rows), dtype=torch.long)
    try:
        found = robust_curve(judge, numbered, y, (epsilon,), norm=norm, steps=steps, plan=STAGES, seed=seed, seen=view)
        hits = int((found.index == 0).sum())
    except NotApplicable:
        hits = 0  # no gradient at all finds nothing
    chance = ball_of(norm, judge, numbered).noise(numbered, radius[rows], random)
    with torch.no_grad():
        return Planted(hits, int((judge(chance).argmax(1) == 1).sum()), len(rows))


def _common(model: Model, seen: Model, x: Tensor) -> Features:
    with torch.no_grad():
        shapes = [last_vector(m, x[:2]).shape for m in (model, seen)]
    return last_vector if shapes[0] == shapes[1] else lambda m, at: m(at).cpu()


def last_vector(model: Model, x: Tensor) -> Tensor:
    """(N, D) the last vector on the way to the outputs that is longer than they are; else the outputs themselves."""
    return last_vector_and_outputs(model, x)[0]


def last_vector_and_outputs(model: Model, x: Tensor) -> tuple[Tensor, Tensor]:
    """`last_vector` (N, D), and the outputs (N, C) or (N,) of the same pass."""
    passed: list[tuple[nn.Module, Tensor]] = []
    with _watched(model.module, passed):
        outputs = model(x).cpu()
    flat = outputs.reshape(len(outputs), -1)
    longer = [(m, t) for m, t in passed if t.ndim == 2 and len(t) == len(x) and t.shape[1] > flat.shape[1]]
    if not longer:
        return flat, outputs
    layer, last = longer[-1]
    # a model that answers at random is passed several times: the mean of what the layer gave
    vector = torch.stack([t.float() for m, t in longer if m is layer and t.shape == last.shape]).mean(0).cpu()
    return vector, outputs


@contextmanager
def _watched(module: nn.Module, passed: list[tuple[nn.Module, Tensor]]) -> Iterator[None]:
    def note(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        found = inputs[0] if inputs and isinstance(layer, nn.Linear) else output
        if isinstance(found, Tensor) and found.is_floating_point():
            passed.append((layer, found))

    leaves = [m for m in _modules(module) if not any(True for _ in m.children())]
    hooks = [m.register_forward_hook(note) for m in leaves if not isinstance(m, torch.jit.ScriptModule)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _modules(module: nn.Module) -> Iterator[nn.Module]:
    """All parts, those of models that a handle is wrapped around too."""
    for part in module.modules():
        yield part
        held = getattr(part, "inner", None)
        for inner in held if isinstance(held, list) else ():
            if isinstance(inner, Model):
                yield from _modules(inner.module)


def _border(model: Model, x: Tensor, epsilon: float, norm: Norm, random: torch.Generator) -> Tensor:
    """A random point on the border of each ball."""
    ball = ball_of(norm, model, x)
    away = ball.steepest(torch.randn(x.shape, generator=random, dtype=x.dtype))
    return ball.clip(x + epsilon * away, x, torch.full((len(x),), epsilon))


@dataclass(frozen=True)
class _Readouts:
    """A linear readout a row, above 0 for its planted point and below for points inside."""

    weights: Tensor
    thresholds: Tensor
    separates: Tensor

    @classmethod
    def between(cls, inside: Tensor, border: Tensor) -> _Readouts:
        """Of features inside (N, K, D) and on the border (N, D): Fisher's discriminant with a ridge."""
        inside, border = inside.double(), border.double()
        centre = inside.mean(1, keepdim=True)
        around, away = inside - centre, (border[:, None] - centre).mT
        ridge = RIDGE * around.square().sum((1, 2)).clamp_min(1e-12)[:, None, None] / inside.shape[2]
        # (A'A + ridge)^-1 d by the smaller of both sides (Woodbury): fewer points than features
        small = around @ around.mT + ridge * torch.eye(inside.shape[1], dtype=torch.float64)
        weights = (away - around.mT @ torch.linalg.solve(small, around @ away))[..., 0]
        weights = weights / weights.norm(dim=1, keepdim=True).clamp_min(1e-300)
        projected = (inside * weights[:, None]).sum(2)
        highest, reached = projected.amax(1), (border * weights).sum(1)
        # few features tell points apart by a hair only, in a corner whose being missed says nothing of an attack
        separates = reached - highest > CLEARLY * projected.std(1) + 1e-6 * highest.abs()
        return cls(weights.float(), ((highest + reached) / 2).float(), separates)


class _Answering(nn.Module):
    """Rows with their number behind: the number says which readout answers."""

    def __init__(self, model: Model, features: Features, readouts: _Readouts, shape: Sequence[int]) -> None:
        super().__init__()
        self.inner, self.features, self.readouts, self.shape = [model], features, readouts, shape

    def forward(self, numbered: Tensor) -> Tensor:
        (model,) = self.inner
        rows = numbered[:, -1].round().long()
        found = self.features(model, numbered[:, :-1].reshape(-1, *self.shape))
        z = (found * self.readouts.weights[rows]).sum(1) - self.readouts.thresholds[rows]
        return torch.stack([-z / 2, z / 2], 1)


def _with_readout(answering: _Answering, model: Model, x: Tensor, numbered: Tensor) -> Model:
    low, high = (torch.as_tensor(b, dtype=x.dtype).expand(x.shape[1:]).flatten() for b in model.bounds)
    unit = torch.as_tensor(model.unit, dtype=x.dtype).expand(x.shape[1:]).flatten()
    bounds = torch.cat([low, torch.zeros(1)]), torch.cat([high, numbered[:, -1].max()[None]])
    return Model(answering, ("nothing", "planted"), bounds, unit=torch.cat([unit, torch.zeros(1)]))
