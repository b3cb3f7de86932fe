"""explain.occlusion: how far the answer drops when a part of the input is hidden."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from auditor.explain.baselines import BLUR, blurred, padding
from auditor.explain.games import Bools, Floats, Game, answers, column_game
from auditor.explain.occlusion import filled_text_game, losses, spread, window_game, windows
from auditor.playing import Board, Range, background_of, boards, drawn
from auditor.registry import Context, check, sizes
from auditor.samples import Sample, explained_samples, heatmap, is_image, need_explainable, original
from auditor.stats import mean, rank_correlation
from auditor.types import Image, Measure, Result, Table

LITTLE, POOR = 0.01, 0.5
EXACT = 6  # decimals of a drop; what lies below is rounding


@check(
    "explain.occlusion",
    title="Occlusion",
    source="Zeiler & Fergus 2014, arXiv:1311.2901",
)
def explain_occlusion(
    ctx: Context,
    *,
    samples: int = sizes(2, 4, 16),
    cells: Annotated[int, Field(ge=2, le=64)] = 14,
    window: Annotated[int, Field(ge=1, le=32)] = 2,
    background: Annotated[int, Field(ge=1, le=100_000)] = sizes(20, 50, 200),
) -> Result:
    """How far the probability of the predicted class drops when one part of the input is hidden.

    What it measures: for `samples` rows (0: all) the probability of the predicted class (or the value of a model
    without classes) minus what it is with one part hidden. Over an image cut into `cells` along its shorter side slides
    a square of `window` cells in the image's mean colour; the map shows for each cell the mean drop of the squares that
    cover it. A column takes its value from each of `background` rows of the reference data (else the data) in turn:
    the bar is the mean drop, its line a 95 % interval of it over those rows. A word is taken out of its text.
    `fill_agreement` is Spearman's rank correlation between the drops under two ways of hiding: mean colour and the
    blurred image, two halves of the background, taken out and replaced by the token that fills short texts. 1 is the
    same order, 0 none; None where nothing drops or there is one way only. `largest_drop` is the mean over the rows of
    the largest drop.

    How to read it: orange and filled bars speak for the class, as it loses without them. Below an agreement of .5 the
    order depends on how parts are hidden, and a caveat says so.

    When it misleads: of two parts that say the same, neither is missed, and both get nothing. What is hidden leaves an
    input that need not exist: edges of the square, rows that contradict themselves, broken sentences.
    """
    ctx.need_model()
    need_explainable(ctx)
    shown = explained_samples(ctx, samples)
    rows, absent = background_of(ctx, background)
    found = _of_images(ctx, shown, cells, window) if is_image(ctx) else _of_parts(ctx, shown, rows)
    tables = [_known(t) for f in found for t in f.tables]
    images = [i for f in found for i in f.images]
    agreed = [f.agreement for f in found if f.agreement is not None]
    largest = [float(np.nanmax(f.drops)) for f in found if np.isfinite(f.drops).any()]
    measures = [mean("fill_agreement", agreed, better="higher"), mean("largest_drop", largest)]
    for s, f in zip(shown, found, strict=True):
        measures.append(Measure("fill_agreement", f"row={s.row}", f.agreement, 1, better="higher"))
    odd = sum(not np.isfinite(f.drops).all() for f in found)
    return Result(tuple(measures), tuple(tables), tuple(images), (absent, *_caveats(agreed, largest, odd)))


@dataclass(frozen=True)
class _Found:
    """The drops (parts,) of one row, the rank correlation of two ways of hiding, and what the report shows.

    A drop is NaN where the model gives no number without the part.
    """

    drops: Floats
    agreement: float | None
    tables: list[Table]
    images: list[Image]


def _whole(ctx: Context, shown: Sequence[Sample]) -> Floats:
    """(N,) the answers to the rows as they are."""
    x, target = torch.stack([s.x for s in shown]), torch.tensor([s.predicted for s in shown])
    return answers(ctx.need_model(), x, target, ctx.batch_size)


def _agreement(first: Floats, second: Floats) -> float | None:
    return rank_correlation(first.round(EXACT).tolist(), second.round(EXACT).tolist())


# ---- images ------------------------------------------------------------------------------------------------------
def _of_images(ctx: Context, shown: Sequence[Sample], cells: int, side: int) -> list[_Found]:
    _, height, width = shown[0].x.shape
    covers = windows(height, width, cells, side)
    games = [window_game(s.x, fill, covers, s.predicted) for s in shown for fill in _fills(s.x)]
    left = np.stack(losses(ctx.need_model(), games, ctx.batch_size)).reshape(len(shown), 2, -1)
    drops = _whole(ctx, shown)[:, None, None] - left
    return [_of_image(ctx, s, of_fills, covers) for s, of_fills in zip(shown, drops, strict=True)]


def _fills(image: Tensor) -> tuple[Tensor, Tensor]:
    """The image (C, H, W) as one colour, and without its detail."""
    return image.mean((1, 2), keepdim=True).expand_as(image), blurred(image[None], BLUR * min(image.shape[1:]))[0]


def _of_image(ctx: Context, s: Sample, drops: Floats, covers: Bools) -> _Found:
    agreement = _agreement(*drops)
    said = "" if agreement is None else f", agreement of two fills {agreement:.2f}"
    words = f"Occlusion for {s.answer} by {len(covers):,} squares{said}"
    values = torch.from_numpy(spread(np.nan_to_num(drops[0]), covers))
    return _Found(drops[0], agreement, [], [original(ctx, s), heatmap(ctx, s, values, words)])


# ---- columns and words -------------------------------------------------------------------------------------------
def _of_parts(ctx: Context, shown: Sequence[Sample], rows: Tensor | None) -> list[_Found]:
    found = boards(ctx, shown, parts=0, background=rows)
    games = [_repeats(ctx, b, rows) for b in found]
    left = iter(losses(ctx.need_model(), [g for own in games for g in own], ctx.batch_size))
    whole = _whole(ctx, shown)
    return [
        _of_board(ctx, b, y - np.stack([next(left) for _ in own]), rows is not None)
        for b, own, y in zip(found, games, whole, strict=True)
    ]


def _repeats(ctx: Context, b: Board, rows: Tensor | None) -> list[Game]:
    """The game of a row with each single row of the background; that of a text with words taken out, and filled."""
    s = b.sample
    if rows is not None:
        return [column_game(s.x, row[None], ctx.columns, s.predicted) for row in rows]
    fill = padding(ctx.need_model())
    assert b.of_token is not None  # noqa: S101 - texts have tokens
    return [b.game, *([] if fill is None else [filled_text_game(s.x, b.of_token, fill, s.predicted)])]


def _of_board(ctx: Context, b: Board, repeats: Floats, is_row: bool) -> _Found:
    """What the repeats (r, parts) of one row's drops say."""
    drops: Floats = repeats.mean(0) if is_row else repeats[0]
    halves = (repeats[::2].mean(0), repeats[1::2].mean(0)) if is_row and len(repeats) > 1 else repeats
    agreement = _agreement(halves[0], halves[1]) if len(halves) > 1 else None
    tables, images = drawn(ctx, b, drops, "drop", "", _between(repeats) if is_row else None)
    return _Found(drops, agreement, tables, images)


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


def _caveats(agreed: Sequence[float], largest: Sequence[float], odd: int) -> list[str]:
    caveats = []
    if odd:
        rows = f"{odd} row{'s' * (odd != 1)}"
        caveats.append(f"In {rows} the model gives no number without some part, as for an empty text: not counted.")
    little, apart = sum(v < LITTLE for v in largest), sum(a < POOR for a in agreed)
    if little:
        caveats.append(
            f"In {little} of {len(largest)} rows no part alone moves the answer by {LITTLE}: either many parts say the "
            "same, or the answer does not depend on them."
        )
    if apart:
        caveats.append(
            f"In {apart} of {len(agreed)} rows two ways of hiding agree by less than {POOR}: the order of the parts "
            "depends on how they are hidden."
        )
    return caveats
