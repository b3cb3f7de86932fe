"""Which layers of an image model have spatial extent, and how their outputs are laid out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules import batchnorm, conv, instancenorm, pooling

from auditor.explain.followed import followed
from auditor.explain.layers import layer_outputs
from auditor.subject import Model

__all__ = ["Grid", "grids"]

EXTRA = (0, 1, 2, 5)  # class token; with one for distillation (DeiT); with four registers (DINOv2)
DISTORTION = math.log(2)
CHANNELS_FIRST = (conv._ConvNd, batchnorm._BatchNorm, instancenorm._InstanceNorm, nn.GroupNorm)  # noqa: SLF001 - their types
CHANNELS_LAST = (nn.LayerNorm, nn.Linear)
SEQUENCES = (
    nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.InstanceNorm1d,
    *(getattr(pooling, name) for name in pooling.__all__ if name.endswith("1d")),
)  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """The cells of a layer's output: `height` by `width`, and where they stand in it.

    "channels first" is (N, C, h, w), "channels last" (N, h, w, C), "tokens" (N, extra + h * w, C).
    """

    height: int
    width: int
    layout: Literal["channels first", "channels last", "tokens"] = "channels first"
    extra: int = 0

    def folded(self, output: Tensor) -> Tensor:
        """`output` as (N, C, h, w), tokens that stand for no cell left out."""
        if self.layout == "channels first":
            return output
        if self.layout == "channels last":
            return output.permute(0, 3, 1, 2)
        n, _, channels = output.shape
        return output[:, self.extra :].transpose(1, 2).reshape(n, channels, self.height, self.width)

    def __str__(self) -> str:
        return f"{self.height} by {self.width}"


def grids(model: Model, x: Tensor) -> dict[str, Grid]:
    """The layers of more than one cell in height and in width, in the order in which they finish.

    `x` (1, C, H, W) is one image. A layer with fewer or more outputs than samples (windows of an image, attention over
    a sequence that comes first) is none of them, nor is one over a sequence of numbers. NotApplicable for a program
    that cannot be followed.
    """
    model = followed(model, x)
    twice = torch.cat([x, x])  # with one image, a layer's own tables would look like outputs
    parts = dict(model.module.named_modules())
    height, width = x.shape[2:]
    found = {}
    for name, output in layer_outputs(model, twice).items():
        if output.shape[:1] == (2,) and output.is_floating_point():
            grid = _grid(parts[name], tuple(output.shape[1:]), height, width)
            if grid is not None and min(grid.height, grid.width) > 1:
                found[name] = grid
    return found


def _grid(part: nn.Module, shape: tuple[int, ...], height: int, width: int) -> Grid | None:
    """The grid of one output of `part`, None where it has none that an image of that size could give."""
    if len(shape) == 3:
        first, last = Grid(*shape[1:]), Grid(*shape[:2], layout="channels last")
        if isinstance(part, CHANNELS_FIRST):
            return first
        linear = type(part) in CHANNELS_LAST  # a class made of LayerNorm may be one over channels that come first
        fitting = [g for g in ((last,) if linear else (first, last)) if _distortion(g, height, width) < DISTORTION]
        return min(fitting, key=lambda g: _distortion(g, height, width), default=None)
    if len(shape) == 2 and not isinstance(part, SEQUENCES):
        return next(_patches(shape[0], height, width), None)
    return None


def _distortion(grid: Grid, height: int, width: int) -> float:
    """How far the grid's aspect ratio is from the image's, as the logarithm of their ratio; infinite for no grid of it.

    In steps, as what padding takes away or adds moves small grids: of two that fit alike, channels come first.
    """
    if grid.height > 2 * height or grid.width > 2 * width:
        return math.inf
    return round(abs(math.log(grid.height * width / (grid.width * height))), 1)


def _patches(tokens: int, height: int, width: int) -> Iterator[Grid]:
    """The grids of square patches that give so many tokens: those that divide the image first, fewest extra first."""
    sides = list(range(1, min(height, width) // 2 + 1))
    whole = [p for p in sides if height % p == 0 and width % p == 0]
    for among in (whole, sides):
        for extra in EXTRA:
            for p in among:
                h, w = height // p, width // p
                if h * w == tokens - extra:
                    yield Grid(h, w, "tokens", extra)
