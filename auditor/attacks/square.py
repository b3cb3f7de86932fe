"""Square attack (Andriushchenko et al. 2020, arXiv:1912.00049): random search with squares, answers alone.

Every sample is attacked in the ball just below its frontier and falls further when it breaks. Inputs that are no images
are lines, and squares are stretches of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.attacks.balls import Ball, LinfBall, Norm, ball_of, per_sample
from auditor.attacks.curve import Frontiers, confirmed
from auditor.attacks.goals import Goal, another_class
from auditor.attacks.walk import outside
from auditor.subject import Model

__all__ = ["square"]

# the share of the picture that a square takes is halved at these steps of SCHEDULE
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
SCHEDULE = 10_000
SHARE = 0.8  # at first
NEAR = 200  # where the schedule begins when the search does not
TINY = 1e-12


def square(
    model: Model,
    x: Tensor,
    y: Tensor,
    epsilons: Sequence[float],
    start: Frontiers,
    *,
    norm: Norm = "linf",
    queries: int = 5000,
    near: bool = False,
    seed: int = 0,
    goal: Goal | None = None,
) -> Frontiers:
    """The frontiers `start` of samples `x` (N, ...), or smaller ones found with `queries` questions to the model.

    A sample that breaks falls into the next smaller ball, and has as many questions again once they are used up. The
    search begins with stripes, as published; with `near` it begins with small squares, where another attack came
    closest: 100 questions from there find what 5,000 from stripes do (docs/robustness.md).
    """
    goal, ball, eps = goal or another_class(model), ball_of(norm, model, x), torch.tensor(epsilons, dtype=x.dtype)
    hunt = _Hunt(model, goal, ball, x, y, eps, start.index.clone(), start.witness.clone())
    random = torch.Generator().manual_seed(seed)
    due, shares = (start.index > 0).nonzero()[:, 0], _shares(queries, NEAR if near else 0)
    while len(due):
        first = start.closest[due] if near else hunt.stripes(due, random)
        due = hunt.round(due, first, shares, random)
    return start.sooner(confirmed(model, goal, ball, x, y, hunt.witness, start.closest, eps))


@dataclass(frozen=True)
class _Hunt:
    """The samples and, of each, the smallest epsilon that breaks it so far, with what shows it."""

    model: Model
    goal: Goal
    ball: Ball
    x: Tensor
    y: Tensor
    eps: Tensor
    index: Tensor
    witness: Tensor

    def round(self, due: Tensor, first: Tensor, shares: Sequence[float], random: torch.Generator) -> Tensor:
        """Try squares of these shares on the samples `due`; gives those that broke meanwhile and still stand below."""
        propose = _squares if isinstance(self.ball, LinfBall) else _bumps
        at, margin = self.x.clone(), torch.full((len(self.x),), -torch.inf)
        at[due], active, before = self._inside(due, first), due, self.index[due].clone()
        margin[due] = self._margins(due, at[due])
        for share in shares:
            active = self._fallen(active, at, margin)
            if not len(active):
                break
            x, radius = self.x[active], self._radius(active)
            tried = self._inside(active, propose(x, at[active], radius, self.ball.unit, share, random))
            found = self._margins(active, tried)
            better = found > margin[active]
            at[active[better]], margin[active[better]] = tried[better], found[better]
        self._fallen(active, at, margin)
        return due[(self.index[due] < before) & (self.index[due] > 0)]

    def _fallen(self, active: Tensor, at: Tensor, margin: Tensor) -> Tensor:
        """Put what broke into the next smaller ball; gives the samples of `active` that stand somewhere yet."""
        broken = active[margin[active] > 0]
        while len(broken):
            self.witness[broken] = at[broken]
            held = outside(self.ball, at[broken], self.x[broken], self.eps)
            self.index[broken] = torch.minimum(held, self.index[broken] - 1)
            broken = broken[self.index[broken] > 0]
            at[broken] = self._inside(broken, at[broken])
            margin[broken] = self._margins(broken, at[broken])
            broken = broken[margin[broken] > 0]
        return active[self.index[active] > 0]

    def stripes(self, rows: Tensor, random: torch.Generator) -> Tensor:
        """Where the search begins, as published."""
        begin = _stripes if isinstance(self.ball, LinfBall) else _tiles
        return begin(self.x[rows], self._radius(rows), self.ball.unit, random)

    def _radius(self, rows: Tensor) -> Tensor:
        return self.eps[self.index[rows] - 1]

    def _inside(self, rows: Tensor, at: Tensor) -> Tensor:
        return self.ball.clip(at, self.x[rows], self._radius(rows))

    def _margins(self, rows: Tensor, at: Tensor) -> Tensor:
        if not len(rows):
            return torch.zeros(0)
        with torch.no_grad():
            return self.goal.margin(self.model(at).cpu(), self.y[rows])


# ---- what is tried -----------------------------------------------------------------------------------------------
def _stripes(x: Tensor, radius: Tensor, unit: Tensor, random: torch.Generator) -> Tensor:
    """Each column of pixels moved as far as it may, up or down."""
    signs = _signs(_picture(x)[:, :, :1], random).expand_as(_picture(x))
    return x + per_sample(radius, x) * unit * signs.reshape(x.shape)


def _squares(x: Tensor, at: Tensor, radius: Tensor, unit: Tensor, share: float, random: torch.Generator) -> Tensor:
    """Each channel of a square moved as far as it may, up or down."""
    picture = _picture(at).clone()
    place = _window(picture, _sides(picture, share), random)
    far = _picture((per_sample(radius, x) * unit).expand_as(x)) * _signs(picture[:, :, :1, :1], random)
    picture[place] = (_picture(x) + far)[place]
    return picture.view(x.shape)


def _tiles(x: Tensor, radius: Tensor, unit: Tensor, random: torch.Generator) -> Tensor:
    """Bumps all over the picture."""
    n, channels, h, w = _picture(x).shape
    bump = _bump(max(h // 5, 1), max(w // 5, 1))
    times = (n, channels, -(-h // bump.shape[2]), -(-w // bump.shape[3]))
    away = bump.repeat(*times)[:, :, :h, :w] * _signs(_picture(x), random)
    return x + (away * per_sample(radius / _length(away), away)).reshape(x.shape) * unit


def _bumps(x: Tensor, at: Tensor, radius: Tensor, unit: Tensor, share: float, random: torch.Generator) -> Tensor:
    """What one square has been changed by, and what is still free, spent on another: a bump up beside one down."""
    away = _picture((at - x) / unit.clamp_min(1e-12) * (unit > 0)).clone()
    # a bump up beside one down takes 3 pixels; where there are few, windows must have places to choose from
    least = [min(3, max(full // 2, 1)) for full in away.shape[2:]]
    sides = [max(side, few) for side, few in zip(_sides(away, share), least, strict=True)]
    to, source = (_window(away, (sides[0], sides[1]), random) for _ in range(2))
    freed = torch.zeros_like(away)
    freed[to], freed[source] = away[to], away[source]
    unused = (radius.square() - _length(away).square()).clamp_min(0)[:, None] / away.shape[1]
    old = away[to]
    new = _bump(sides[0], sides[1]) * _signs(old[:, :, :1, :1], random)
    new = new + old / old.flatten(2).norm(dim=2).clamp_min(TINY)[:, :, None, None]
    new = new / new.flatten(2).norm(dim=2).clamp_min(TINY)[:, :, None, None]
    away[source] = 0
    away[to] = new * (unused + freed.flatten(2).square().sum(2)).sqrt()[:, :, None, None]
    return x + (away * per_sample(radius / _length(away), away)).reshape(x.shape) * unit


def _shares(queries: int, after: int) -> list[float]:
    """The share of the picture that a square takes at each question, of a schedule that begins `after` so many."""
    done = [after + step * (SCHEDULE - after) / queries for step in range(1, queries)]
    return [SHARE * 0.5 ** sum(d > h for h in HALVINGS) for d in done]


def _length(away: Tensor) -> Tensor:
    return away.flatten(1).square().sum(1).sqrt().clamp_min(TINY)


def _picture(x: Tensor) -> Tensor:
    """(N, C, H, W); what is no image as a line."""
    return x if x.ndim == 4 else x.reshape(len(x), 1, 1, -1)


def _sides(picture: Tensor, share: float) -> tuple[int, int]:
    """Height and width of a square that takes `share` of the picture."""
    h, w = picture.shape[2:]
    if h == 1:
        return 1, max(1, round(share * w))
    side = max(1, round(math.sqrt(share * h * w)))
    return min(side, h), min(side, w)


def _window(picture: Tensor, sides: tuple[int, int], random: torch.Generator) -> tuple[Tensor, ...]:
    """Where a window of these sides lies in each of N pictures, as an index of (N, C, high, wide)."""
    (n, channels, h, w), (high, wide) = picture.shape, sides
    rows = torch.randint(0, h - high + 1, (n, 1), generator=random) + torch.arange(high)
    columns = torch.randint(0, w - wide + 1, (n, 1), generator=random) + torch.arange(wide)
    samples = torch.arange(n)[:, None, None, None]
    return samples, torch.arange(channels)[None, :, None, None], rows[:, None, :, None], columns[:, None, None, :]


def _signs(like: Tensor, random: torch.Generator) -> Tensor:
    return 2 * torch.randint(0, 2, like.shape, generator=random).to(like.dtype) - 1


def _bump(high: int, wide: int) -> Tensor:
    """(1, 1, high, wide) of length 1: a pyramid up beside a pyramid down."""
    first, second = _pyramid(high, wide // 2), _pyramid(high, wide - wide // 2)
    whole = torch.cat([first, -second], 1) if wide > 1 else torch.ones(high, wide)
    return (whole / whole.square().sum().sqrt())[None, None]


def _pyramid(high: int, wide: int) -> Tensor:
    """(high, wide) that falls with the square of the distance to the middle."""
    rows, columns = ((torch.arange(n) - (n - 1) / 2).abs() for n in (high, wide))
    steps = torch.maximum(rows[:, None], columns[None]).floor() + 1
    return 1 / steps.square()
