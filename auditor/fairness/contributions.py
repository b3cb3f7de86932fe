"""The gap in mean score between a group and the others, split into what each column adds to it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from auditor.columns import Column
from auditor.explain.games import Floats, Game, column_game, play_finite
from auditor.explain.shapley import Request, shapley
from auditor.fairness.groups import Groups
from auditor.integers import Integers
from auditor.intervals import welch
from auditor.subject import Model
from auditor.types import Measure

__all__ = ["Split", "Versus", "mean_difference", "shapley_values", "split", "versus"]

TOGETHER = 16  # rows whose coalitions are the same: what these miss differs from one such part to the next
TINY = 0.01  # of what columns add: a gap below this is next to none


@dataclass(frozen=True)
class Versus:
    """Positions of rows `inside` a group and of other rows, `outside` of it; `slice` says which group."""

    slice: str
    inside: Integers
    outside: Integers

    def among(self, rows: Integers) -> Versus:
        """The same by the places of these rows among `rows`, rising positions that hold all of them."""
        return Versus(self.slice, np.searchsorted(rows, self.inside), np.searchsorted(rows, self.outside))


@dataclass(frozen=True)
class Split:
    """A gap in mean score and its parts, a column each; `error` is what these leave of it, None without a gap."""

    gap: Measure
    parts: tuple[Measure, ...]
    error: Measure


def versus(groups: Groups, order: Integers, n: int) -> Iterator[Versus]:
    """Each group against the other named rows: the first `n` (0: all) of either in `order`, positions in random order.

    Of two groups the smaller against the larger alone, as the other comparison is the same the other way round.
    """
    sizes = groups.sizes
    every = [int(sizes.argmin())] if groups.two else range(len(groups.names))
    codes = groups.codes[order]
    for g in every:
        sides = order[codes == g], order[(codes >= 0) & (codes != g)]
        if all(map(len, sides)):
            inside, outside = (side[: n or None] for side in sides)
            yield Versus(groups.slice(g), inside, outside)


def shapley_values(
    model: Model,
    x: Tensor,
    background: Tensor,
    columns: Sequence[Column],
    target: int,
    budget: int,
    seed: int,
    size: int,
) -> Floats:
    """(R, columns) Shapley values of output `target` in rows x (R, F) against `background` (b, F).

    They sum to a row's output less the mean output of the background, whatever the `budget` of coalitions.
    """
    found = []
    for start in range(0, len(x), TOGETHER):
        games = [column_game(row, background, columns, target) for row in x[start : start + TOGETHER]]

        def values(requests: Sequence[Request], games: Sequence[Game] = games) -> list[Floats]:
            return play_finite(model, [games[r.game] for r in requests], [r.coalitions for r in requests], size)

        shares = shapley(values, [len(columns)] * len(games), first=budget, most=budget, seed=seed + start)
        found += [s.values for s in shares]
    return np.stack(found)


def split(v: Versus, values: Floats, scores: Floats, names: Sequence[str]) -> Split:
    """The gap in the scores (N,) of the rows of `v`, split by the Shapley values (N, columns) of columns `names`.

    The mean of a column's values inside less that outside is its part; all parts sum to the gap, as each row's values
    sum to its score but for a constant that is the same for all.
    """
    gap = mean_difference("score_gap", scores[v.inside], scores[v.outside], v.slice)
    parts = tuple(
        mean_difference("gap_contribution", values[v.inside, j], values[v.outside, j], f"{v.slice}&column={name}")
        for j, name in enumerate(names)
    )
    found = [m.value or 0.0 for m in parts]
    scale = max(abs(gap.value or 0.0), TINY * math.fsum(map(abs, found)))
    off = abs(math.fsum(found) - (gap.value or 0.0)) / scale if scale > 0 else None
    return Split(gap, parts, Measure("gap_ledger_error", v.slice, off, gap.n, better="lower"))


def mean_difference(name: str, first: Floats, second: Floats, where: str) -> Measure:
    """Measure of the mean of `first` less that of `second`, with Welch's interval."""
    counts: list[float] = []
    for values in (first, second):
        deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        counts += [len(values), math.fsum(values) / len(values), deviation]
    i = welch(*counts)
    return Measure(name, where, i.value, len(first) + len(second), i.low, i.high, "welch", tuple(counts))
