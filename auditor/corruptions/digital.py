"""What cameras and files do (Hendrycks & Dietterich 2019, arXiv:1903.12261): contrast, distortion, pixels, JPEG.

Images are (N, C, H, W) from 0 to 1, of 1 or 3 channels; severities go from 1 to 5.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from auditor.corruptions.draws import Draws
from auditor.corruptions.filters import gaussian
from auditor.corruptions.published import strength

__all__ = ["contrast", "elastic_transform", "jpeg_compression", "pixelate"]


def contrast(x: Tensor, severity: int, _: Draws) -> Tensor:
    """`x` in flat light: every channel nearer to its mean over the image. The same for every draw."""
    (kept,) = strength(
        x, severity, ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,)), ((0.4,), (0.3,), (0.2,), (0.1,), (0.05,))
    )
    mean = x.double().mean((-2, -1), keepdim=True).float()
    return (x - mean) * kept + mean


def elastic_transform(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """`x` stretched and squeezed in small regions, as if on rubber.

    At 224 pixels as in `imagecorruptions` (Michaelis et al. 2019, arXiv:1907.07484), whose severities grow one by one;
    at 32 as published for CIFAR-10-C, where the mildest shears the whole image and the hardest small regions.
    """
    amount, width, shear = strength(
        x,
        severity,
        ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        tuple((0.005 * a, 0.01, 0.0) for a in (12.5, 16.25, 21.25, 25.0, 30.0)),
    )
    high, wide = x.shape[-2:]
    side = min(high, wide)
    moved = draws.uniform(2, high, wide, low=-1, high=1) * (amount * side)
    down, right = gaussian(moved, width * side, border="mirror edge", truncate=3.0).unbind(1)
    rows, columns = torch.arange(high)[:, None] + down, torch.arange(wide) + right
    if shear:
        rows, columns = _sheared(rows, columns, draws.uniform(3, 2, low=-1, high=1) * (shear * side))
    place = torch.stack([(2 * columns + 1) / wide - 1, (2 * rows + 1) / high - 1], -1)
    return functional.grid_sample(x, place, mode="bilinear", padding_mode="reflection", align_corners=False)


def _sheared(rows: Tensor, columns: Tensor, away: Tensor) -> tuple[Tensor, Tensor]:
    """Where pixels at these places (N, H, W) come from when three corners of a square move `away` (N, 3, 2)."""
    high, wide = rows.shape[-2:]
    middle, third = torch.tensor([high // 2, wide // 2]), min(high, wide) // 3
    corners = middle + third * torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    moved = corners + away
    # corner 1 is the origin, the other two the axes: places have the same coordinates before and after
    (a, b), (c, d) = ((moved[:, k] - moved[:, 1]).unbind(1) for k in (0, 2))
    down, right = rows - moved[:, 1, 0, None, None], columns - moved[:, 1, 1, None, None]
    a, b, c, d = (v[:, None, None] for v in (a, b, c, d))
    area = a * d - b * c
    first, second = (down * d - right * c) / area, (right * a - down * b) / area
    back = [
        corners[1, i] + first * (corners[0, i] - corners[1, i]) + second * (corners[2, i] - corners[1, i])
        for i in (0, 1)
    ]
    return back[0], back[1]


def pixelate(x: Tensor, severity: int, _: Draws) -> Tensor:
    """`x` in fewer pixels: means over blocks, and every block in one colour. The same for every draw."""
    (share,) = strength(
        x, severity, ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,)), ((0.6,), (0.5,), (0.4,), (0.3,), (0.25,))
    )
    sides = x.shape[-2:]
    down, right = (max(1, int(n * share)) for n in sides)
    x = _means(_means(x, down, -2), right, -1)
    return x.index_select(-1, _nearest(right, sides[1])).index_select(-2, _nearest(down, sides[0]))


def _means(x: Tensor, few: int, dim: int) -> Tensor:
    """The means over `few` blocks along `dim`: of the pixels whose middle lies in the block, as Pillow's BOX has it."""
    edges = torch.arange(few + 1, dtype=torch.float64) * (x.shape[dim] / few)
    place = (edges + 0.5).long()  # the first pixel whose middle lies beyond the edge
    start, sizes = place[:-1], place.diff()
    total = x.index_select(dim, start)
    for k in range(1, int(sizes.max())):
        there = (sizes > k).to(x.dtype).view(-1, *[1] * (-1 - dim))
        total.addcmul_(x.index_select(dim, (start + k).clamp_max(x.shape[dim] - 1)), there)
    return total / sizes.view(-1, *[1] * (-1 - dim))


def _nearest(few: int, n: int) -> Tensor:
    return ((torch.arange(n, dtype=torch.float64) + 0.5) * (few / n)).long()


def jpeg_compression(x: Tensor, severity: int, _: Draws) -> Tensor:
    """`x` as a JPEG file of low quality, written and read by Pillow. The same for every draw."""
    (quality,) = strength(x, severity, ((80,), (65,), (58,), (50,), (40,)), ((25,), (18,), (15,), (10,), (7,)))
    pixels, found = x.mul(255).round_().byte().movedim(1, -1).contiguous().numpy(), torch.empty_like(x)
    for row, own in zip(found, pixels, strict=True):
        back = torch.from_numpy(_compressed(own, round(quality)))
        row.copy_(back.movedim(-1, 0) if back.ndim == 3 else back)
    return found.div_(255)


def _compressed(pixels: np.ndarray[Any, np.dtype[np.uint8]], quality: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What comes back of bytes (H, W, C): (H, W, 3), or (H, W) of one channel."""
    file = io.BytesIO()
    Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))
