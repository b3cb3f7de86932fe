"""An image as a few players: superpixels, and the image with some of them replaced by its mean colour."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Segments", "cells", "masked", "superpixels"]

Segments = np.ndarray[tuple[int, int], np.dtype[np.int64]]


def superpixels(image: Tensor, about: int) -> Segments:
    """(H, W) numbers 0 .. k - 1 of connected parts of similar colour of an image (C, H, W), `about` of them (SLIC).

    An image too small for that many is cut into squares, at least one pixel each.
    """
    from skimage.segmentation import slic

    _, h, w = image.shape
    if min(h, w) < 16:
        side = max(1, round((h * w / about) ** 0.5))
        grid = (np.arange(h)[:, None] // side) * -(-w // side) + np.arange(w)[None] // side
        return np.asarray(grid, np.int64)
    pixels: Any = image.permute(1, 2, 0).double().numpy()
    found = slic(pixels, n_segments=about, compactness=10.0 if len(image) == 3 else 0.1, channel_axis=-1, start_label=0)
    return np.unique(found, return_inverse=True)[1].reshape(h, w).astype(np.int64)


def cells(height: int, width: int, most: int) -> Segments:
    """(H, W) numbers 0 .. k - 1 of equal squares in reading order, at most `most` along each side."""
    side = -(-max(height, width) // most)
    return np.asarray(np.arange(height)[:, None] // side * -(-width // side) + np.arange(width) // side, np.int64)


def masked(image: Tensor, segments: Segments, present: np.ndarray[Any, Any]) -> Tensor:
    """(k, C, H, W): the image with only the superpixels of each row of `present` (k, players); the rest mean colour."""
    shown = torch.from_numpy(np.asarray(present, np.bool_)[:, segments])[:, None]
    return torch.where(shown, image, image.mean((1, 2), keepdim=True))
