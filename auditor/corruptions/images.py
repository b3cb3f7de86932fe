"""The fifteen families of ImageNet-C, in the range of the model's own input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.corruptions import blur, digital, noise, weather
from auditor.corruptions.draws import Draws
from auditor.errors import NotApplicable

__all__ = ["FAMILIES", "SMALLEST", "Family", "corrupted", "need_range"]

SMALLEST = 8
PART = 1 << 18  # pixels that are worked on at once: more leave the processor's cache
Bounds = tuple[Tensor | float, Tensor | float]


@dataclass(frozen=True)
class Family:
    """One kind of corruption: `corrupt(x, severity, draws)` of images (N, C, H, W) from 0 to 1, severities 1 to 5."""

    name: str
    kind: str
    corrupt: Callable[[Tensor, int, Draws], Tensor]


def _families() -> dict[str, Family]:
    found = (
        Family("gaussian_noise", "noise", noise.gaussian_noise),
        Family("shot_noise", "noise", noise.shot_noise),
        Family("impulse_noise", "noise", noise.impulse_noise),
        Family("defocus_blur", "blur", blur.defocus_blur),
        Family("glass_blur", "blur", blur.glass_blur),
        Family("motion_blur", "blur", blur.motion_blur),
        Family("zoom_blur", "blur", blur.zoom_blur),
        Family("snow", "weather", weather.snow),
        Family("frost", "weather", weather.frost),
        Family("fog", "weather", weather.fog),
        Family("brightness", "weather", weather.brightness),
        Family("contrast", "digital", digital.contrast),
        Family("elastic_transform", "digital", digital.elastic_transform),
        Family("pixelate", "digital", digital.pixelate),
        Family("jpeg_compression", "digital", digital.jpeg_compression),
    )
    return {f.name: f for f in found}


FAMILIES: dict[str, Family] = _families()


def need_range(shape: Sequence[int], bounds: Bounds) -> None:
    """NotApplicable for inputs of a `shape` that are no pictures of 1 or 3 channels, or without a finite range."""
    if len(shape) != 3 or shape[0] not in (1, 3) or min(shape[1:]) < SMALLEST:
        msg = (
            f"inputs of shape {' x '.join(map(str, shape))}; corruptions are of pictures of 1 or 3 channels, "
            f"{SMALLEST} x {SMALLEST} pixels and more"
        )
        raise NotApplicable(msg)
    low, high = (torch.as_tensor(b, dtype=torch.float32) for b in bounds)
    if not bool((low.isfinite() & high.isfinite() & (high > low)).all()):
        msg = "the bounds of the pixels are endless or equal, so that black and white are not known; give `bounds`"
        raise NotApplicable(msg)


def corrupted(family: Family, severity: int, x: Tensor, bounds: Bounds, *, rows: Sequence[int], seed: int) -> Tensor:
    """`x` (N, C, H, W) corrupted at `severity` (1 to 5), inside `bounds`, of which the ends are black and white.

    What is drawn depends on `seed`, the family, the severity and the number of each of `rows` (N,), so that a row comes
    out the same whatever batch it is in.
    """
    low, high = (torch.as_tensor(b, dtype=x.dtype) for b in bounds)
    few, done = max(1, PART // x[0].numel()), torch.empty_like(x)
    for start in range(0, len(x), few):
        here = slice(start, start + few)
        unit = (x[here] - low).div_(high - low).clamp_(0, 1)
        changed = family.corrupt(unit, severity, Draws.of(seed, family.name, severity, rows[here])).clamp_(0, 1)
        torch.minimum(changed.mul_(high - low).add_(low), high, out=done[here])
    return done
