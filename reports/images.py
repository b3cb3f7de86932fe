"""Evidence arrays as pictures in the page. The only place where a picture is encoded."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

__all__ = ["MOST", "change", "overlay", "photo", "strength"]

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
SMALL = 64
LARGEST = 224
CELLS = 56
MOST = 16_000  # characters of a picture in the page
QUALITIES = (80, 60, 40)
FOR, AGAINST = np.array([0.85, 0.37, 0.0]), np.array([0.05, 0.32, 0.65])


def photo(pixels: Pixels) -> str:
    """A picture (H, W, 3) as a data URL, at most LARGEST pixels a side."""
    return _encoded(_fitting(Image.fromarray(np.ascontiguousarray(pixels, np.uint8))))


def overlay(pixels: Pixels, shares: np.ndarray[Any, Any]) -> str:
    """A map (h, w) over the picture in grey: orange speaks for the class, blue against it, strength is opacity.

    Finer maps are added up in squares, CELLS a side at most: nobody should read detail that is not there.
    """
    base = np.asarray(_fitting(Image.fromarray(np.ascontiguousarray(pixels, np.uint8))), np.float64) / 255
    grey = (0.45 + 0.5 * base @ np.array([0.3, 0.59, 0.11]))[..., None]
    cells = _cells(np.asarray(shares, np.float64))
    top = float(np.quantile(np.abs(cells), 0.985)) or float(np.abs(cells).max())
    strength = np.clip(cells / top, -1, 1) if top > 0 else np.zeros_like(cells)
    v = _enlarged(strength, grey.shape[:2])[..., None]
    alpha = np.abs(v) ** 0.8 * 0.92
    mixed = grey * (1 - alpha) + np.where(v > 0, FOR, AGAINST) * alpha
    return _encoded(Image.fromarray(np.uint8(np.clip(mixed, 0, 1) * 255 + 0.5)))


def strength(sizes: np.ndarray[Any, Any], side: int = LARGEST // 2) -> str:
    """Sizes (h, w), at least 0, as shades of grey: white is the largest, black is nothing."""
    cells = np.asarray(sizes, np.float64)
    top = float(cells.max())
    shown = _enlarged(
        cells / top if top > 0 else np.zeros_like(cells), (side * cells.shape[0] // max(cells.shape), side)
    )
    return _encoded(Image.fromarray(np.uint8(np.clip(shown, 0, 1) * 255 + 0.5)))


def change(difference: np.ndarray[Any, Any]) -> tuple[str, float]:
    """A signed difference (h, w) around mid grey as a data URL, and how many times it was enlarged."""
    largest = float(np.abs(difference).max())
    factor = 0.5 / largest if largest > 0 else 1.0
    grey = np.uint8(np.clip(0.5 + np.asarray(difference, np.float64) * factor, 0, 1) * 255 + 0.5)
    return _encoded(_fitting(Image.fromarray(grey).convert("RGB"))), factor


def _cells(shares: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    side = -(-max(shares.shape) // CELLS)
    if side == 1:
        return shares
    h, w = (-(-n // side) * side for n in shares.shape)
    padded = np.zeros((h, w))
    padded[: shares.shape[0], : shares.shape[1]] = shares
    sums: np.ndarray[Any, np.dtype[np.float64]] = padded.reshape(h // side, side, w // side, side).sum((1, 3))
    return sums


def _enlarged(
    cells: np.ndarray[Any, np.dtype[np.float64]], shape: tuple[int, ...]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    rows = np.arange(shape[0]) * cells.shape[0] // shape[0]
    columns = np.arange(shape[1]) * cells.shape[1] // shape[1]
    return np.asarray(cells[rows][:, columns])


def _fitting(picture: Image.Image) -> Image.Image:
    if max(picture.size) > LARGEST:
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return picture


def _encoded(picture: Image.Image) -> str:
    """PNG for small pictures, whose pixels are to be seen; WebP for photos and for what PNG cannot hold in MOST."""
    if max(picture.size) <= SMALL and len(url := _url(picture, "PNG", optimize=True)) <= MOST:
        return url
    for quality in QUALITIES:
        if len(url := _url(picture, "WEBP", quality=quality, method=4)) <= MOST:
            return url
    half = picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)), Image.Resampling.LANCZOS)
    return _encoded(half)


def _url(picture: Image.Image, kind: str, **settings: Any) -> str:
    out = io.BytesIO()
    picture.save(out, kind, **settings)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(out.getvalue()).decode()}"
