"""Inputs as games: what the model answers when only some parts of an input are there, the parts of many inputs at once.

Players are superpixels of an image, columns of a row, or words of a text. Every method that hides parts plays them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.errors import NotApplicable
from auditor.explain.players import mixed
from auditor.explain.segments import Segments, masked
from auditor.integers import Integers
from auditor.subject import Model

__all__ = ["Bools", "Floats", "Game", "answers", "column_game", "image_game", "play", "play_finite", "text_game"]

Bools = np.ndarray[Any, np.dtype[np.bool_]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Game:
    """One input as `players` parts that can be there or not; what is explained is class `target`.

    `show` gives for coalitions (k, players), True for who is there, the inputs (k, copies, ...): the answer to a
    coalition is the mean over its copies. A game of other moves takes those, a row each.
    """

    players: int
    target: int
    show: Callable[[np.ndarray[Any, Any]], Tensor]
    copies: int = 1


def image_game(image: Tensor, segments: Segments, target: int) -> Game:
    """The superpixels of an image (C, H, W) as players; who is absent is shown in the image's mean colour."""
    return Game(int(segments.max()) + 1, target, lambda present: masked(image, segments, present)[:, None])


def column_game(
    x: Tensor, background: Tensor, columns: Sequence[Column], target: int, groups: Sequence[Sequence[int]] = ()
) -> Game:
    """The columns of a row (F,) as players; who is absent takes its values from every row of `background` (b, F).

    `groups` are the columns of each player, in place of one each.
    """
    of_player = np.zeros((len(groups) or len(columns), len(columns)), np.bool_)
    for player, held in enumerate(groups or [[i] for i in range(len(columns))]):
        of_player[player, list(held)] = True

    def show(present: Bools) -> Tensor:
        return mixed(x, background, present.astype(np.float32) @ of_player > 0, columns)

    return Game(len(of_player), target, show, len(background))


def text_game(ids: Tensor, of_token: Integers, target: int, filler: int | None = None) -> Game:
    """The words of a text of token `ids` (T,), -1 behind its end, as players; who is absent is taken out of the text.

    `of_token` (T,) is the player that each token belongs to, -1 for special tokens, which stay. Where no token is left,
    the text is one token `filler`, None for none: models that average over tokens have no answer to an empty text.
    """
    places, whole = torch.from_numpy(np.array(of_token)), len(ids)

    def show(present: Bools) -> Tensor:
        there = torch.from_numpy(np.concatenate([present, np.ones((len(present), 1), np.bool_)], 1))
        kept = there[:, places] & (ids >= 0)
        order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)
        moved = ids.expand(len(present), whole).gather(1, order)
        shown = torch.where(kept.gather(1, order), moved, -1)
        if filler is not None:
            shown[~kept.any(1), 0] = filler
        return shown[:, None]

    return Game(int(np.max(of_token, initial=-1)) + 1, target, show)


def play(model: Model, games: Sequence[Game], coalitions: Sequence[np.ndarray[Any, Any]], rows: int) -> list[Floats]:
    """For every game the answers (k,) to its coalitions (k, players); see `answers`.

    The inputs of all games share batches of `rows`, so that memory does not grow with games or coalitions.
    """
    found = [np.empty(len(some)) for some in coalitions]
    for batch in _batches(games, coalitions, rows):
        shown = [games[g].show(coalitions[g][part]).flatten(0, 1) for g, part in batch]
        sizes = list(map(len, shown))
        target = torch.tensor([games[g].target for g, _ in batch]).repeat_interleave(torch.tensor(sizes))
        x = torch.cat(shown) if len(shown) > 1 else shown[0]  # a copy of images costs a tenth of a pass
        said = answers(model, x, target, rows)
        for (g, part), own in zip(batch, np.split(said, np.cumsum(sizes)[:-1]), strict=True):
            found[g][part] = own.reshape(-1, games[g].copies).mean(1)
    return found


def play_finite(model: Model, games: Sequence[Game], coalitions: Sequence[Bools], rows: int) -> list[Floats]:
    """As `play`; NotApplicable where an answer is not finite."""
    found = play(model, games, coalitions, rows)
    if not all(np.isfinite(own).all() for own in found):
        msg = "the model gives no finite answer where parts of its input are hidden"
        raise NotApplicable(msg)
    return found


def answers(model: Model, x: Tensor, target: Tensor, rows: int) -> Floats:
    """(N,) the probability of class `target` (N,) for inputs (N, ...); the value of a model without classes."""
    found = []
    with torch.no_grad():
        for part, wanted in zip(x.split(rows), target.split(rows), strict=True):
            y = model(part).cpu()
            found.append(y if model.output == "value" else y.softmax(1).gather(1, wanted[:, None])[:, 0])
    return np.asarray(torch.cat(found).double().numpy())


def _batches(games: Sequence[Game], coalitions: Sequence[Sized], rows: int) -> Iterator[list[tuple[int, slice]]]:
    """Parts of the games' coalitions that make at most `rows` inputs together, or one that alone makes more."""
    batch: list[tuple[int, slice]] = []
    room = rows
    for g, (game, some) in enumerate(zip(games, coalitions, strict=True)):
        start = 0
        while start < len(some):
            n = min(len(some) - start, room // game.copies)
            if n == 0 and batch:
                yield batch
                batch, room = [], rows
                continue
            n = max(n, 1)
            batch.append((g, slice(start, start + n)))
            start, room = start + n, room - n * game.copies
            if room <= 0:
                yield batch
                batch, room = [], rows
    if batch:
        yield batch
