"""The published strengths of a corruption, and what lies between them for images of other sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

__all__ = ["CIFAR", "IMAGENET", "strength"]

CIFAR, IMAGENET = 32, 224  # the sides of the images that strengths were published for
Strengths = Sequence[tuple[float, ...]]


def strength(x: Tensor, severity: int, cifar: Strengths, imagenet: Strengths) -> tuple[float, ...]:
    """The parameters at `severity` (1 to 5) for images `x` (N, C, H, W).

    At a shorter side of 224 pixels and more those of ImageNet-C, at 32 and less those of CIFAR-10-C; in between they
    change evenly with the logarithm of the side.
    """
    side = min(x.shape[-2:])
    share = min(1.0, max(0.0, math.log(side / CIFAR) / math.log(IMAGENET / CIFAR)))
    pairs = zip(cifar[severity - 1], imagenet[severity - 1], strict=True)
    return tuple((1 - share) * small + share * large for small, large in pairs)
