"""The explained rows as games: who plays, what the players are called, and how what they get is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from auditor.data.words import sentences
from auditor.errors import NotApplicable
from auditor.explain.baselines import padding
from auditor.explain.games import Floats, Game, column_game, image_game, text_game
from auditor.explain.players import alike
from auditor.explain.quick import channels_last
from auditor.explain.segments import Segments, superpixels
from auditor.explained.samples import SHOWN, Sample, heatmap, is_image, original, words_of
from auditor.integers import Integers
from auditor.registry import Context
from auditor.subject import Model
from auditor.types import Image, Scalar, Table

__all__ = ["Board", "Range", "background_of", "boards", "drawn", "playable", "player"]

MOST_WORDS = 100  # of a longer text the sentences play
DEVIATION = "standard deviation"
Range = tuple[Floats, Floats]


@dataclass(frozen=True)
class Board:
    """One sample as a game whose players have `names`; a row's also have the `values` of their columns, `groups`.

    `segments` (H, W) are the players' pixels of an image, `of_token` (T,) the player of each token of a text, None for
    others; `unit` is what a player is. Where the figure of a number is for so much more of it and not for its value,
    `deviations` (players,) say how much; None of players whose figure is for being there.
    """

    sample: Sample
    game: Game
    unit: str
    names: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    segments: Segments | None = None
    of_token: Integers | None = None
    deviations: tuple[float | None, ...] = ()


def boards(
    ctx: Context, samples: Sequence[Sample], *, parts: int, background: Tensor | None, alike_above: float = 1.0
) -> list[Board]:
    """The samples as games: about `parts` superpixels of an image, columns of a row, words of a text.

    Absent columns come from `background` (b, F), see `background_of`; those whose rank correlation in it is beyond
    `alike_above` are one player. The sentences of a text play where it has more than 100 words. NotApplicable for a
    text without words.
    """
    if is_image(ctx):
        return [_of_image(s, parts) for s in samples]
    if ctx.is_text:
        return [_of_text(ctx, s) for s in samples]
    assert background is not None  # noqa: S101 - rows of columns have one
    groups = alike(background, ctx.columns, alike_above)
    return [_of_row(ctx, s, background, groups) for s in samples]


def background_of(ctx: Context, n: int) -> tuple[Tensor | None, str]:
    """(n, F) rows that absent columns take their values from, None for pictures and texts; and what absence means."""
    if is_image(ctx):
        return None, "An absent part of an image is shown in the image's mean colour."
    if ctx.is_text:
        return None, "An absent word is taken out of the text."
    drawn = (ctx.reference or ctx.data).take(n, ctx.seed)
    source = "the reference data" if ctx.reference is not None else "the audited data, as no reference was given"
    every = drawn.read(np.arange(len(drawn)))
    rows = every[every.isfinite().all(1)]
    odd = len(every) - len(rows)
    if not len(rows):
        msg = f"all {odd:,} rows of {source.partition(',')[0]} hold NaN or infinity; expected one without"
        raise NotApplicable(msg)
    words = f"Absent columns take their values from {len(rows):,} row{'s' * (len(rows) != 1)} of {source}"
    if odd:
        return rows, f"{words}; {odd:,} more hold NaN or infinity and are left out."
    return rows, f"{words}." if len(rows) > 1 else f"{words}: all figures are in comparison with that one."


def playable(ctx: Context, samples: Sequence[Sample]) -> tuple[list[Sample], list[str]]:
    """The samples that have players, and what to say of texts without words, which have none.

    NotApplicable where there are such texts alone.
    """
    if not ctx.is_text:
        return list(samples), []
    found = [s for s in samples if words_of(ctx, s).words]
    left = len(samples) - len(found)
    if not found:
        msg = f"none of {len(samples)} texts has words"
        raise NotApplicable(msg)
    return found, [f"{left} of {len(samples)} texts have no words and are left out."] if left else []


def player(ctx: Context) -> Model:
    """The model as games ask it: with the channels last in memory where it takes images so, found out once an audit."""
    if "player" not in ctx.shared:
        ctx.shared["player"] = channels_last(ctx.need_model(), ctx.data.read(np.zeros(1, np.int64)))
    return cast("Model", ctx.shared["player"])


def _of_image(s: Sample, parts: int) -> Board:
    segments = superpixels(s.x, parts)
    game = image_game(s.x, segments, s.predicted)
    return Board(s, game, "part", tuple(f"part {i + 1}" for i in range(game.players)), segments=segments)


def _of_row(ctx: Context, s: Sample, background: Tensor, groups: Sequence[Sequence[int]]) -> Board:
    columns, x = ctx.columns, s.x.tolist()
    names = tuple(" + ".join(columns[i].name for i in held) for held in groups)
    values = tuple(", ".join(columns[i].shown(x) for i in held) for held in groups)
    game = column_game(s.x, background, columns, s.predicted, groups)
    return Board(s, game, "column", names, values, tuple(map(tuple, groups)))


def _of_text(ctx: Context, s: Sample) -> Board:
    text = words_of(ctx, s)
    if not text.words:
        msg = f"the text of row {s.row} has no words"
        raise NotApplicable(msg)
    pad = padding(ctx.need_model())
    if len(text.words) <= MOST_WORDS:
        game = text_game(s.x, text.of_token, s.predicted, pad)
        return Board(s, game, "word", text.words, of_token=text.of_token)
    names, of_word = sentences(text.words)
    of_token = np.where(text.of_token >= 0, np.append(of_word, -1)[text.of_token], -1)
    return Board(s, text_game(s.x, of_token, s.predicted, pad), "sentence", names, of_token=of_token)


# ---- what they get -----------------------------------------------------------------------------------------------
def drawn(
    ctx: Context, b: Board, values: Floats, name: str, words: str, between: Range | None = None
) -> tuple[list[Table], list[Image]]:
    """Tables and pictures of the players' `values` (players,), with the ends of their intervals `between` where known.

    `name` is the column of the values; `words` say of a map what it is. A last column holds the deviations of a board
    that has them.
    """
    if b.segments is not None:
        if between is not None:
            ctx.keep(f"row-{b.sample.row}-interval", np.stack(between))
        return [], [original(ctx, b.sample), heatmap(ctx, b.sample, torch.from_numpy(values[b.segments]), words)]
    figures = np.stack([values, *(between or ())], 1).tolist()
    ends = ("low", "high") if between is not None else ()
    if not b.values:
        rows: list[tuple[Scalar, ...]] = [(n, *f) for n, f in zip(b.names, figures, strict=True)]
        return [Table(b.sample.title, (b.unit, name, *ends), tuple(rows))], []
    order = np.argsort(-np.abs(values), kind="stable")
    of_what = (DEVIATION,) if b.deviations else ()
    rows = [(b.names[i], b.values[i], *figures[i], *b.deviations[i : i + 1]) for i in order[:SHOWN]]
    if rest := order[SHOWN:].tolist():
        rows.append((f"{len(rest)} further columns", "", float(values[rest].sum()), *(None for _ in (*ends, *of_what))))
    return [Table(b.sample.title, ("column", "value", name, *ends, *of_what), tuple(rows))], []
