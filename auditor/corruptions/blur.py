"""Blurs (Hendrycks & Dietterich 2019, arXiv:1903.12261): out of focus, through glass, in motion, while zooming.

Images are (N, C, H, W) from 0 to 1; severities go from 1 to 5.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from auditor.corruptions.draws import Draws
from auditor.corruptions.filters import along_a_line, disc, enlarged, gaussian
from auditor.corruptions.published import strength

__all__ = ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur"]


def defocus_blur(x: Tensor, severity: int, _: Draws) -> Tensor:
    """`x` out of focus: the mean over a disc. The same for every draw."""
    radius, rim = strength(
        x,
        severity,
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    )
    return disc(x, radius, rim)


def glass_blur(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """`x` through frosted glass: blurred, every pixel replaced by one nearby, and blurred again.

    The published code walks through the pixels and copies one to the next; here all look at their neighbours at once.
    """
    sigma, reach, rounds = strength(
        x,
        severity,
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    )
    most, (high, wide) = round(reach), x.shape[-2:]
    x = gaussian(x, sigma)
    rows, columns = torch.arange(high)[:, None], torch.arange(wide)
    inside = (rows > most) & (rows <= high - most) & (columns > most) & (columns <= wide - most)
    own = (rows * wide + columns).flatten()
    side = torch.arange(-most, most)
    away = (side[:, None] * wide + side).flatten()  # of all neighbours in question
    place = own.expand(len(x), -1)
    for _ in range(round(rounds)):
        lot = draws.integers(0, len(away), high * wide)
        place = place.gather(1, own + away[lot] * inside.flatten())
    return gaussian(x.flatten(2).gather(2, place[:, None].expand(-1, x.shape[1], -1)).view_as(x), sigma)


def motion_blur(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """`x` while the camera moves, at an angle of -45 to 45 degrees to the horizontal."""
    radius, sigma = strength(
        x,
        severity,
        ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    )
    return along_a_line(x, round(radius), sigma, draws.uniform(low=-45, high=45))


def zoom_blur(x: Tensor, severity: int, _: Draws) -> Tensor:
    """`x` while the camera comes nearer: the mean of enlargements of its middle. The same for every draw."""
    end, step = strength(
        x,
        severity,
        ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    )
    factors = np.arange(1, end, step).tolist()
    total = x.clone()
    for factor in factors:
        total += enlarged(x, factor, *x.shape[-2:])
    return total / (len(factors) + 1)
