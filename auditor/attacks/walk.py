"""All samples walk down to their frontiers at once, a row of tensors each; see auditor/attacks/curve.py."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from auditor.attacks.balls import Ball, per_sample
from auditor.attacks.goals import Goal
from auditor.attacks.plan import STARTS, Stage, windows
from auditor.attacks.softened import SoftBackward
from auditor.errors import NotApplicable
from auditor.subject import Model

__all__ = ["Rows", "Search", "outside"]

RIVALS = 9


@dataclass
class Rows:
    """The samples still attacked: where they are, the best so far, and how far their schedule is."""

    id: Tensor
    x: Tensor
    y: Tensor
    heat: Tensor  # what the goal's outputs are divided by
    rivals: Tensor  # -1 before they are needed
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

    def kept(self, keep: Tensor) -> Rows:
        """The rows where `keep` holds."""
        return Rows(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})


@dataclass(frozen=True)
class Search:
    """What is the same for all samples. `seen` is the model as gradients see it, whose answers may differ from `model`.

    A sample counts as broken where the untouched model agrees.
    """

    model: Model
    seen: Model
    goal: Goal
    ball: Ball
    eps: Tensor
    plan: Sequence[Stage]
    steps: int
    generator: torch.Generator

    def begin(self, id: Tensor, x: Tensor, y: Tensor, outputs: Tensor, witness: Tensor) -> Rows:  # noqa: A002
        """Every sample below the smallest epsilon at which the fast gradient method breaks it, in the first stage.

        `outputs` is what the model says of `x`; what broke a sample is written to `witness` (all samples, ...).
        """
        n, heat = len(id), self.goal.heat(outputs, y)
        at, index = self._fast(x, y, heat)
        broken, top = index < len(self.eps), len(self.eps) - 1
        witness[id[broken]] = at[broken]
        rung = torch.where(broken, index - 1, top)
        radius = self.eps[rung.clamp_min(0)]
        at = torch.where(per_sample(broken, x), self.ball.clip(at, x, radius), x)
        rivals = torch.full((n, min(RIVALS, self.goal.count(outputs))), -1)
        zero, low = torch.zeros(n, dtype=torch.long), torch.full((n,), -torch.inf)
        size = torch.where(broken, 0.5, 2.0) * radius
        rows = Rows(
            id, x, y, heat, rivals, rung, zero, zero, zero, zero, at, at, low, low, at, at, low, low, at, size, size
        )
        return rows.kept(rung >= 0)

    def _fast(self, x: Tensor, y: Tensor, heat: Tensor) -> tuple[Tensor, Tensor]:
        """One gradient, and the smallest epsilon (N,) that it breaks each sample with, by halving; what shows it."""
        leaf = x.detach().requires_grad_()
        outputs = self._with_gradient(leaf)
        (gradient,) = torch.autograd.grad(self.goal.loss(outputs, y, heat).sum(), leaf)
        way = self.ball.steepest(gradient.nan_to_num())
        low, high, best = torch.zeros(len(x), dtype=torch.long), torch.full((len(x),), len(self.eps)), x
        while bool((low < high).any()):
            middle = torch.div(low + high, 2, rounding_mode="floor")
            radius = self.eps[middle.clamp_max(len(self.eps) - 1)]
            at = self.ball.clip(x + per_sample(radius, x) * way, x, radius)
            with torch.no_grad():
                holds = (self.goal.margin(self.model(at).cpu(), y) > 0) & (low < high)
            best = torch.where(per_sample(holds, x), at, best)
            high, low = torch.where(holds, middle, high), torch.where(holds | (low >= high), low, middle + 1)
        return best, high

    def _with_gradient(self, leaf: Tensor) -> Tensor:
        outputs = self.seen(leaf).cpu()
        if not outputs.requires_grad:
            msg = "the model gives no gradient to its input; gradient attacks cannot be made"
            raise NotApplicable(msg)
        return outputs

    def advance(self, r: Rows, witness: Tensor, closest: Tensor) -> Rows:
        """One gradient step for all; who breaks goes down the ladder, who is out of stages leaves.

        What broke a sample is written to `witness` (all samples, ...), where it came closest last to `closest`.
        """
        loss, margin, gradient = self._gradient(r)
        at = r.at
        halved = self._remember(r, loss, margin, gradient)
        self._move(r, gradient, halved)
        return self._next(r, at, self._broken(r, at, margin), witness, closest)

    def _gradient(self, r: Rows) -> tuple[Tensor, Tensor, Tensor]:
        """Loss and margin (N,) of where each sample is, and the loss's gradient."""
        leaf, soft = r.at.detach().requires_grad_(), torch.tensor([s.soft for s in self.plan])[r.stage]
        with SoftBackward(soft) if bool(soft.any()) else nullcontext():
            outputs = self._with_gradient(leaf)
        rank = torch.tensor([-1 if s.rival is None else s.rival for s in self.plan])[r.stage]
        self._rank_rivals(r, rank)
        rival = r.rivals.gather(1, rank.clamp(0, r.rivals.shape[1] - 1)[:, None])[:, 0].clamp_min(0)
        loss = torch.where(rank < 0, self.goal.loss(outputs, r.y, r.heat), self.goal.towards(outputs, r.y, rival))
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        return loss.detach(), self.goal.margin(outputs.detach(), r.y), gradient.nan_to_num()

    def _rank_rivals(self, r: Rows, rank: Tensor) -> None:
        """Rank the rivals of samples that have come to a stage that aims at one; most break before."""
        due = (rank >= 0) & (r.rivals[:, 0] < 0)
        if bool(due.any()):
            r.rivals = r.rivals.clone()
            r.rivals[due] = self._nearest(r.x[due], r.y[due], r.rivals.shape[1])

    def _nearest(self, x: Tensor, y: Tensor, most: int) -> Tensor:
        """Rivals (N, k) by how far they are behind over how fast a change brings them nearer, nearest first."""
        leaf = x.detach().requires_grad_()
        outputs = self.seen(leaf).cpu()
        rivals = self.goal.rivals(outputs, y, most)
        far = []
        for k in range(rivals.shape[1]):
            ahead = self.goal.towards(outputs, y, rivals[:, k])
            (gradient,) = torch.autograd.grad(ahead.sum(), leaf, retain_graph=True)
            far.append(-ahead.detach() / self.ball.slope(gradient).clamp_min(1e-12))
        return rivals.gather(1, torch.stack(far, 1).argsort(1))

    def _broken(self, r: Rows, at: Tensor, margin: Tensor) -> Tensor:
        """(N,) whether the goal is reached, of which the model itself has the last word."""
        reached = margin > 0
        if self.seen is not self.model and bool(reached.any()):
            with torch.no_grad():
                outputs = self.model(at[reached]).cpu()
            reached = reached.index_put((reached,), self.goal.margin(outputs, r.y[reached]) > 0)
        return reached

    def _remember(self, r: Rows, loss: Tensor, margin: Tensor, gradient: Tensor) -> Tensor:
        """Keep the best so far; halve the step (N,) where a window has ended in which it did not pay."""
        better, nearer = per_sample(loss > r.top, r.x), per_sample(margin > r.margin, r.x)
        r.rises = r.rises + (loss > r.loss)
        r.loss, r.top, r.margin = loss, torch.maximum(loss, r.top), torch.maximum(margin, r.margin)
        r.top_at, r.top_gradient = torch.where(better, r.at, r.top_at), torch.where(better, gradient, r.top_gradient)
        r.margin_at = torch.where(nearer, r.at, r.margin_at)
        span = torch.tensor(windows(self.steps))[r.step]
        ends = span > 0
        stuck = (r.size_then == r.size) & (r.top_then >= r.top)
        halved = ends & ((r.rises < 0.75 * span) | stuck)
        r.size_then, r.top_then = torch.where(ends, r.size, r.size_then), torch.where(ends, r.top, r.top_then)
        r.rises = r.rises * ~ends
        r.size = torch.where(halved, r.size / 2, r.size)
        return halved

    def _move(self, r: Rows, gradient: Tensor, halved: Tensor) -> None:
        """A step with momentum, from the best point where the step was halved."""
        back = per_sample(halved, r.x)
        here, slope = torch.where(back, r.top_at, r.at), torch.where(back, r.top_gradient, gradient)
        radius = self.eps[r.rung]
        moved = self.ball.clip(here + per_sample(r.size, r.x) * self.ball.steepest(slope), r.x, radius)
        inertia = per_sample(torch.where(r.step == 0, 1.0, 0.75), r.x)
        ahead = here + inertia * (moved - here) + (1 - inertia) * (r.at - r.before)
        r.before, r.at = r.at, self.ball.clip(ahead, r.x, radius)
        r.step = r.step + 1

    def _next(self, r: Rows, at: Tensor, broken: Tensor, witness: Tensor, closest: Tensor) -> Rows:
        """Broken: down the ladder with what broke it. Out of steps: the next stage. Out of stages: it stands."""
        spent = ~broken & (r.step > self.steps)
        if bool(broken.any()):
            witness[r.id[broken]] = at[broken]
            r.margin_at = torch.where(per_sample(broken, r.x), at, r.margin_at)
            below = outside(self.ball, at[broken], r.x[broken], self.eps) - 1
            r.rung = r.rung.index_put((broken,), torch.minimum(below, r.rung[broken] - 1))
        r.failed = torch.where(broken, 0, r.failed + spent.long())
        r.stage = (r.stage + spent.long()) % len(self.plan)
        if not bool((broken | spent).any()):
            return r
        keep = (r.rung >= 0) & (r.failed < len(self.plan))
        closest[r.id[~keep]] = r.margin_at[~keep]
        r = r.kept(keep)
        self._restart(r, broken[keep], (broken | spent)[keep])
        return r

    def _restart(self, r: Rows, broken: Tensor, new: Tensor) -> None:
        """Put the rows of `new` at the start of their stage; those just broken start from their best point."""
        if not len(r.id):
            return
        radius = self.eps[r.rung]
        start = torch.tensor([STARTS.index(s.start) for s in self.plan])[r.stage]
        kind = per_sample(torch.where(broken, STARTS.index("best"), start), r.x)
        random = self.ball.noise(r.x, radius, self.generator)
        fresh = torch.where(kind == 0, r.x, torch.where(kind == 1, random, r.margin_at))
        fresh = self.ball.clip(fresh, r.x, radius)
        there = per_sample(new, r.x)
        r.at, r.before = torch.where(there, fresh, r.at), torch.where(there, fresh, r.before)
        r.top, r.loss, r.top_then = (torch.where(new, -torch.inf, v) for v in (r.top, r.loss, r.top_then))
        r.margin = torch.where(broken, -torch.inf, r.margin)
        r.step, r.rises = r.step * ~new, r.rises * ~new
        r.size = torch.where(new, torch.where(broken, 0.5, 2.0) * radius, r.size)
        r.size_then = torch.where(new, r.size, r.size_then)


def outside(ball: Ball, at: Tensor, x: Tensor, eps: Tensor) -> Tensor:
    """(N,) how many of the balls of the radii `eps` around `x` do not hold `at`."""
    return torch.stack([~ball.holds(at, x, e.expand(len(x))) for e in eps]).sum(0)
