"""Scores by answers alone: every method that hides parts and asks again, by the parts of a scene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from auditor.errors import NotApplicable
from auditor.evidence.scene import Scene, Scores, stacked
from auditor.explain.games import Game, answers, image_game, play_finite
from auditor.explain.lime import lime
from auditor.explain.neighbours import of_row, of_superpixels, of_words
from auditor.explain.occlusion import losses, spread, window_game, windows
from auditor.explain.quick import channels_last
from auditor.explain.rise import rise
from auditor.explain.segments import Segments, superpixels
from auditor.explain.shapley import Request, shapley
from auditor.explained.samples import Sample
from auditor.subject import Model

__all__ = ["ANSWERS", "SUPERPIXELS", "WINDOWS", "by_lime", "by_occlusion", "by_rise", "by_shap"]

ANSWERS, FIRST = 128, 64  # of methods that hide parts at random
SUPERPIXELS, CELLS, WINDOW = 25, 14, 2
WINDOWS = (CELLS - WINDOW + 1) ** 2


def by_occlusion(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    """What is lost without each part; of an image without each of the squares that slide over it."""
    rows, (x, target) = scene.ctx.batch_size, stacked(samples)
    model = channels_last(model, x[:1])
    whole = answers(model, x, target, rows)
    if scene.segments is None:
        left = losses(model, [scene.game(s) for s in samples], rows)
        return [own - rest for own, rest in zip(whole, left, strict=True)]
    covers = windows(*scene.segments.shape, CELLS, WINDOW)
    fills = (s.x.mean((1, 2), keepdim=True).expand_as(s.x) for s in samples)
    left = losses(model, [window_game(s.x, f, covers, s.predicted) for s, f in zip(samples, fills, strict=True)], rows)
    maps = (spread(own - rest, covers) for own, rest in zip(whole, left, strict=True))
    return [scene.parts(s, _enlarged(torch.from_numpy(m), s.x)) for s, m in zip(samples, maps, strict=True)]


def by_rise(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    """RISE by 128 masks."""
    x, target = stacked(samples)
    found = rise(
        channels_last(model, x[:1]), x, target, masks=ANSWERS, rows=scene.ctx.batch_size, seed=scene.seed("RISE")
    )
    return scene.folded(samples, found.maps[:, None])


def by_shap(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    """Shapley values from at most 128 coalitions; of an image in about 25 superpixels."""
    games, segments = _played(scene, samples)
    model = channels_last(model, samples[0].x[None])

    def values(requests: Sequence[Request]) -> Scores:
        asked = [r.coalitions for r in requests]
        return play_finite(model, [games[r.game] for r in requests], asked, scene.ctx.batch_size)

    players = [g.players for g in games]
    found = shapley(values, players, first=FIRST, most=ANSWERS, seed=scene.seed("SHAP"))
    return _of_players(scene, samples, [f.values for f in found], segments)


def by_lime(scene: Scene, model: Model, samples: Sequence[Sample]) -> Scores:
    """LIME by 128 neighbours; of an image in about 25 superpixels."""
    games, segments = _played(scene, samples)
    if scene.kind == "table":
        around, varied = zip(
            *(of_row(s.x, scene.background, scene.ctx.columns, s.predicted) for s in samples), strict=True
        )
    else:
        around = tuple(of_words(g) if segments is None else of_superpixels(g) for g in games)
        varied = tuple(range(g.players) for g in games)
    if not all(map(len, varied)):
        msg = f"no column varies in {len(scene.background):,} rows of the background"
        raise NotApplicable(msg)
    size, seed = scene.ctx.batch_size, scene.seed("LIME")
    model = channels_last(model, samples[0].x[None])
    found = lime(model, around, neighbours=ANSWERS, most=ANSWERS, rows=size, seed=seed)
    scores = [np.zeros(g.players) for g in games]
    for own, local, columns in zip(scores, found, varied, strict=True):
        own[list(columns)] = np.nan_to_num(local.weights)
    return _of_players(scene, samples, scores, segments)


def _played(scene: Scene, samples: Sequence[Sample]) -> tuple[list[Game], list[Segments] | None]:
    """The samples as games; of images in superpixels, which come along."""
    if scene.segments is None:
        return [scene.game(s) for s in samples], None
    segments = [superpixels(s.x, SUPERPIXELS) for s in samples]
    return [image_game(s.x, own, s.predicted) for s, own in zip(samples, segments, strict=True)], segments


def _of_players(scene: Scene, samples: Sequence[Sample], values: Scores, segments: Sequence[Segments] | None) -> Scores:
    """What players got, by the scene's parts."""
    if segments is None:
        return values
    maps = (torch.from_numpy(v[own])[None] for v, own in zip(values, segments, strict=True))
    return [scene.parts(s, m) for s, m in zip(samples, maps, strict=True)]


def _enlarged(cells: Tensor, image: Tensor) -> Tensor:
    """A map (rows, columns) as large as the image (C, H, W)."""
    return functional.interpolate(cells[None, None], image.shape[1:], mode="nearest")[0]
