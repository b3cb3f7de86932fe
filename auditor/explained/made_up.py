"""What to say of the rows of columns that a method makes up: how many lie off the data, and which columns to join."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from auditor.explain.games import Bools, Floats, Game
from auditor.explain.off_data import Cloud
from auditor.explain.players import correlations
from auditor.explained.samples import is_image
from auditor.percents import percent
from auditor.registry import Context
from auditor.stats import rate
from auditor.types import Measure

__all__ = ["of_all_sizes", "off_data"]

KNOWN, FEWEST, TRIED = 5000, 20, 1000  # rows that the data is known by, at most and at least, and rows that are tried
MOST_OFF, CLOSE, NAMED = 0.25, 0.9, 3


def of_all_sizes(game: Game, n: int, seed: int) -> Bools:
    """(n, players) random coalitions, each size as likely."""
    chance = np.random.default_rng(seed)
    return np.asarray(chance.random((n, game.players)) < chance.random((n, 1)))


def off_data(ctx: Context, asked: Sequence[tuple[Game, Any]]) -> tuple[list[Measure], list[str]]:
    """The rate of rows that lie off the data, of those that games show for coalitions (k, players); and a caveat.

    Off the data is what lies further from its middle than 99 % of up to 5,000 rows of the reference (else the data), by
    the Mahalanobis distance; the rate is None for fewer than 20. The caveat is there from more than a quarter on.
    Nothing for pictures and texts.
    """
    if is_image(ctx) or ctx.is_text:
        return [], []
    source = (ctx.reference or ctx.data).take(KNOWN, ctx.seed)
    known = source.read(np.arange(len(source)))
    known = known[known.isfinite().all(1)]
    if len(known) < FEWEST:
        return [rate("off_data", 0, 0, better="lower")], []
    rows = _made_up(asked, ctx.seed)
    found = rate("off_data", Cloud.of(known.double().numpy()).off(rows), len(rows), better="lower")
    if found.value is None or found.value <= MOST_OFF:
        return [found], []
    close = _close_pairs(ctx, known)
    words = (
        f"{percent(found.value)} of the rows made up lie off the data, where a model may answer as it would no real row"
    )
    if close:
        more = f" and {len(close) - NAMED:,} further pairs" if len(close) > NAMED else ""
        words = f"{words}: columns go together, such as {', '.join(close[:NAMED])}{more}"
    return [found], [f"{words}."]


def _made_up(asked: Sequence[tuple[Game, Any]], seed: int) -> Floats:
    """(n, F) rows that the games show, about 1,000 drawn of all."""
    chance = np.random.default_rng(seed)
    share = min(1.0, TRIED / max(1, sum(len(some) for _, some in asked)))
    found = []
    for game, some in asked:
        kept = some[np.sort(chance.permutation(len(some))[: max(1, round(share * len(some)))])]
        shown = game.show(kept)
        found.append(shown[np.arange(len(kept)), chance.integers(0, shown.shape[1], len(kept))].double().numpy())
    return np.concatenate(found)


def _close_pairs(ctx: Context, rows: Tensor) -> list[str]:
    """Columns that go together in `rows` (n, F), in words, the closest first."""
    size, names = np.triu(correlations(rows, ctx.columns), 1), [c.name for c in ctx.columns]
    pairs = np.argwhere(size > CLOSE)
    order = np.argsort(-size[tuple(pairs.T)], kind="stable")
    return [f"{names[i]} and {names[j]} ({size[i, j]:.2f})" for i, j in pairs[order].tolist()]
