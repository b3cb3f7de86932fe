"""Blurs and enlargements of images (N, C, H, W), each a sum in a fixed order, so that a row's result is its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["along_a_line", "disc", "enlarged", "extended", "gaussian"]

Border = Literal["edge", "mirror", "mirror edge"]
FINE = 8.0  # the radius of a disc up to which its rim is smoothed over 3 pixels, beyond it over 5


def extended(x: Tensor, width: int, border: Border, dim: int) -> Tensor:
    """`x` with `width` more pixels at both ends of `dim`.

    They repeat the edge, mirror the image at the middle of its last pixel ("mirror"), or at its border ("mirror edge").
    """
    n = x.shape[dim]
    place = torch.arange(-width, n + width)
    if border == "edge" or n == 1:
        place = place.clamp(0, n - 1)
    else:
        period = 2 * n - 2 if border == "mirror" else 2 * n
        place = place % period
        place = torch.minimum(place, period - place - (1 if border == "mirror edge" else 0))
    ends = (x.index_select(dim, p) for p in (place[:width], place[width + n :]))
    return torch.cat([next(ends), x, next(ends)], dim)  # several times as fast as picking every pixel


def gaussian(x: Tensor, sigma: float, *, border: Border = "edge", truncate: float = 4.0) -> Tensor:
    """`x` blurred with standard deviation `sigma` in pixels, cut at `truncate` deviations, as scipy's filter does."""
    radius = int(truncate * sigma + 0.5)
    if radius == 0:
        return x
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return _separable(x, (weights / weights.sum()).tolist(), border)


def _separable(x: Tensor, weights: Sequence[float], border: Border) -> Tensor:
    radius = len(weights) // 2
    for dim in (-2, -1):
        wide, n = extended(x, radius, border, dim), x.shape[dim]
        total = wide.narrow(dim, radius, n) * weights[radius]
        for k in range(1, radius + 1):  # both sides have the same weight
            pair = wide.narrow(dim, radius - k, n) + wide.narrow(dim, radius + k, n)
            total.add_(pair, alpha=weights[radius + k])
        x = total
    return x


def disc(x: Tensor, radius: float, rim: float) -> Tensor:
    """`x` through a lens out of focus: the mean over a disc of `radius` pixels, its rim smoothed by `rim`.

    The disc is made of rows, each the difference of two running sums.
    """
    reach, smooth = int(radius), 1 if radius <= FINE else 2
    weights = np.exp(-0.5 * (np.arange(-smooth, smooth + 1) / rim) ** 2)
    high, wide = x.shape[-2:]
    x = _padded(x, reach + smooth)
    x = _valid(x, (weights / weights.sum()).tolist())
    halves = [int(math.sqrt(radius**2 - dy**2)) for dy in range(reach + 1)]
    sums = functional.pad(x.cumsum(-1), (1, 0))
    total = torch.zeros(*x.shape[:-2], high, wide)
    for dy, half in enumerate(halves):
        ends = sums.narrow(-1, reach + half + 1, wide) - sums.narrow(-1, reach - half, wide)
        total += ends.narrow(-2, reach - dy, high)
        if dy:
            total += ends.narrow(-2, reach + dy, high)
    pixels = 2 * sum(2 * half + 1 for half in halves) - (2 * halves[0] + 1)
    return total.div_(pixels)


def _padded(x: Tensor, width: int) -> Tensor:
    return extended(extended(x, width, "mirror", -1), width, "mirror", -2)


def _valid(x: Tensor, weights: Sequence[float]) -> Tensor:
    """`x` under the same weights along both sides, as many pixels shorter as they reach."""
    for dim in (-2, -1):
        n = x.shape[dim] - len(weights) + 1
        total = x.narrow(dim, 0, n) * weights[0]
        for k, weight in enumerate(weights[1:], 1):
            total.add_(x.narrow(dim, k, n), alpha=weight)
        x = total
    return x


def along_a_line(x: Tensor, radius: int, sigma: float, degrees: Tensor) -> Tensor:
    """`x` moved along a line at `degrees` (N,) for each row, ever fainter: half a Gaussian of 2 `radius` + 1 steps.

    Steps are whole pixels and the edge is repeated, as in `imagecorruptions` (after ImageMagick's motion blur).
    """
    steps = 2 * radius + 1
    weights = np.exp(-0.5 * (np.arange(steps) / sigma) ** 2)
    weights /= weights.sum()
    high, wide = x.shape[-2:]
    reach = min(steps, max(high, wide))
    far = extended(extended(x, reach, "edge", -1), reach, "edge", -2)
    blurred = torch.zeros_like(x)
    for row, angle in enumerate(degrees.double().tolist()):
        down, right = math.sin(math.radians(angle)), math.cos(math.radians(angle))
        for i, weight in enumerate(weights.tolist()):
            # what lies further than `reach` is the repeated edge alone
            dy, dx = (max(-reach, min(reach, -math.ceil(i * part - 0.5))) for part in (down, right))
            shifted = far[row, :, reach - dy : reach - dy + high, reach - dx : reach - dx + wide]
            blurred[row].add_(shifted, alpha=weight)
    return blurred


def enlarged(x: Tensor, factor: float, high: int, wide: int) -> Tensor:
    """The middle of `x` enlarged by `factor`, to `high` x `wide` pixels: linearly, as scipy's zoom does."""
    cut = [math.ceil(n / factor) for n in (high, wide)]
    top, left = ((n - c) // 2 for n, c in zip(x.shape[-2:], cut, strict=True))
    size = [round(c * factor) for c in cut]
    part = x[..., top : top + cut[0], left : left + cut[1]]
    large = functional.interpolate(part, size=size, mode="bilinear", align_corners=True)
    return large[..., :high, :wide]
