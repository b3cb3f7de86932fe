"""A whole curve of robust accuracy in one run: every sample walks down to its own frontier.

Balls are nested, so each sample has one frontier: the smallest epsilon that breaks it. It starts at the largest; what
breaks it is clipped into the next smaller ball and is the next start, so breaking is cheap, and only the epsilon just
below the frontier is attacked to exhaustion, by every stage of PLAN in turn. All samples share one batch, each with its
own epsilon, stage, step size and schedule (APGD's rules: Croce & Hein 2020, arXiv:2003.01690, section 3, as tensors
over the batch); who is done leaves. Some stages see softened ReLUs (`SoftBackward`), which opens networks trained for
certified robustness.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from auditor.attacks.box import Box, per_sample
from auditor.attacks.softened import SoftBackward
from auditor.errors import NotApplicable
from auditor.subject import Model

__all__ = ["PLAN", "Frontiers", "Stage", "robust_curve"]

RIVALS = 9


@dataclass(frozen=True)
class Stage:
    """One attack: what it climbs, from where, and how soft ReLUs are in its backward passes.

    `rival` None climbs the cross-entropy of the true class; r the margin of the class ranked r-th (0 = nearest) over
    the true one. `start` is the sample itself, a random point of the ball, or the point of highest margin so far.
    `soft` is the width of the softened step in units of a layer's root mean square, 0 the true gradient.
    """

    rival: int | None
    start: Literal["clean", "random", "best"]
    soft: float


PLAN = (
    Stage(None, "clean", 0.1),
    Stage(None, "clean", 0.0),
    Stage(None, "random", 0.1),
    *(Stage(rank, "best", 0.0) for rank in range(3)),
    *(Stage(rank, "random", 0.05) for rank in range(5)),
)


@dataclass(frozen=True)
class Frontiers:
    """Where N samples break.

    `index` (N,) is the position of the smallest epsilon that breaks each (0 also for samples that are wrong as they
    are), the number of epsilons where none does: robust accuracy at epsilons[k] is (index > k).mean(). `witness`
    (N, ...) are the inputs that show it, and `distance` (N,) the epsilon of each, 0 where nothing was found.
    """

    index: Tensor
    witness: Tensor
    distance: Tensor


def robust_curve(
    model: Model,
    x: Tensor,
    y: Tensor,
    epsilons: Sequence[float],
    *,
    steps: int = 40,
    plan: Sequence[Stage] = PLAN,
    seed: int = 0,
) -> Frontiers:
    """The frontier of each sample among `epsilons` (ascending, Linf, in input units) and what shows it.

    `x` (N, ...) with classes `y` (N,); each stage of `plan` makes `steps` gradient steps. The model is frozen and in
    evaluation mode, and treats the samples of a batch independently. NotApplicable when it gives no gradient.
    """
    box, eps = Box.of(model, x), torch.tensor(epsilons, dtype=x.dtype)
    with torch.no_grad():
        right = (model(x).argmax(1).cpu() == y).nonzero()[:, 0]
    witness = x.clone()
    if len(right):
        search = _Search(model, box, eps, tuple(plan), steps, torch.Generator().manual_seed(seed))
        walk = search.begin(right, x[right], y[right])
        while len(walk.id):
            walk = search.advance(walk, witness)
    with torch.no_grad():  # nothing counts that one plain forward pass does not confirm
        wrong = model(witness).argmax(1).cpu() != y
    index = torch.where(wrong, _outside(box, witness, x, eps), len(eps))
    return Frontiers(index, witness, torch.where(wrong, box.distance(witness, x), 0.0))


def _outside(box: Box, at: Tensor, x: Tensor, eps: Tensor) -> Tensor:
    """(N,) how many of the balls of the radii `eps` around `x` do not hold `at`."""
    return torch.stack([~box.holds(at, x, e.expand(len(x))) for e in eps]).sum(0)


def _nearest_rivals(model: Model, x: Tensor, y: Tensor, box: Box) -> Tensor:
    """Other classes (N, k) by margin over the margin's gradient, nearest first; of many, those of highest logit."""
    leaf = x.detach().requires_grad_()
    logits = model(leaf).cpu()
    own = logits.gather(1, y[:, None])[:, 0]
    rivals = logits.detach().scatter(1, y[:, None], -torch.inf).topk(min(RIVALS, logits.shape[1] - 1)).indices
    far = []
    for k in range(rivals.shape[1]):
        gap = own - logits.gather(1, rivals[:, k : k + 1])[:, 0]
        (gradient,) = torch.autograd.grad(gap.sum(), leaf, retain_graph=True)
        far.append(gap.detach() / (gradient * box.unit).flatten(1).abs().sum(1).clamp_min(1e-12))
    return rivals.gather(1, torch.stack(far, 1).argsort(1))


