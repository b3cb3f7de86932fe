"""What the rules look at: the rows that are right, under attacks as they are usually made and under ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from auditor.attacks.balls import Norm, ball_of
from auditor.attacks.curve import Frontiers, robust_curve
from auditor.attacks.goals import another_class
from auditor.attacks.handles import tolerant
from auditor.attacks.naive import Climb, Loss, climb, cross_entropy, gradient_of, margin
from auditor.attacks.seen import ZERO, Seen
from auditor.attacks.square import square
from auditor.attacks.strongest import found_by_all
from auditor.attacks.transfer import distilled_copy
from auditor.errors import NotApplicable
from auditor.subject import Data, Model
from auditor.trust.planted import Planted, planted

__all__ = ["NOISE", "Budget", "Lab", "Runs", "runs_of"]

NOISE = 20
RISING = 0.01
UNDERFLOW = 1e-20  # a slope that is lost on its way back; signs of larger ones still lead


@dataclass(frozen=True)
class Budget:
    """`steps` of gradient attacks, `questions` a row of the attack by answers, `lessons` of the copy; 0 for no copy."""

    steps: int
    questions: int
    lessons: int


@dataclass(frozen=True)
class Runs:
    """N rows that are right as they are, attacked within `epsilon`, one of `epsilons`; (N,) each which rows broke.

    `fgsm`, `pgd`, `short` (a tenth of the steps), `long` (twice the steps; `pgd` where the loss had stopped rising),
    `cw` and `unbounded` are the attacks of `naive`; `plain` is the walk by the model's own gradients, `squares` by
    answers alone, `copied` by the gradients of a copy, None where none was taught; `noise` is NOISE random changes;
    `adapted` is everything there is, at each of `epsilons` (E, N). `no_slope` are the shares of rows without a gradient
    of the cross-entropy and of the margin; `alike` the cosine of two gradients of the same rows, by row. `all_free`:
    every element may change.
    """

    epsilon: float
    epsilons: tuple[float, ...]
    chance: float
    no_slope: tuple[float, float]
    alike: Tensor
    fgsm: Tensor
    pgd: Climb
    short: Tensor
    long: Tensor
    cw: Tensor
    unbounded: Tensor
    noise: Tensor
    plain: Tensor
    squares: Tensor
    copied: Tensor | None
    adapted: Tensor
    all_free: bool
    unit_test: Planted
    adapted_unit_test: Planted

    @property
    def n(self) -> int:
        """How many rows."""
        return len(self.fgsm)

    @property
    def any_broken(self) -> Tensor:
        """(N,) which rows any of the attacks within `epsilon` broke."""
        tried = (self.fgsm, self.pgd.broken, self.short, self.long, self.cw, self.noise, self.plain, self.squares)
        found = torch.stack(tried).any(0)
        return found if self.copied is None else found | self.copied


@dataclass(frozen=True)
class Lab:
    """What all runs share: the model, how it is seen, and what is spent on them."""

    model: Model
    seen: Seen
    norm: Norm
    budget: Budget
    seed: int

    def climbed(self, x: Tensor, y: Tensor, size: float, loss: Loss = cross_entropy, times: float = 1.0) -> Climb:
        """A naive attack with `times` the steps."""
        steps = max(2, round(self.budget.steps * times))
        return self._climb(x, y, size, loss, steps)

    def one_step(self, x: Tensor, y: Tensor, size: float) -> Climb:
        """The fast gradient method."""
        return self._climb(x, y, size, cross_entropy, 1)

    def _climb(self, x: Tensor, y: Tensor, size: float, loss: Loss, steps: int) -> Climb:
        judge = self.seen.model if self.seen.random else None
        return climb(self.model, x, y, size, loss=loss, steps=steps, norm=self.norm, seed=self.seed, judge=judge)


def runs_of(lab: Lab, data: Data, batch_size: int, epsilons: Sequence[float]) -> Runs:
    """All runs on the rows of `data`, which the model has right, in parts of `batch_size`.

    `epsilon` is the one of `epsilons` at which everything there is leaves nearest to half of the rows.
    """
    parts = [(b.x, b.y) for b in data.batches(batch_size)]
    steps = lab.budget.steps
    best = [found_by_all(lab.seen, x, y, epsilons, norm=lab.norm, steps=steps, seed=lab.seed).index for x, y in parts]
    adapted = torch.stack([torch.cat(best) <= k for k in range(len(epsilons))])
    epsilon = epsilons[int((adapted.float().mean(1) - 0.5).abs().argmin())]
    copy = _copy(lab, parts[0][0], epsilon)
    runs = [_runs(lab, x, y, epsilon, copy) for x, y in parts]
    joined = _joined(runs)
    return replace(joined, epsilons=tuple(epsilons), adapted=adapted)


def _copy(lab: Lab, x: Tensor, epsilon: float) -> Model | None:
    if not lab.budget.lessons:
        return None
    return distilled_copy(lab.seen.model, x, epsilon, norm=lab.norm, steps=lab.budget.lessons, seed=lab.seed)


def _runs(lab: Lab, x: Tensor, y: Tensor, epsilon: float, copy: Model | None) -> Runs:
    model, seen, norm, steps, seed = lab.model, lab.seen, lab.norm, lab.budget.steps, lab.seed
    shown = tolerant(seen.shown)
    nothing = Frontiers(torch.ones(len(x), dtype=torch.long), x.clone(), torch.zeros(len(x)), x.clone())
    squares = square(seen.model, x, y, (epsilon,), nothing, norm=norm, queries=lab.budget.questions, seed=seed)
    pgd = lab.climbed(x, y, epsilon)
    unit_test = planted(model, shown, x, epsilon, norm=norm, steps=steps, seed=seed)
    adapted_view = seen.searches[-1] if seen.searches else model
    first, again = (_gradients(model, x, y, margin) for _ in range(2))
    return Runs(
        epsilon=epsilon,
        epsilons=(),
        chance=1 / max(len(model.classes), 1),
        no_slope=(_flat(_gradients(model, x, y, cross_entropy)), _flat(first)),
        alike=_alike(first, again),
        fgsm=lab.one_step(x, y, epsilon).broken,
        pgd=pgd,
        short=lab.climbed(x, y, epsilon, times=0.1).broken,
        long=lab.climbed(x, y, epsilon, times=2).broken if _still_rising(pgd) else pgd.broken,
        cw=lab.climbed(x, y, epsilon, margin).broken,
        unbounded=lab.climbed(x, y, _everything(model, x, norm)).broken,
        noise=_noise(seen.model, x, y, epsilon, norm, seed),
        plain=_walked(lab, shown, x, y, epsilon),
        squares=squares.index == 0,
        copied=None if copy is None else _walked(lab, copy, x, y, epsilon),
        adapted=torch.zeros(0),
        all_free=bool((ball_of(norm, model, x).unit > 0).all()),
        unit_test=unit_test,
        adapted_unit_test=planted(seen.model, adapted_view, x, epsilon, norm=norm, steps=steps, seed=seed)
        if seen.hides
        else unit_test,
    )


def _joined(runs: Sequence[Runs]) -> Runs:
    """The runs of several parts as those of one."""
    weights = [r.n / sum(r.n for r in runs) for r in runs]
    joined: dict[str, Any] = {}
    for f in fields(Runs):
        values = [getattr(r, f.name) for r in runs]
        if isinstance(values[0], Tensor):
            joined[f.name] = torch.cat(values)
        elif isinstance(values[0], Climb):
            joined[f.name] = Climb(torch.cat([v.broken for v in values]), torch.cat([v.highest for v in values], 1))
        elif isinstance(values[0], Planted):
            joined[f.name] = Planted(*(sum(getattr(v, g.name) for v in values) for g in fields(Planted)))
        elif f.name == "no_slope":
            joined[f.name] = tuple(sum(w * v[i] for w, v in zip(weights, values, strict=True)) for i in range(2))
    return replace(runs[0], **joined)


def _walked(lab: Lab, view: Model, x: Tensor, y: Tensor, epsilon: float) -> Tensor:
    """What breaks by the gradients of `view`, softened ones among them."""
    try:
        found = robust_curve(
            lab.seen.model, x, y, (epsilon,), norm=lab.norm, steps=lab.budget.steps, seed=lab.seed, seen=view
        )
    except NotApplicable:
        return torch.zeros(len(x), dtype=torch.bool)
    return found.index == 0


def _still_rising(pgd: Climb) -> bool:
    """Whether the highest loss of the rows that stand rose by more than 1 % in the last tenth of the steps."""
    stood = ~pgd.broken
    if not bool(stood.any()):
        return False
    before, last = pgd.highest[-max(2, len(pgd.highest) // 10), stood].mean(), pgd.highest[-1, stood].mean()
    return bool(last > before + RISING * before.abs())


def _everything(model: Model, x: Tensor, norm: Norm) -> float:
    """The size that lets every element that may change go from one end of its range to the other."""
    low, high = (torch.as_tensor(b, dtype=x.dtype).expand(x.shape[1:]) for b in model.bounds)
    ball = ball_of(norm, model, x)
    return float(ball.distance(torch.where(ball.unit > 0, high, low)[None], low[None])[0])


def _noise(model: Model, x: Tensor, y: Tensor, epsilon: float, norm: Norm, seed: int) -> Tensor:
    ball, random = ball_of(norm, model, x), torch.Generator().manual_seed(seed)
    broken = torch.zeros(len(x), dtype=torch.bool)
    for _ in range(NOISE):
        with torch.no_grad():
            at = ball.noise(x, torch.full((len(x),), epsilon), random)
            broken |= another_class(model).reached(model(at).cpu(), y)
    return broken


def _flat(gradients: Tensor) -> float:
    return float((gradients.abs().amax(1) < UNDERFLOW).float().mean())


def _alike(first: Tensor, again: Tensor) -> Tensor:
    """The cosine of the gradients (N, D) of two passes; 1 where both are 0."""
    none = (first.abs().amax(1) < ZERO) & (again.abs().amax(1) < ZERO)
    return torch.where(none, 1.0, cosine_similarity(first, again, dim=1))


def _gradients(model: Model, x: Tensor, y: Tensor, loss: Loss) -> Tensor:
    leaf = x.clone().requires_grad_()
    return (gradient_of(loss(model(leaf).cpu(), y), leaf) * torch.as_tensor(model.unit)).flatten(1)
