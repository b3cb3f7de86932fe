"""Orders that know nothing of the model, which an explanation must beat: chance, edges, and what stands out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from auditor.explain.games import Floats
from auditor.explain.segments import Segments

__all__ = ["by_chance", "by_edges", "by_length", "by_oddness"]


def by_chance(players: int, seed: int) -> Floats:
    """(players,) numbers from 0 to 1."""
    return np.random.default_rng(seed).random(players)


def by_edges(image: Tensor, segments: Segments) -> Floats:
    """(players,) how much the colours of an image (C, H, W) change from pixel to pixel in each part."""
    pixels = image.double().numpy()
    steps = np.zeros(pixels.shape[1:])
    steps[1:] += np.abs(np.diff(pixels, axis=1)).sum(0)
    steps[:, 1:] += np.abs(np.diff(pixels, axis=2)).sum(0)
    return np.asarray(np.bincount(segments.ravel(), weights=steps.ravel()), np.float64)


def by_oddness(row: Floats, background: Floats) -> Floats:
    """(players,) how many deviations each column of a `row` (players,) lies from its mean in the `background` (b, ...).

    0 for a column that is constant there.
    """
    spread = background.std(0)
    return np.where(spread > 0, np.abs(row - background.mean(0)) / np.where(spread > 0, spread, 1), 0.0)


def by_length(words: Sequence[str]) -> Floats:
    """(players,) the number of characters of each word: long words carry more of a text's meaning."""
    return np.array([float(len(w)) for w in words])