@cache
def _windows(steps: int) -> tuple[int, ...]:
    """Length of the window that ends at each step, 0 where none does."""
    out, last, width = [0] * (steps + 1), 0, max(int(0.22 * steps), 1)
    while last + width <= steps:
        last += width
        out[last], width = width, max(width - max(int(0.03 * steps), 1), int(0.06 * steps), 1)
    return tuple(out)


@dataclass
class _Walk:
    """The samples still attacked, a row each: where they are, the best so far, and how far their schedule is."""

    id: Tensor
    x: Tensor
    y: Tensor
    rivals: Tensor
    rung: Tensor  # position of the epsilon under attack
    stage: Tensor
    failed: Tensor  # stages in a row that did not break it
    step: Tensor
    rises: Tensor  # steps of this window that raised the loss
    at: Tensor
    before: Tensor
    loss: Tensor  # the last one, and the best with its place, gradient, and what it was a window ago
    top: Tensor
    top_at: Tensor
    top_gradient: Tensor
    top_then: Tensor
    margin: Tensor
    margin_at: Tensor
    size: Tensor  # of a step, and what it was a window ago
    size_then: Tensor

    def kept(self, keep: Tensor) -> _Walk:
        """The rows where `keep` holds."""
        return _Walk(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})


class _Search:
    """What is the same for all samples, and one step of all of them at once."""

    def __init__(
        self, model: Model, box: Box, eps: Tensor, plan: tuple[Stage, ...], steps: int, generator: torch.Generator
    ) -> None:
        self.model, self.box, self.eps, self.steps, self.generator = model, box, eps, steps, generator
        self.stages = len(plan)
        self.rival = torch.tensor([-1 if s.rival is None else s.rival for s in plan])
        self.soft = torch.tensor([s.soft for s in plan])
        self.start = torch.tensor([("clean", "random", "best").index(s.start) for s in plan])
        self.window = torch.tensor(_windows(steps))

    def begin(self, id: Tensor, x: Tensor, y: Tensor) -> _Walk:  # noqa: A002
        """Every sample at the largest epsilon, in the first stage."""
        n = len(id)
        rivals = torch.full((n, min(RIVALS, len(self.model.classes) - 1)), -1)
        zero, low = torch.zeros(n, dtype=torch.long), torch.full((n,), -torch.inf)
        size = torch.full((n,), 2 * float(self.eps[-1]))
        return _Walk(
            id, x, y, rivals, zero + len(self.eps) - 1, zero, zero, zero, zero, x, x,
            low, low, x, x, low, low, x, size, size,
        )  # fmt: skip

    def advance(self, w: _Walk, witness: Tensor) -> _Walk:
        """One gradient step for all; who breaks goes down the ladder, who is out of stages leaves."""
        loss, margin, gradient = self._gradient(w)
        at = w.at
        halved = self._remember(w, loss, margin, gradient)
        self._move(w, gradient, halved)
        return self._next(w, at, margin > 0, witness)

    def _gradient(self, w: _Walk) -> tuple[Tensor, Tensor, Tensor]:
        """Loss and margin (N,) of where each sample is, and the loss's gradient."""
        leaf, soft = w.at.detach().requires_grad_(), self.soft[w.stage]
        with SoftBackward(soft) if bool(soft.any()) else nullcontext():
            logits = self.model(leaf).cpu()
        if not logits.requires_grad:
            msg = "the model gives no gradient to its input; gradient attacks cannot be made"
            raise NotApplicable(msg)
        self._rank_rivals(w)
        own = logits.gather(1, w.y[:, None])[:, 0]
        rank = self.rival[w.stage]
        rival = w.rivals.gather(1, rank.clamp(0, w.rivals.shape[1] - 1)[:, None]).clamp_min(0)
        loss = torch.where(rank < 0, logits.logsumexp(1), logits.gather(1, rival)[:, 0]) - own
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        margin = logits.detach().scatter(1, w.y[:, None], -torch.inf).amax(1) - own.detach()
        return loss.detach(), margin, gradient

    def _rank_rivals(self, w: _Walk) -> None:
        """Rank the rivals of samples that have come to a stage that aims at one; most break before."""
        due = (self.rival[w.stage] >= 0) & (w.rivals[:, 0] < 0)
        if bool(due.any()):
            w.rivals = w.rivals.clone()
            w.rivals[due] = _nearest_rivals(self.model, w.x[due], w.y[due], self.box)

    def _remember(self, w: _Walk, loss: Tensor, margin: Tensor, gradient: Tensor) -> Tensor:
        """Keep the best so far; halve the step (N,) where a window has ended in which it did not pay."""
        better, nearer = per_sample(loss > w.top, w.x), per_sample(margin > w.margin, w.x)
        w.rises = w.rises + (loss > w.loss)
        w.loss, w.top, w.margin = loss, torch.maximum(loss, w.top), torch.maximum(margin, w.margin)
        w.top_at, w.top_gradient = torch.where(better, w.at, w.top_at), torch.where(better, gradient, w.top_gradient)
        w.margin_at = torch.where(nearer, w.at, w.margin_at)
        span = self.window[w.step]
        ends = span > 0
        stuck = (w.size_then == w.size) & (w.top_then >= w.top)
        halved = ends & ((w.rises < 0.75 * span) | stuck)
        w.size_then, w.top_then = torch.where(ends, w.size, w.size_then), torch.where(ends, w.top, w.top_then)
        w.rises = w.rises * ~ends
        w.size = torch.where(halved, w.size / 2, w.size)
        return halved

    def _move(self, w: _Walk, gradient: Tensor, halved: Tensor) -> None:
        """A step with momentum, from the best point where the step was halved."""
        back = per_sample(halved, w.x)
        here, slope = torch.where(back, w.top_at, w.at), torch.where(back, w.top_gradient, gradient)
        radius = self.eps[w.rung]
        moved = self.box.clip(here + per_sample(w.size, w.x) * self.box.unit * slope.sign(), w.x, radius)
        inertia = per_sample(torch.where(w.step == 0, 1.0, 0.75), w.x)
        ahead = here + inertia * (moved - here) + (1 - inertia) * (w.at - w.before)
        w.before, w.at = w.at, self.box.clip(ahead, w.x, radius)
        w.step = w.step + 1

    def _next(self, w: _Walk, at: Tensor, broken: Tensor, witness: Tensor) -> _Walk:
        """Broken: down the ladder with what broke it. Out of steps: the next stage. Out of stages: it stands."""
        spent = ~broken & (w.step > self.steps)
        witness[w.id[broken]] = at[broken]
        w.rung[broken] = _outside(self.box, at[broken], w.x[broken], self.eps) - 1
        w.failed = torch.where(broken, 0, w.failed + spent.long())
        w.stage = (w.stage + spent.long()) % self.stages
        if not bool((broken | spent).any()):
            return w
        keep = (w.rung >= 0) & (w.failed < self.stages)
        w = w.kept(keep)
        self._restart(w, broken[keep], (broken | spent)[keep])
        return w

    def _restart(self, w: _Walk, broken: Tensor, new: Tensor) -> None:
        """Put the rows of `new` at the start of their stage; those just broken start from their best point."""
        if not len(w.id):
            return
        radius = self.eps[w.rung]
        kind = per_sample(torch.where(broken, 2, self.start[w.stage]), w.x)
        random = self.box.noise(w.x, radius, self.generator)
        fresh = torch.where(kind == 0, w.x, torch.where(kind == 1, random, w.margin_at))
        fresh = self.box.clip(fresh, w.x, radius)
        there = per_sample(new, w.x)
        w.at, w.before = torch.where(there, fresh, w.at), torch.where(there, fresh, w.before)
        w.top, w.loss, w.top_then = (torch.where(new, -torch.inf, v) for v in (w.top, w.loss, w.top_then))
        w.margin = torch.where(broken, -torch.inf, w.margin)
        w.step, w.rises = w.step * ~new, w.rises * ~new
        w.size = torch.where(new, torch.where(broken, 0.5, 2.0) * radius, w.size)
        w.size_then = torch.where(new, w.size, w.size_then)
