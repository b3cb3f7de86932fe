"""Shapley values of the explained rows, with what chance and what the background leave open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from auditor.explain.games import Floats, Game, column_game, play_finite
from auditor.explain.shapley import EXACT, Request, Shapley, shapley
from auditor.explained.playing import Board, player
from auditor.registry import Context

__all__ = ["Shares", "shares_of"]

FIRST = 64
BATCHES = 128  # that all coalitions of a row may fill to be counted
PARTS = 5  # of each half of a background, with coalitions of their own


@dataclass(frozen=True)
class Shares:
    """Shapley values (players,) of one row with their standard errors (players,), 0 where all coalitions were counted.

    `coalitions` were played in every part of the background; `settled` as in `Shapley`. `background_effect` is half
    the size of the difference between the values of two halves of the background, over the size of the values; None
    where the background has one row, or there is none.
    """

    values: Floats
    standard_error: Floats
    coalitions: int
    settled: bool
    background_effect: float | None

    @property
    def relative_error(self) -> float:
        """The largest standard error over the largest value; 0 where both are."""
        largest = float(np.abs(self.values).max())
        return float(self.standard_error.max()) / largest if largest > 0 else 0.0


def shares_of(ctx: Context, played: Sequence[Board], background: Tensor | None, budget: int) -> list[Shares]:
    """The shares of every board's players; rows whose coalitions can all be counted are counted, others are sampled.

    A row of columns is played against two halves of the background, each in parts with coalitions of their own: the
    values are means over them, and the halves show what the choice of the background does.
    """
    halves = [_halves(ctx, b, background) for b in played]
    found: dict[int, Shares] = {}
    for counted in (True, False):
        rows = [i for i, h in enumerate(halves) if _are_countable(h, ctx.batch_size) == counted]
        if rows:
            parts = 1 if counted or background is None else _parts(len(background))
            games = [half.split(ctx, parts) for i in rows for half in halves[i]]
            values = iter(_played(ctx, games, 2**EXACT if counted else budget))
            found |= {i: _joined([(next(values), half.rows) for half in halves[i]]) for i in rows}
    return [found[i] for i in range(len(played))]


@dataclass(frozen=True)
class _Half:
    """A board's game against one half of the background (b, F), or its own where there is none."""

    board: Board
    background: Tensor | None
    games: tuple[Game, ...]

    @property
    def rows(self) -> int:
        """How many rows stand for what is absent."""
        return sum(g.copies for g in self.games)

    def split(self, ctx: Context, n: int) -> _Half:
        """The same in `n` parts of the background."""
        if self.background is None:
            return self
        return replace(self, games=tuple(_against(ctx, self.board, self.background[p::n]) for p in range(n)))


def _halves(ctx: Context, b: Board, background: Tensor | None) -> list[_Half]:
    if background is None:
        return [_Half(b, None, (b.game,))]
    halves = [background] if len(background) < 2 else [background[::2], background[1::2]]
    return [_Half(b, half, (_against(ctx, b, half),)) for half in halves]


def _parts(rows: int) -> int:
    """Into how many equal parts each half of so many rows can be split, at most PARTS."""
    return max(k for k in range(1, PARTS + 1) if rows // 2 % k == 0 and (rows + 1) // 2 % k == 0)


def _against(ctx: Context, b: Board, background: Tensor) -> Game:
    return column_game(b.sample.x, background, ctx.columns, b.sample.predicted, b.groups)


def _are_countable(halves: Sequence[_Half], size: int) -> bool:
    players = halves[0].board.game.players
    return players <= EXACT and 2**players * sum(h.rows for h in halves) <= BATCHES * size


def _played(ctx: Context, halves: Sequence[_Half], most: int) -> list[Shapley]:
    """Shapley values of games that are the means of their parts, of which each has as many as any other."""

    def values(requests: Sequence[Request]) -> list[Floats]:
        games = [halves[r.game].games[r.part] for r in requests]
        return play_finite(player(ctx), games, [r.coalitions for r in requests], ctx.batch_size)

    players = [h.board.game.players for h in halves]
    return shapley(values, players, first=FIRST, most=most, seed=ctx.seed, parts=len(halves[0].games))


def _joined(halves: Sequence[tuple[Shapley, int]]) -> Shares:
    """The mean over the background's rows of what its halves gave."""
    rows = sum(n for _, n in halves)
    values = sum((f.values * n for f, n in halves), np.zeros_like(halves[0][0].values)) / rows
    error = np.sqrt(sum(((f.standard_error * n) ** 2 for f, n in halves), np.zeros_like(values))) / rows
    size = float(np.linalg.norm(values))
    effect = None
    if len(halves) == 2 and size > 0:
        effect = float(np.linalg.norm(halves[0][0].values - halves[1][0].values)) / 2 / size
    calls = max(f.calls for f, _ in halves)
    return Shares(values, error, calls, all(f.settled for f, _ in halves), effect)
