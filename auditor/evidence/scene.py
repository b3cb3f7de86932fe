"""The rows by which explanations are put to the test, as games of the same parts for every method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from auditor.errors import NotApplicable
from auditor.evidence.controls import by_chance, by_edges, by_length, by_oddness
from auditor.explain.baselines import padding
from auditor.explain.games import Floats, Game, column_game, image_game, text_game
from auditor.explain.segments import Segments, cells
from auditor.explained.samples import Sample, explained_samples, is_image, need_explainable, words_of
from auditor.explained.shown import CELLS, parts_of
from auditor.registry import Context, derive_seed
from auditor.tables.raw import to_raw

__all__ = ["BACKGROUND", "Kind", "Scene", "Scores", "stacked"]

BACKGROUND = 32  # rows that absent columns take their values from
Kind = Literal["image", "table", "text"]
Scores = list[Floats]  # (players,) of every sample
SMALL, FEWEST = 1024, 12  # numbers of an input up to which at least so many rows are cheap


@dataclass(frozen=True)
class Scene:
    """Explained rows, errors first, each as a game of its parts; `ctx` has the seed of the evidence, not of a check.

    Parts are the columns of a row, the words of a text, and at most 14 by 14 squares of an image, whose `segments`
    (H, W) are the same for all. `background` (b, F) are rows that absent columns come from, `left_out` counts rows of
    fewer than two parts.
    """

    ctx: Context
    samples: tuple[Sample, ...]
    games: tuple[Game, ...]
    background: Tensor
    segments: Segments | None
    left_out: int

    @classmethod
    def of(cls, ctx: Context, n: int) -> Scene:
        """The scene of `n` rows (0: all), of at least 12 where inputs have at most 1,024 numbers.

        NotApplicable for inputs without parts, or where no row has two of them.
        """
        ctx.need_model()
        need_explainable(ctx)
        ctx = replace(ctx, seed=derive_seed(ctx.root_seed, "evidence"))
        rows = (ctx.reference or ctx.data).take(BACKGROUND, ctx.seed)
        background = rows.read(np.arange(len(rows)))
        if background.is_floating_point():
            background = background[background.flatten(1).isfinite().all(1)]
        if not len(background):
            msg = f"all {len(rows):,} rows that absent parts would come from hold NaN or infinity; expected one without"
            raise NotApplicable(msg)
        segments = cells(ctx.data.shape[1], ctx.data.shape[2], CELLS) if is_image(ctx) else None
        every = explained_samples(ctx, max(n, FEWEST) if n and _is_small(ctx) else n)
        games = [_game(ctx, s, background, segments) for s in every]
        kept = [i for i, g in enumerate(games) if g.players > 1]
        if not kept:
            unit = "word" if ctx.is_text else "column" if segments is None else "pixel"
            msg = f"in none of {len(every)} rows is there more than one {unit}: their order says nothing"
            raise NotApplicable(msg)
        samples, played = tuple(every[i] for i in kept), tuple(games[i] for i in kept)
        return cls(ctx, samples, played, background, segments, len(every) - len(kept))

    @property
    def kind(self) -> Kind:
        """What the inputs are."""
        return "text" if self.ctx.is_text else "table" if self.segments is None else "image"

    @property
    def is_small(self) -> bool:
        """Whether inputs have at most 1,024 numbers, as most tables have: then passes are cheap."""
        return _is_small(self.ctx)

    def caveats(self) -> list[str]:
        """What to know of the rows."""
        n = self.left_out
        return [f"{n} row{'s' * (n != 1)} of a single part {'were' if n != 1 else 'was'} left out."] if n else []

    def game(self, sample: Sample) -> Game:
        """A sample, also one that is changed, as a game of its parts."""
        return _game(self.ctx, sample, self.background, self.segments)

    def moved(self, by: float, seed: int, rows: Sequence[Sample] = ()) -> list[Sample]:
        """The samples (or `rows`) with every element moved by at most `by` of what it ranges over, within its bounds.

        That is from bound to bound for pixels, a column's standard deviation for numbers; categories and flags stay.
        NotApplicable where nothing can be moved: a text, or a row without numbers.
        """
        model = self.ctx.need_model()
        low, high = (torch.as_tensor(b, dtype=torch.float32) for b in model.bounds)
        reach = torch.as_tensor(high - low if self.segments is not None else model.unit) * by
        if self.ctx.is_text or not bool(reach.any()):
            what = "texts" if self.ctx.is_text else "rows without numbers"
            msg = f"{what} have no small change; expected pixels or columns of numbers"
            raise NotApplicable(msg)
        chance = torch.Generator().manual_seed(seed)
        found = []
        for s in rows or self.samples:
            step = (2 * torch.rand(s.x.shape, generator=chance) - 1) * reach
            inside = torch.minimum(torch.maximum(s.x + step, torch.minimum(low, s.x)), torch.maximum(high, s.x))
            found.append(replace(s, x=inside))
        return found

    def parts(self, sample: Sample, shares: Tensor) -> Floats:
        """(players,) the `shares`, shaped like the sample's input, added up over its parts."""
        return np.array(parts_of(self.ctx, sample, shares))

    def folded(self, samples: Sequence[Sample], shares: Tensor) -> list[Floats]:
        """`parts` of every sample's own of the `shares` (N, ...)."""
        return [self.parts(s, own) for s, own in zip(samples, shares, strict=True)]

    def seed(self, name: str) -> int:
        """The seed of what draws by chance under `name`."""
        return derive_seed(self.ctx.seed, name)

    def chance(self) -> list[Floats]:
        """Scores by chance for every sample."""
        seeds = (derive_seed(self.ctx.seed, f"chance {s.row}") for s in self.samples)
        return [by_chance(g.players, seed) for g, seed in zip(self.games, seeds, strict=True)]

    def features(self) -> tuple[str, list[Floats]]:
        """What stands out without any model, in words and as scores: edges, columns far from their mean, long words."""
        if self.segments is not None:
            return "edges", [by_edges(s.x, self.segments) for s in self.samples]
        if self.ctx.is_text:
            return "the length of words", [by_length(words_of(self.ctx, s).words) for s in self.samples]
        columns = self.ctx.columns
        known = to_raw(self.background, columns)
        own = to_raw(torch.stack([s.x for s in self.samples]), columns)
        return "the distance from the mean", [by_oddness(row, known) for row in own]


def _is_small(ctx: Context) -> bool:
    return not ctx.is_text and math.prod(ctx.data.shape) <= SMALL


def _game(ctx: Context, s: Sample, background: Tensor, segments: Segments | None) -> Game:
    if segments is not None:
        return image_game(s.x, segments, s.predicted)
    if ctx.is_text:
        return text_game(s.x, words_of(ctx, s).of_token, s.predicted, padding(ctx.need_model()))
    return column_game(s.x, background, ctx.columns, s.predicted)


def stacked(samples: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    """Inputs (N, ...) and predicted classes (N,) of the samples."""
    return torch.stack([s.x for s in samples]), torch.tensor([s.predicted for s in samples])
