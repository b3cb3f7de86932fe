"""Made-up weather: a cloudy field for fog, and needles of ice for frost."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from auditor.corruptions.draws import Draws

__all__ = ["ice", "plasma"]

NEEDLES, ARMS = 24, 3  # crystals a window, and lines through the middle of each, 60 degrees apart
TINT = (0.92, 1.0, 1.08)  # of red, green and blue: ice is bluish
GROUND, NEEDLE = 0.35, 0.5  # brightness of the film of ice and of the needles in it


def plasma(draws: Draws, decay: float, high: int, wide: int) -> Tensor:
    """(N, high, wide) clouds from 0 to 1, by the diamond-square algorithm; `decay` is how fast details fade.

    After the published code: the cloud is periodic, of the next power of two, and stretched to reach 0 and 1.
    """
    side = max(2, 1 << (max(high, wide) - 1).bit_length())
    field = draws.uniform(side, side, low=-1, high=1)  # what each place will be off the mean of those around it
    field[:, 0, 0] = 0
    step, wobble = side, 100.0
    while step >= 2:
        half, size = step // 2, wobble**2
        corners = field[:, ::step, ::step].clone()
        square = corners + corners.roll(-1, 1)
        middles = field[:, half::step, half::step]
        middles.mul_(size).add_(square + square.roll(-1, 2), alpha=0.25)
        middles = middles.clone()
        around = middles + middles.roll(1, 1) + corners + corners.roll(-1, 2)
        field[:, ::step, half::step].mul_(size).add_(around, alpha=0.25)
        around = middles + middles.roll(1, 2) + square
        field[:, half::step, ::step].mul_(size).add_(around, alpha=0.25)
        step, wobble = half, wobble / decay
    low = field.flatten(1).amin(1)[:, None, None]
    field = field - low
    return (field / field.flatten(1).amax(1)[:, None, None].clamp_min(1e-12))[:, :high, :wide]


def ice(draws: Draws, channels: int, high: int, wide: int) -> Tensor:
    """(N, channels, high, wide) ice on a window, from 0 to 1: an uneven film with star-shaped needles in it.

    Each of NEEDLES crystals has ARMS lines through a place of its own; a line is bright where it is near, and fades
    over its length. The brightness is about that of the photographs that ImageNet-C was made with (mean .4 to .8).
    """
    n, side = len(draws.generators), min(high, wide)
    film = GROUND * (0.5 + plasma(draws, 2.0, high, wide))
    top, left = draws.uniform(NEEDLES) * high, draws.uniform(NEEDLES) * wide
    turned = draws.uniform(NEEDLES) * math.pi / ARMS
    length = (0.1 + 0.35 * draws.uniform(NEEDLES)) * side
    thick = (0.008 + 0.012 * draws.uniform(NEEDLES)) * side + 0.35
    arms = torch.arange(ARMS) * (math.pi / ARMS)
    each = [v[:, :, None].expand(-1, -1, ARMS).flatten(1) for v in (top, left, length, thick)]
    nearest = _nearest((n, high, wide), each[0], each[1], (turned[:, :, None] + arms).flatten(1), each[2], each[3])
    tint = torch.tensor(TINT if channels == 3 else (1.0,))[:, None, None]
    return (film.add_(nearest.neg_().add_(1), alpha=NEEDLE)[:, None] * tint).clamp_(0, 1)


def _nearest(
    size: tuple[int, int, int], top: Tensor, left: Tensor, angle: Tensor, length: Tensor, thick: Tensor
) -> Tensor:
    """(N, high, wide) the squared distance from the nearest of a row's K ellipses (N, K), in their own lengths and
    thicknesses: 0 in the middle of one, 1 where none is."""
    nearest, (_, high, wide) = torch.ones(size), size
    cos, sin, along, off = angle.cos(), angle.sin(), length**-2, thick**-2
    # an ellipse: a * down**2 + b * down * right + c * right**2 <= 1
    a, b, c = sin**2 * along + cos**2 * off, 2 * cos * sin * (along - off), cos**2 * along + sin**2 * off
    rows = _boxes(top, length * thick * c.sqrt(), high)
    columns = _boxes(left, length * thick * a.sqrt(), wide)
    down = torch.arange(high) - top[:, :, None]
    right = torch.arange(wide) - left[:, :, None]
    of_down, of_right, linear = a[:, :, None] * down**2, c[:, :, None] * right, b[:, :, None] * down
    for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
        far = (linear[:, k, i, None] + of_right[:, k, None, j]).mul_(right[:, k, None, j]).add_(of_down[:, k, i, None])
        part = nearest[:, i, j]
        torch.minimum(part, far, out=part)
    return nearest


def _boxes(middle: Tensor, reach: Tensor, n: int) -> list[slice]:
    """Of each of K ellipses (N, K) the places of n that any row's reaches, and a few more: beyond, all are above 1."""
    first, last = (middle - reach).amin(0).long() - 1, (middle + reach).amax(0).long() + 3
    return [slice(max(0, i), min(n, j)) for i, j in zip(first.tolist(), last.tolist(), strict=True)]
