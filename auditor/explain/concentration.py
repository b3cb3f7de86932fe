"""Where relevance is concentrated: the small window of an image that holds far more of it than its area."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Place", "densest", "positive_shares", "share_in"]

Shares = np.ndarray[tuple[int, int, int], np.dtype[np.float64]]
MOST_CELLS = 32  # along each side: pixels of a small image, cells of a larger one
LARGEST = 0.1  # of the image's area; a strip along a whole side is no larger
TIMES, TIMES_OTHERS = 4.0, 2.0


@dataclass(frozen=True)
class Place:
    """The pixels [top, bottom) x [left, right) of images of `height` by `width`."""

    top: int
    bottom: int
    left: int
    right: int
    height: int
    width: int

    @property
    def area(self) -> float:
        """Its part of the image, from 0 to 1."""
        return (self.bottom - self.top) * (self.right - self.left) / (self.height * self.width)

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def elsewhere(self) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        """(k, 2) top and left of every place of the same size that shares no pixel with it."""
        h, w = self.bottom - self.top, self.right - self.left
        tops, lefts = np.arange(self.height - h + 1)[:, None], np.arange(self.width - w + 1)[None]
        apart = (tops >= self.bottom) | (tops + h <= self.top) | (lefts >= self.right) | (lefts + w <= self.left)
        return np.argwhere(apart)

    def __str__(self) -> str:
        """`bottom-left 6 x 6 patch`: which ninth of the image its centre lies in, and its height and width."""
        down, across = (self.top + self.bottom) / 2 / self.height, (self.left + self.right) / 2 / self.width
        row = "top" if down < 1 / 3 else "bottom" if down > 2 / 3 else "middle"
        side = "left" if across < 1 / 3 else "right" if across > 2 / 3 else "centre"
        where = "middle" if (row, side) == ("middle", "centre") else f"{row}-{side}"
        return f"{where} {self.bottom - self.top} x {self.right - self.left} patch"


def positive_shares(maps: Tensor) -> Shares:
    """(n, rows, columns) what each cell holds of the positive relevance of maps (N, H, W): each adds up to 1.

    At most 32 by 32 cells; maps without positive relevance are left out.
    """
    size = (min(MOST_CELLS, maps.shape[1]), min(MOST_CELLS, maps.shape[2]))
    height, width = maps.shape[1:]
    down = torch.arange(height) * size[0] // height
    across = torch.arange(width) * size[1] // width
    positive = maps.double().clamp_min(0)
    sums = torch.zeros(len(maps), *size, dtype=torch.double)
    sums.index_put_((torch.arange(len(maps))[:, None, None], down[:, None], across), positive, accumulate=True)
    total = sums.sum((1, 2))
    kept = (total > 0) & total.isfinite()
    return np.asarray((sums[kept] / total[kept, None, None]).numpy())


def densest(own: Shares, others: Shares, height: int, width: int) -> Place | None:
    """The window over images of `height` by `width` that holds most of `own` shares (n, rows, columns) beyond its due.

    Its due is 4 times its area, or 2 times what it holds of the `others`' shares (m, rows, columns) where that is more.
    It is at most .1 of the image, of any shape. None for images too small for any.
    """
    rows, columns = own.shape[1:]
    cumulated = _cumulated(own.mean(0))
    theirs = _cumulated(others.mean(0) if len(others) else np.zeros((rows, columns)))
    best, place = -math.inf, None
    sizes = [(h, w) for h in range(1, rows + 1) for w in range(1, columns + 1) if h * w <= LARGEST * rows * columns]
    for h, w in sorted(sizes, key=math.prod):
        area = h * w / (rows * columns)
        beyond = _windows(cumulated, h, w) - np.maximum(TIMES * area, TIMES_OTHERS * _windows(theirs, h, w))
        i, j = np.unravel_index(int(beyond.argmax()), beyond.shape)
        if beyond[i, j] > best + 1e-12:
            best, place = float(beyond[i, j]), (int(i), int(i) + h, int(j), int(j) + w)
    if place is None:
        return None
    top, bottom = (-(-n * height // rows) for n in place[:2])
    left, right = (-(-n * width // columns) for n in place[2:])
    return Place(top, bottom, left, right, height, width)


def share_in(place: Place, shares: Shares) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(n,) what `place` holds of shares (n, rows, columns)."""
    _, rows, columns = shares.shape
    down = slice(place.top * rows // place.height, (place.bottom - 1) * rows // place.height + 1)
    across = slice(place.left * columns // place.width, (place.right - 1) * columns // place.width + 1)
    return np.asarray(shares[:, down, across].sum((1, 2)))


def _cumulated(grid: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A summed-area table: what lies above and left of each corner of a cell."""
    return np.pad(grid.cumsum(0).cumsum(1), ((1, 0), (1, 0)))


def _windows(s: np.ndarray[Any, np.dtype[np.float64]], h: int, w: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(s[h:, w:] - s[:-h, w:] - s[h:, :-w] + s[:-h, :-w])
