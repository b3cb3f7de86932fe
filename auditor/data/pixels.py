"""Pixels to inputs: uint8 (H, W, C) to float (C, H, W) in [0, 1], resized and cropped as the audit file says."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from auditor.config import InputSpec
from auditor.errors import LoadError

__all__ = ["to_inputs", "to_size"]

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def to_inputs(pixels: Pixels) -> Tensor:
    """(N, H, W, C) or (N, H, W) bytes as float (N, C, H, W) in [0, 1]."""
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float() / 255


def to_size(picture: Image.Image, spec: InputSpec) -> Image.Image:
    """`resize` brings the short side to that length, or both to two; `size` then cuts out the centre.

    `size` alone resizes to it.
    """
    by = Image.Resampling[spec.resample.upper()]
    if spec.resize is not None:
        w, h = picture.size
        short = min(w, h)
        if isinstance(spec.resize, tuple):
            new = (spec.resize[1], spec.resize[0])
        else:
            new = (w * spec.resize // short, h * spec.resize // short)  # whole numbers: 322 * (256 / 322) is 255.99
        picture = picture if new == (w, h) else picture.resize(new, by)
    if spec.size is None:
        return picture
    height, width = spec.size
    w, h = picture.size
    if spec.resize is None:
        return picture if (w, h) == (width, height) else picture.resize((width, height), by)
    if h < height or w < width:
        msg = f"[input] size is {height}x{width}, larger than the {h}x{w} that resize = {spec.resize} leaves"
        raise LoadError(msg)
    top, left = round((h - height) / 2), round((w - width) / 2)
    return picture.crop((left, top, left + width, top + height))
