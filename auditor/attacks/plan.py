"""The attacks that are made at one epsilon, one after the other, on a sample that still stands there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

__all__ = ["PLAN", "STARTS", "Stage", "windows"]

Start = Literal["clean", "random", "best"]
STARTS: tuple[Start, ...] = ("clean", "random", "best")


@dataclass(frozen=True)
class Stage:
    """One attack: what it climbs, from where, and how soft activations are in its backward passes.

    `rival` None climbs the cross-entropy of the true class; r the margin of the class ranked r-th (0 = nearest) over
    the true one. `start` is the sample itself, a random point of the ball, or the point of highest margin so far.
    `soft` is the width of the softened step in units of a layer's root mean square, 0 the true gradient.
    """

    rival: int | None
    start: Start
    soft: float


PLAN = (
    Stage(None, "clean", 0.1),
    Stage(None, "clean", 0.0),
    Stage(None, "random", 0.1),
    *(Stage(rank, "best", 0.0) for rank in range(3)),
    *(Stage(rank, "random", 0.05) for rank in range(5)),
)


@cache
def windows(steps: int) -> tuple[int, ...]:
    """Length of the window that ends at each of `steps` steps, 0 where none does (Croce & Hein 2020, section 3)."""
    out, last, width = [0] * (steps + 1), 0, max(int(0.22 * steps), 1)
    while last + width <= steps:
        last += width
        out[last], width = width, max(width - max(int(0.03 * steps), 1), int(0.06 * steps), 1)
    return tuple(out)
