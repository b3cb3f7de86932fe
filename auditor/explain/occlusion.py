"""Occlusion (Zeiler & Fergus 2014, arXiv:1311.2901): how far the answer drops when one part of the input is hidden."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.explain.games import Bools, Floats, Game, play
from auditor.integers import Integers
from auditor.subject import Model

__all__ = ["columns_of", "disjoint", "filled_text_game", "losses", "row_game", "spread", "window_game", "windows"]

MOST_CELLS = 64  # along the longer side, however long it is


def windows(height: int, width: int, cells: int, side: int) -> Bools:
    """(windows, rows, columns) the cells under each square window that slides over an image, a cell at a time.

    The image is cut into `cells` along its shorter side and as many as fit along the other, at most 64 and none smaller
    than a pixel; a window is `side` cells wide and high, or as many as there are.
    """
    short = min(height, width)
    n = min(cells, short)
    rows, columns = (min(MOST_CELLS, length, round(n * length / short)) for length in (height, width))
    h, w = min(side, rows), min(side, columns)
    tops, lefts = np.divmod(np.arange((rows - h + 1) * (columns - w + 1)), columns - w + 1)
    down, across = (np.arange(m)[None] - first[:, None] for m, first in ((rows, tops), (columns, lefts)))
    found: Bools = ((down >= 0) & (down < h))[:, :, None] & ((across >= 0) & (across < w))[:, None]
    return found


def disjoint(covers: Bools) -> Bools:
    """(windows,) which of `covers`, as `windows` gives them, lie beside each other: no two share a cell."""
    tops, lefts = covers.any(2).argmax(1), covers.any(1).argmax(1)
    found: Bools = (tops % covers[0].any(1).sum() == 0) & (lefts % covers[0].any(0).sum() == 0)
    return found


def window_game(image: Tensor, fill: Tensor, covers: Bools, target: int) -> Game:
    """The windows over an image (C, H, W) as players; who is absent shows `fill` (C, H, W) in its place.

    `covers` (windows, rows, columns) is `windows`; what lies under an absent and a present window is hidden.
    """
    rows, columns = covers.shape[1:]
    up, across = (np.arange(n) * m // n for n, m in ((image.shape[1], rows), (image.shape[2], columns)))
    flat = covers.reshape(len(covers), -1).astype(np.float32)

    def show(present: Bools) -> Tensor:
        hidden = ((~present).astype(np.float32) @ flat > 0).reshape(-1, rows, columns)
        return torch.where(torch.from_numpy(hidden[:, up][:, :, across])[:, None], fill, image)[:, None]

    return Game(len(covers), target, show)


def columns_of(columns: Sequence[Column], width: int) -> Tensor:
    """(width,) which of `columns` each element of an input vector belongs to, -1 for none."""
    found = torch.full((width,), -1)
    for i, c in enumerate(columns):
        found[c.start : c.stop] = i
    return found


def row_game(x: Tensor, other: Tensor, of_element: Tensor, columns: int, target: int) -> Game:
    """The columns of a row (F,) as players; who is absent takes its values from the row `other` (F,).

    `of_element` (F,) is `columns_of`, which many games share, as one with many rows would give their mean alone.
    """

    def show(present: Bools) -> Tensor:
        there = torch.from_numpy(np.concatenate([present, np.ones((len(present), 1), np.bool_)], 1))
        return torch.where(there[:, of_element], x, other)[:, None]

    return Game(columns, target, show)


def filled_text_game(ids: Tensor, of_token: Integers, fill: int, target: int) -> Game:
    """The words of a text of token `ids` (T,) as players; each token of who is absent becomes the token `fill`.

    `of_token` (T,) is the player that each token belongs to, -1 for special tokens, which stay.
    """
    places = torch.from_numpy(np.array(of_token))

    def show(present: Bools) -> Tensor:
        there = torch.from_numpy(np.concatenate([present, np.ones((len(present), 1), np.bool_)], 1))
        return torch.where(there[:, places] | (ids < 0), ids, fill)[:, None]

    return Game(int(np.max(of_token, initial=-1)) + 1, target, show)


def losses(model: Model, games: Sequence[Game], rows: int) -> list[Floats]:
    """For every game the answers (players,) without each player in turn; see `games.play`."""
    without = {n: ~np.eye(n, dtype=np.bool_) for n in {g.players for g in games}}
    return play(model, games, [without[g.players] for g in games], rows)


def spread(drops: Floats, covers: Bools) -> Floats:
    """(rows, columns) for each cell of an image the mean of the `drops` (windows,) of the windows that cover it."""
    sums = np.tensordot(drops, covers.astype(np.float64), 1)
    found: Floats = sums / covers.sum(0)
    return found
