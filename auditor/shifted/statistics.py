"""Plain statistics of images and texts that need no model: what a camera, a compression or another author changes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["TEXT_STATISTICS", "image_statistics", "names_of_image_statistics", "text_statistics"]

Values = np.ndarray[Any, np.dtype[np.float64]]
BANDS = (0.0, 0.125, 0.25, 0.375, 1.0)  # cycles a pixel; the corners of the spectrum lie at .71
TINY = 1e-12
TEXT_STATISTICS = ("words", "characters", "letters a word", "capital letters", "digits", "punctuation")


def names_of_image_statistics(channels: int) -> tuple[str, ...]:
    """What the columns of `image_statistics` are."""
    by_channel = [f"{what} of channel {c}" for what in ("mean", "deviation") for c in range(channels)]
    rings = [f"at {low:g} to {high:g} cycles a pixel" for low, high in pairwise(BANDS[:-1])]
    rings.append(f"above {BANDS[-2]:g} cycles a pixel")
    kinds = ("power", "colour power") if channels > 1 else ("power",)
    return (*by_channel, *(f"{kind} {ring}" for kind in kinds for ring in rings))


def image_statistics(x: Tensor) -> Values:
    """(N, 2 C + 8) means and deviations of the channels of images (N, C, H, W), and the log10 of the power in 4 bands.

    The bands are rings of frequencies. The power is that of the mean over channels, and, where there are several, that
    of what channels have beyond it, which compression drops first.
    """
    x = x.double()
    flat, grey = x.flatten(2), x.mean(1, keepdim=True)
    parts = [grey, x - grey] if x.shape[1] > 1 else [grey]
    bands = torch.cat([_power(part) for part in parts], 1)
    return np.asarray(torch.cat([flat.mean(2), flat.std(2, correction=0), bands], 1).numpy())


def _power(x: Tensor) -> Tensor:
    """(N, 4) log10 of the power of images (N, C, H, W) in each band, a pixel's mean over channels."""
    h, w = x.shape[2:]
    power = torch.fft.fft2(x).abs().square().mean(1) / (h * w) ** 2
    radius = torch.hypot(torch.fft.fftfreq(h)[:, None], torch.fft.fftfreq(w)[None])
    rings = [(radius > low) & (radius <= high) for low, high in pairwise(BANDS)]
    return (torch.stack([(power * ring).sum((1, 2)) for ring in rings], 1) + TINY).log10()


def text_statistics(texts: Sequence[str]) -> Values:
    """(N, 6) how long each text is in words and characters, its letters a word, and shares of its characters."""
    rows = []
    for text in texts:
        words, size = text.split(), max(1, len(text))
        shares = [sum(map(test, text)) / size for test in (str.isupper, str.isdigit, _is_punctuation)]
        rows.append([len(words), len(text), sum(map(len, words)) / max(1, len(words)), *shares])
    return np.array(rows, np.float64).reshape(len(rows), len(TEXT_STATISTICS))


def _is_punctuation(c: str) -> bool:
    return not c.isalnum() and not c.isspace()
