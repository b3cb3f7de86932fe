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
    field = torch.zeros(len(draws.generators), side, side)
    step, wobble = side, 100.0
    while step >= 2:
        half, n = step // 2, side // step

        def around(total: Tensor, n: int = n, wobble: float = wobble) -> Tensor:
            return total / 4 + wobble * draws.uniform(n, n, low=-wobble, high=wobble)

        corners = field[:, ::step, ::step].clone()
        square = corners + corners.roll(-1, 1)
        middles = around(square + square.roll(-1, 2))
        field[:, half::step, half::step] = middles
        field[:, ::step, half::step] = around(middles + middles.roll(1, 1) + corners + corners.roll(-1, 2))
        field[:, half::step, ::step] = around(middles + middles.roll(1, 2) + corners + corners.roll(-1, 1))
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
    nearest = torch.ones(n, high, wide)  # 0 on the middle of a needle, 1 where none is
    for k in range(NEEDLES):
        down = (torch.arange(high) - top[:, k, None])[:, :, None]
        right = (torch.arange(wide) - left[:, k, None])[:, None, :]
        for arm in range(ARMS):
            angle = (turned[:, k] + arm * math.pi / ARMS)[:, None, None]
            # an ellipse: the distances along the needle and off it, in its length and its thickness, squared
            along, off = (length[:, k] ** -2)[:, None, None], (thick[:, k] ** -2)[:, None, None]
            cos, sin = angle.cos(), angle.sin()
            far = (2 * cos * sin * (along - off) * down) * right
            far += (cos.square() * along + sin.square() * off) * right.square()
            far += (sin.square() * along + cos.square() * off) * down.square()
            nearest = torch.minimum(nearest, far, out=nearest)
    tint = torch.tensor(TINT if channels == 3 else (1.0,))[:, None, None]
    return ((film + NEEDLE * (1 - nearest))[:, None] * tint).clamp(0, 1)
