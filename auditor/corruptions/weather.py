"""Weather (Hendrycks & Dietterich 2019, arXiv:1903.12261): snow, frost, fog, and bright light.

Images are (N, C, H, W) from 0 to 1, of 1 or 3 channels; severities go from 1 to 5. What comes back may leave the range.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from auditor.corruptions.draws import Draws
from auditor.corruptions.fields import ice, plasma
from auditor.corruptions.filters import along_a_line, enlarged
from auditor.corruptions.published import strength

__all__ = ["brightness", "fog", "frost", "snow"]

TINY = 1e-12


def snow(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """`x` in falling snow: whitened, with flakes that the wind blurs downwards, and the same turned by 180 degrees."""
    mean, deviation, zoom, least, radius, sigma, kept = strength(
        x,
        severity,
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    )
    high, wide = x.shape[-2:]
    flakes = mean + deviation * draws.normal(1, math.ceil(high / zoom), math.ceil(wide / zoom))
    flakes = enlarged(flakes, zoom, high, wide)
    flakes = torch.where(flakes < least, 0.0, flakes).clamp(0, 1)
    flakes = along_a_line(flakes, round(radius), sigma, draws.uniform(low=-135, high=-45))
    pale = torch.maximum(x, grey(x) * 1.5 + 0.5)
    return kept * x + (1 - kept) * pale + flakes + flakes.rot90(2, (-2, -1))


def frost(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """`x` behind a window with ice on it.

    The published code lays photographs of frost over the image; here the ice is made of needles (see `fields.ice`), in
    about the photographs' brightness, so that figures are near the published ones, not the same.
    """
    own, of_ice = strength(
        x,
        severity,
        ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    )
    return own * x + of_ice * ice(draws, x.shape[1], *x.shape[-2:])


def fog(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """`x` in fog of uneven thickness, which lightens and flattens it."""
    thickness, decay = strength(
        x,
        severity,
        ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    )
    brightest = x.flatten(1).amax(1)[:, None, None, None]
    haze = plasma(draws, decay, *x.shape[-2:])[:, None]
    return (x + thickness * haze) * (brightest / (brightest + thickness))


def brightness(x: Tensor, severity: int, _: Draws) -> Tensor:
    """`x` in brighter light: the value of its colours (HSV) is raised, hue and saturation stay. The same for every
    draw."""
    (more,) = strength(
        x,
        severity,
        ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,)),
        ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,)),
    )
    value = x.amax(1, keepdim=True)
    raised = (value + more).clamp_max(1)
    return torch.where(value > TINY, x * (raised / value.clamp_min(TINY)), raised)


def grey(x: Tensor) -> Tensor:
    """(N, 1, H, W) how bright colours look (ITU-R BT.601); one channel as it is."""
    if x.shape[1] != 3:
        return x
    return 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]
