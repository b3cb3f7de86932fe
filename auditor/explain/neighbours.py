"""Random variations near one input: what LIME asks the model about, how near each is, and what its linear model sees.

Draws do not depend on the input, so that inputs of as many parts share them, and more neighbours go on where fewer end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.explain.games import Bools, Floats, Game
from auditor.tables.raw import from_raw, to_raw

__all__ = ["Draws", "Neighbourhood", "cosine_kernel", "euclidean_kernel", "of_row", "of_superpixels", "of_words"]

WIDTH = 0.25
Draws = np.ndarray[Any, Any]
Seed = tuple[int, int]


@dataclass(frozen=True)
class Neighbourhood:
    """The neighbours of one input.

    `draw` gives for a seed the first k draws, which `game` shows to the model; `seen` makes of draws (k, ...) the
    features (k, players) of the linear model, and `nearness` of features their weights (k,) in (0, 1]. Where `shared`
    is true, features and weights are the same for every input of as many players. `deviations` say of each column of a
    row how much more of a number, in units of the file, a feature of 1 is; None where it is of being there.
    """

    game: Game
    draw: Callable[[Seed, int], Draws]
    seen: Callable[[Draws], Floats]
    nearness: Callable[[Floats], Floats]
    shared: bool
    deviations: tuple[float | None, ...] = ()


# ---- how near ----------------------------------------------------------------------------------------------------
def cosine_kernel(features: Floats) -> Floats:
    """(k,) lime's weights of images and texts of which the parts `features` (k, players) are there, 1 or 0.

    sqrt(exp(-d^2 / .25^2)) for the cosine distance d to all parts there (lime_text: 100 d and a width of 25).
    """
    distance = 1 - np.sqrt(features.mean(1))
    return np.asarray(np.sqrt(np.exp(-((distance / WIDTH) ** 2))))


def euclidean_kernel(features: Floats) -> Floats:
    """(k,) lime's weights of rows at `features` (k, players) from the row at 0: sqrt(exp(-|f|^2 / (.5625 players)))."""
    return np.asarray(np.exp(-(features**2).sum(1) / (2 * 0.75**2 * features.shape[1])))


# ---- images and texts --------------------------------------------------------------------------------------------
def of_superpixels(game: Game) -> Neighbourhood:
    """Images with each superpixel hidden with probability 1/2, as lime_image has them."""

    def draw(seed: Seed, k: int) -> Bools:
        return np.asarray(np.random.default_rng(seed).random((k, game.players)) < 0.5)

    return Neighbourhood(game, draw, _floats, cosine_kernel, shared=True)


def of_words(game: Game) -> Neighbourhood:
    """Texts with some words taken out: from none to all but one, each number as likely, near to what lime_text has.

    The empty text would have a weight of exp(-8), and is no input of every model.
    """

    def draw(seed: Seed, k: int) -> Bools:
        numbers = np.random.default_rng(seed).random((k, game.players + 1))
        gone = (numbers[:, :1] * game.players).astype(np.int64)
        return np.asarray(numbers[:, 1:].argsort(1).argsort(1) >= gone)

    return Neighbourhood(game, draw, _floats, cosine_kernel, shared=True)


def _floats(draws: Draws) -> Floats:
    return draws.astype(np.float64)


# ---- rows of columns ---------------------------------------------------------------------------------------------
def of_row(x: Tensor, background: Tensor, columns: Sequence[Column], target: int) -> tuple[Neighbourhood, list[int]]:
    """Rows around `x` (F,), and which of `columns` vary in them; the others stay as they are.

    Numbers are x + s N(0, 1) for the standard deviation s in `background` (b, F); their features are in units of s.
    Categories and flags are drawn as often as they occur in it; their feature is -1 where the value is another one.
    """
    raw, own = to_raw(background, columns), to_raw(x[None], columns)[0]
    with np.errstate(invalid="ignore"):
        spread = np.nanstd(np.where(np.isnan(raw).all(0), 0, raw), axis=0)
    of_number = np.array([c.kind == "number" for c in columns])
    varied = [i for i in range(len(columns)) if spread[i] > 0 and np.isfinite(own[i])]
    numbers = of_number[varied]
    ordered = [np.sort(raw[~np.isnan(raw[:, i]), i]) for i in varied]

    def draw(seed: Seed, k: int) -> Floats:
        first, second = np.random.default_rng((*seed, 0)), np.random.default_rng((*seed, 1))
        steps, places = first.standard_normal((k, len(varied))), second.random((k, len(varied)))
        found = own[varied] + steps * spread[varied]
        for j in np.flatnonzero(~numbers):
            found[:, j] = ordered[j][(places[:, j] * len(ordered[j])).astype(np.int64)]
        return np.asarray(found)

    def seen(draws: Draws) -> Floats:
        other = (draws != own[varied]).astype(np.float64)
        return np.asarray(np.where(numbers, (draws - own[varied]) / spread[varied], -other))

    def show(draws: Draws) -> Tensor:
        whole = np.repeat(own[None], len(draws), 0)
        whole[:, varied] = draws
        changed = from_raw(whole, columns)
        stays = np.ones(len(x), np.bool_)
        for i in varied:
            stays[columns[i].start : columns[i].stop] = False
        return torch.where(torch.from_numpy(stays), x, changed)[:, None]

    game = Game(len(varied), target, show)
    of_one = tuple(float(spread[i] * columns[i].std) if of_number[i] else None for i in varied)
    return Neighbourhood(game, draw, seen, euclidean_kernel, shared=False, deviations=of_one), varied
