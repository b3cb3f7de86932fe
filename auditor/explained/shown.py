"""Shares of one input as the report shows them, and as the parts by which two methods are compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from auditor.explain.players import per_column
from auditor.explain.segments import cells
from auditor.explained.samples import SPECIAL, Sample, bars, heatmap, is_image, original, word_table
from auditor.registry import Context
from auditor.types import Image, Table

__all__ = ["CELLS", "parts_of", "shown"]

CELLS = 14  # along each side: 16 pixels of an image of 224


def shown(
    ctx: Context, samples: Sequence[Sample], shares: Tensor, name: str, words: Sequence[str]
) -> tuple[list[Table], list[Image]]:
    """Tables and pictures of shares (N, ...) shaped like the inputs: maps, signed bars of columns, or words of texts.

    The column of the shares is called `name`; `words` (N,) say of each map what it is.
    """
    if ctx.is_text:
        return [word_table(ctx, s, own, name) for s, own in zip(samples, shares, strict=True)], []
    if not is_image(ctx):
        merged = per_column(shares, ctx.columns)
        return [bars(s, ctx.columns, m.tolist(), name) for s, m in zip(samples, merged, strict=True)], []
    images = []
    for s, own, text in zip(samples, shares, words, strict=True):
        images += [original(ctx, s), heatmap(ctx, s, own.sum(0), text)]
    return [], images


def parts_of(ctx: Context, sample: Sample, shares: Tensor) -> list[float]:
    """Shares of one input, shaped like it, by the parts that a reader compares.

    Those are the words of a text, the columns of a table, or equal squares of an image, at most 14 by 14.
    """
    if ctx.is_text:
        return [float(row[1] or 0) for row in word_table(ctx, sample, shares, "").rows if row[0] != SPECIAL]
    if not is_image(ctx):
        return [float(v) for v in per_column(shares[None], ctx.columns)[0].tolist()]
    total = shares.detach().sum(0).double().numpy()
    return [float(v) for v in np.bincount(cells(total.shape[0], total.shape[1], CELLS).ravel(), weights=total.ravel())]
