"""Rotations and shifts (Engstrom et al. 2019, arXiv:1712.02779): every place of a grid, the worst of which counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["CORNERS", "Place", "grid", "moved"]

LARGEST, FARTHEST = 30.0, 0.1  # degrees, and share of the side


@dataclass(frozen=True)
class Place:
    """A rotation by `degrees` (against the clock) about the middle, then a shift `down` and `right`, in shares of the
    sides."""

    degrees: float
    down: float
    right: float


# the ends of both, where the most is changed: half of the eight corners of the grid
CORNERS = tuple(Place(turn * LARGEST, turn * side * FARTHEST, side * FARTHEST) for turn in (-1, 1) for side in (-1, 1))


def grid(angles: int, shifts: int) -> tuple[Place, ...]:
    """All places of `angles` rotations up to 30 degrees and `shifts` x `shifts` shifts up to a tenth of the side.

    Both are odd and evenly spread about 0; the image as it is is not among them.
    """
    turns, steps = (
        [most * (2 * k / max(n - 1, 1) - 1) if n > 1 else 0.0 for k in range(n)]
        for most, n in ((LARGEST, angles), (FARTHEST, shifts))
    )
    return tuple(p for p in (Place(*t) for t in product(turns, steps, steps)) if p != Place(0.0, 0.0, 0.0))


def moved(x: Tensor, place: Place, bounds: tuple[Tensor | float, Tensor | float]) -> Tensor:
    """`x` (N, C, H, W) at `place`: bilinear, black (the lower of `bounds`) where nothing was."""
    low = torch.as_tensor(bounds[0], dtype=x.dtype)
    high, wide = x.shape[-2:]
    turn = math.radians(place.degrees)
    rows = torch.arange(high, dtype=torch.float64)[:, None] - (high - 1) / 2 - place.down * high
    columns = torch.arange(wide, dtype=torch.float64) - (wide - 1) / 2 - place.right * wide
    # where each pixel comes from; rows count downwards
    right = columns * math.cos(turn) - rows * math.sin(turn)
    down = columns * math.sin(turn) + rows * math.cos(turn)
    source = torch.stack([2 * right / wide, 2 * down / high], -1).to(x.dtype).expand(len(x), -1, -1, -1)
    return low + functional.grid_sample(x - low, source, mode="bilinear", padding_mode="zeros", align_corners=False)
