"""Relevance of many rows by the cheapest method that a model allows: integrated gradients, else drops of its answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from auditor.errors import NotApplicable
from auditor.explain.baselines import image_baselines, text_baselines
from auditor.explain.entries import enterable
from auditor.explain.games import answers, text_game
from auditor.explain.integrated import integrated_gradients
from auditor.explain.occlusion import losses, spread, window_game, windows
from auditor.explain.paths import at_once
from auditor.explained.samples import is_image
from auditor.integers import Integers
from auditor.registry import Context
from auditor.subject import Model

__all__ = ["Relevance", "relevance_of"]

POINTS = (4,)  # on each path: mean shares are within .01 of those of 16
PICTURES, PROBES = 64, 4  # what the mean is made of; rows on which gradients are tried
CELLS = 8  # of an image along its shorter side where they are hidden one by one

Relevance = Callable[[Integers, int], Tensor]


def relevance_of(ctx: Context, probes: Integers) -> tuple[Relevance, str]:
    """A function that gives the relevance for one class of rows (positions), and what that is in words.

    Of images these are maps (n, h, w), of texts a number for each token (n, T). Gradients are tried on the rows
    `probes`; where there are none, or none but 0, cells and words are hidden one by one.
    """
    some = probes[:PROBES]
    try:
        model = enterable(ctx.need_model(), ctx.data.read(some))
        by_gradients = _integrated(ctx, model)
        tried = [by_gradients(some[i : i + 1], int(ctx.predictions.predicted[row])) for i, row in enumerate(some)]
    except NotApplicable as e:
        return _drops(ctx), f"by how much the probability drops without each part, as no gradient can be followed ({e})"
    if not any(bool(t.any()) for t in tried):
        return _drops(ctx), "by how much the probability drops without each part, as all gradients are 0"
    return by_gradients, "by integrated gradients from the mean"


def _integrated(ctx: Context, model: Model) -> Relevance:
    """Paths that start at the mean image, or at the mean embedding of all tokens."""
    source = (ctx.reference or ctx.data).take(PICTURES, ctx.seed)
    batches = (b.x for b in source.batches(ctx.batch_size))
    baselines = image_baselines if is_image(ctx) else text_baselines
    start = next(b.start for b in baselines(model, batches, "") if b.name == "mean")

    def relevance(rows: Integers, label: int) -> Tensor:
        x = ctx.data.read(rows)
        target = torch.full((len(x),), label)
        shares = integrated_gradients(model, x, target, start, rows=at_once(x), steps=POINTS).shares
        return shares.sum(1) if is_image(ctx) else shares

    return relevance


def _drops(ctx: Context) -> Relevance:
    model, size = ctx.need_model(), ctx.batch_size

    def of_images(rows: Integers, label: int) -> Tensor:
        x = ctx.data.read(rows)
        covers = windows(x.shape[2], x.shape[3], CELLS, 1)
        fills = x.mean((2, 3), keepdim=True).expand_as(x)
        games = [window_game(image, fill, covers, label) for image, fill in zip(x, fills, strict=True)]
        whole = answers(model, x, torch.full((len(x),), label), size)
        left = losses(model, games, size)
        return torch.from_numpy(np.stack([spread(y - own, covers) for y, own in zip(whole, left, strict=True)]))

    def of_texts(rows: Integers, label: int) -> Tensor:
        x = ctx.data.read(rows)
        assert ctx.data.words is not None  # noqa: S101 - see `need_explainable`
        places = [w.of_token for w in ctx.data.words(rows)]
        games = [text_game(ids, of_token, label) for ids, of_token in zip(x, places, strict=True)]
        whole = answers(model, x, torch.full((len(x),), label), size)
        shares = torch.zeros(x.shape, dtype=torch.double)
        for own, y, left, of_token in zip(shares, whole, losses(model, games, size), places, strict=True):
            drops = np.nan_to_num(y - left)
            for word, drop in enumerate(drops):
                first = int(np.flatnonzero(of_token == word)[0])
                own[first] = float(drop)
        return shares

    return of_images if is_image(ctx) else of_texts
