"""How far the answers to the explained rows drop without each part of them, hidden in two ways."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from auditor.explain.baselines import BLUR, blurred, padding
from auditor.explain.games import Bools, Floats, Game, answers
from auditor.explain.occlusion import (
    columns_of,
    disjoint,
    filled_text_game,
    losses,
    row_game,
    spread,
    window_game,
    windows,
)
from auditor.explained.playing import Board, Range, boards, drawn, player
from auditor.explained.samples import Sample, heatmap, original
from auditor.registry import Context
from auditor.stats import mean, rank_correlation
from auditor.types import Image, Table

__all__ = ["Drops", "of_images", "of_parts"]

EXACT = 6  # decimals of a drop; what lies below is rounding


@dataclass(frozen=True)
class Drops:
    """By how much the answer to one row drops without each of its parts (parts,), and what the report shows of it.

    A drop is NaN where the model gives no number without the part. `agreement` is Spearman's rank correlation between
    two ways of hiding the parts, None where nothing drops or there is one way only.
    """

    drops: Floats
    agreement: float | None
    tables: list[Table]
    images: list[Image]


def _whole(ctx: Context, shown: Sequence[Sample]) -> Floats:
    """(N,) the answers to the rows as they are."""
    x, target = torch.stack([s.x for s in shown]), torch.tensor([s.predicted for s in shown])
    return answers(player(ctx), x, target, ctx.batch_size)


def _agreement(first: Floats, second: Floats) -> float | None:
    return rank_correlation(first.round(EXACT).tolist(), second.round(EXACT).tolist())


# ---- images ------------------------------------------------------------------------------------------------------
def of_images(ctx: Context, shown: Sequence[Sample], cells: int, side: int) -> list[Drops]:
    """The drops under squares of `side` cells that slide over each image, cut into `cells` along its shorter side.

    They show the image's mean colour. The other way of hiding is the blurred image, in squares beside each other.
    """
    _, height, width = shown[0].x.shape
    covers = windows(height, width, cells, side)
    beside = disjoint(covers)
    flat = [window_game(s.x, s.x.mean((1, 2), keepdim=True).expand_as(s.x), covers, s.predicted) for s in shown]
    soft = [window_game(s.x, _blurred(s.x), covers[beside], s.predicted) for s in shown]
    left = losses(player(ctx), [*flat, *soft], ctx.batch_size)
    return [
        _of_image(ctx, s, y - left[i], _agreement((y - left[i])[beside], y - left[i + len(shown)]), covers)
        for i, (s, y) in enumerate(zip(shown, _whole(ctx, shown), strict=True))
    ]


def _blurred(image: Tensor) -> Tensor:
    """The image (C, H, W) without its detail."""
    return blurred(image[None], BLUR * min(image.shape[1:]))[0]


def _of_image(ctx: Context, s: Sample, drops: Floats, agreement: float | None, covers: Bools) -> Drops:
    said = "" if agreement is None else f", agreement of two fills {agreement:.2f}"
    words = f"Occlusion for {s.answer} by {len(covers):,} squares{said}"
    values = torch.from_numpy(spread(np.nan_to_num(drops), covers))
    return Drops(drops, agreement, [], [original(ctx, s), heatmap(ctx, s, values, words)])


# ---- columns and words -------------------------------------------------------------------------------------------
def of_parts(ctx: Context, shown: Sequence[Sample], rows: Tensor | None) -> list[Drops]:
    """The drops without each column of rows, taken from each of `rows` (b, F) in turn, or without each word of texts.

    The other way of hiding is each half of `rows` for the other, and the token that fills short texts.
    """
    found = boards(ctx, shown, parts=0, background=rows)
    of_element = None if rows is None else columns_of(ctx.columns, rows.shape[1])
    games = [_repeats(ctx, b, rows, of_element) for b in found]
    left = iter(losses(player(ctx), [g for own in games for g in own], ctx.batch_size))
    whole = _whole(ctx, shown)
    return [
        _of_board(ctx, b, y - np.stack([next(left) for _ in own]), rows is not None)
        for b, own, y in zip(found, games, whole, strict=True)
    ]


def _repeats(ctx: Context, b: Board, rows: Tensor | None, of_element: Tensor | None) -> list[Game]:
    """The game of a row with each single row of the background; that of a text with words taken out, and filled."""
    s = b.sample
    if rows is not None and of_element is not None:
        return [row_game(s.x, row, of_element, len(ctx.columns), s.predicted) for row in rows]
    fill = padding(ctx.need_model())
    assert b.of_token is not None  # noqa: S101 - texts have tokens
    return [b.game, *([] if fill is None else [filled_text_game(s.x, b.of_token, fill, s.predicted)])]


def _of_board(ctx: Context, b: Board, repeats: Floats, is_row: bool) -> Drops:
    """What the repeats (r, parts) of one row's drops say."""
    drops: Floats = repeats.mean(0) if is_row else repeats[0]
    halves = (repeats[::2].mean(0), repeats[1::2].mean(0)) if is_row and len(repeats) > 1 else repeats
    agreement = _agreement(halves[0], halves[1]) if len(halves) > 1 else None
    tables, images = drawn(ctx, b, drops, "drop", "", _between(repeats) if is_row else None)
    return Drops(drops, agreement, [_known(t) for t in tables], images)


def _known(table: Table) -> Table:
    """The table with None in the place of what is no number."""
    return replace(
        table,
        rows=tuple(tuple(None if isinstance(v, float) and math.isnan(v) else v for v in row) for row in table.rows),
    )


def _between(repeats: Floats) -> Range | None:
    """The ends of the intervals of the mean over repeats (r, parts); None where these are too few."""
    if not np.isfinite(repeats).all():
        return None
    of_part = [mean("", column) for column in repeats.T.tolist()]
    if any(m.low is None for m in of_part):
        return None
    low, high = (np.array([getattr(m, end) for m in of_part], np.float64) for end in ("low", "high"))
    return low, high
