"""RISE (Petsiuk et al. 2018, arXiv:1806.07421): a pixel's saliency is the mean answer while random masks show it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from auditor.explain.games import answers
from auditor.stats import rank_correlation
from auditor.subject import Model

__all__ = ["Saliency", "made_masks", "rise"]

CELLS = 7  # of a mask along each side
COMPARED = 14  # cells along each side by which two halves are compared
EXACT = 7  # decimals of a saliency; what lies below is rounding


@dataclass(frozen=True)
class Saliency:
    """What N images were found to show: `maps` (N, H, W) in units of probability.

    `split` (N,) is Spearman's rank correlation between the maps of two halves of the masks on at most 14 by 14 cells,
    carried on to all masks; None where a map is even.
    """

    maps: Tensor
    split: tuple[float | None, ...]


def rise(model: Model, x: Tensor, target: Tensor, *, masks: int, rows: int, seed: int) -> Saliency:
    """The saliency of images (N, C, H, W) for class `target` (N,), or for the value of a model without classes.

    With M the masks and f the answer to an image whose hidden part shows its mean colour: S = sum f M / sum M - mean f,
    the mean answer while the pixel is shown, against that of all masks; the last term makes a constant model's map 0.
    The masks are the same for all images and made as they are needed, and no more than `rows` images go through the
    model at once. Pairs of a mask and its opposite would be worse: two maps of 512 masks of resnet20 then lie .77 of
    their size apart, against .74, on digits .60 against .48.
    """
    n, _, h, w = x.shape
    fill = x.mean((2, 3), keepdim=True)
    weighted, weights, said, counts = (
        torch.zeros(2, *s).double() for s in ((n, h, w), (1, h, w), (n, 1, 1), (1, 1, 1))
    )
    done = 0
    for mask in made_masks(masks, h, w, rows, seed):
        half = torch.arange(done, done + len(mask)) % 2
        done += len(mask)
        found = [
            answers(model, torch.lerp(fill[i], x[i], mask[:, None]), target[i].expand(len(mask)), rows)
            for i in range(n)
        ]
        f = torch.from_numpy(np.stack(found))
        for k in (0, 1):
            own, f_own = mask[half == k].double(), f[:, half == k]
            weighted[k] += torch.tensordot(f_own, own, 1)
            weights[k] += own.sum(0)
            said[k] += f_own.sum(1)[:, None, None]
            counts[k] += len(own)
    halves = [_saliency(weighted[k], weights[k], said[k], counts[k]) for k in (0, 1)]
    whole = _saliency(weighted.sum(0), weights.sum(0), said.sum(0), counts.sum(0))
    return Saliency(whole, tuple(_split(a, b) for a, b in zip(*halves, strict=True)))


def made_masks(number: int, height: int, width: int, at_once: int, seed: int) -> Iterator[Tensor]:
    """Masks (k, H, W) in [0, 1], at most `at_once` at a time: 1 is shown, 0 hidden.

    A mask is a grid of cells that are there with probability 1/2, 7 of them to a side, enlarged bilinearly and moved at
    random by less than a cell; the grid has a cell more than the side, so that nothing is moved in from beyond it.
    """
    generator = np.random.default_rng(seed)
    up, across = (math.ceil(n / CELLS) for n in (height, width))
    down, right = math.ceil(height / up) + 1, math.ceil(width / across) + 1
    for start in range(0, number, at_once):
        k = min(at_once, number - start)
        grid = torch.from_numpy(generator.integers(0, 2, (k, 1, down, right), dtype=np.uint8)).float()
        wide = functional.interpolate(grid, scale_factor=(up, across), mode="bilinear", align_corners=False)[:, 0]
        moved = generator.integers(0, (up, across), (k, 2)).tolist()
        yield torch.stack([m[i : i + height, j : j + width] for m, (i, j) in zip(wide, moved, strict=True)])


def _saliency(weighted: Tensor, weights: Tensor, said: Tensor, count: Tensor) -> Tensor:
    return weighted / weights.clamp_min(torch.finfo(weights.dtype).tiny) - said / count


def _split(first: Tensor, second: Tensor) -> float | None:
    """The rank correlation of two maps (H, W), carried on to twice the masks (Spearman-Brown): 2 r / (1 + |r|)."""
    size = (min(COMPARED, first.shape[0]), min(COMPARED, first.shape[1]))
    cells = [functional.adaptive_avg_pool2d(m[None], size).flatten().numpy() for m in (first, second)]
    a, b = (c.round(EXACT).tolist() for c in cells)
    r = rank_correlation(a, b)
    return None if r is None else 2 * r / (1 + abs(r))
