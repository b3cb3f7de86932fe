"""ROAD (Rong et al. 2022, arXiv:2202.00449): pixels are removed by what their neighbours say, so that no hole shows."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from auditor.explain.games import Bools, Game
from auditor.explain.segments import Segments

__all__ = ["REACHED", "imputed", "road_game"]

REACHED = np.array([0.1, 0.3, 0.5, 0.7, 0.9])  # which parts of the pixels are removed
NOISE = 0.01
FINEST = 32  # cells along a side that are solved for
NEIGHBOURS = {
    (0, 1): 1 / 6, (0, -1): 1 / 6, (1, 0): 1 / 6, (-1, 0): 1 / 6,
    (1, 1): 1 / 12, (1, -1): 1 / 12, (-1, 1): 1 / 12, (-1, -1): 1 / 12,
}  # fmt: skip
Array = np.ndarray[Any, np.dtype[np.float64]]


def road_game(image: Tensor, segments: Segments, target: int, seed: int) -> Game:
    """The parts of an image (C, H, W) as players; who is absent is filled in from its neighbours, with a little noise.

    An image of more than 32 pixels a side is filled in on a grid of at most 32 by 32 of their means.
    """
    _, h, w = image.shape
    side = -(-max(h, w) // FINEST)
    coarse = functional.avg_pool2d(image[None], side, ceil_mode=True)[0]
    noise = np.random.default_rng(seed).normal(0, NOISE, coarse.shape)

    def show(present: Bools) -> Tensor:
        shown = torch.from_numpy(present[:, segments])
        hidden = functional.max_pool2d((~shown[:, None]).float(), side, ceil_mode=True)[:, 0].bool().numpy()
        filled = torch.stack([torch.from_numpy(imputed(coarse.double().numpy(), one, noise)) for one in hidden])
        wide = functional.interpolate(filled.float(), scale_factor=side, mode="nearest")[..., :h, :w]
        return torch.where(shown[:, None], image, wide)[:, None]

    return Game(int(segments.max()) + 1, target, show)


def imputed(image: Array, hidden: Bools, noise: Array | None = None) -> Array:
    """The image (C, H, W) with every `hidden` (H, W) pixel as the weighted mean of its eight neighbours, plus `noise`.

    Neighbours at the side weigh 1/6, at the corners 1/12, those outside the image nothing (section 4.2). An image that
    is hidden as a whole is its mean colour.
    """
    from scipy.sparse.linalg import spsolve

    found = image.copy()
    if hidden.all():
        found[:] = image.mean((1, 2), keepdims=True)
    elif hidden.any():
        weights = _weights(*hidden.shape)
        inside = hidden.ravel()
        rows = weights[inside]
        known = rows[:, ~inside] @ image.reshape(len(image), -1)[:, ~inside].T
        solved = spsolve((_diagonal(*hidden.shape)[inside][:, inside] - rows[:, inside]).tocsc(), known)
        found.reshape(len(image), -1)[:, inside] = np.asarray(solved).reshape(-1, len(image)).T
    return found if noise is None else np.where(hidden, found + noise, found)


@lru_cache(8)
def _weights(height: int, width: int) -> Any:
    """(pixels, pixels) what each pixel takes from each neighbour."""
    from scipy.sparse import coo_matrix

    y, x = (a.ravel() for a in np.mgrid[:height, :width])
    rows, columns, values = [], [], []
    for (dy, dx), weight in NEIGHBOURS.items():
        inside = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
        rows.append(np.flatnonzero(inside))
        columns.append(((y + dy) * width + x + dx)[inside])
        values.append(np.full(int(inside.sum()), weight))
    n = height * width
    return coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (n, n)).tocsr()


@lru_cache(8)
def _diagonal(height: int, width: int) -> Any:
    from scipy.sparse import diags

    return diags(np.asarray(_weights(height, width).sum(1)).ravel()).tocsr()
