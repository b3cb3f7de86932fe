"""Feature squeezing: how much the outputs change when the input is made coarser (Xu et al. 2018, arXiv:1704.01155)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from auditor.attacks.straight_through import StraightThrough
from auditor.outliers.foreign import Range

__all__ = ["median", "reduced", "squeezed_apart", "squeezers"]

Squeezer = Callable[[Tensor], Tensor]
BITS = (4, 5)


def squeezers(within: Range) -> tuple[Squeezer, ...]:
    """What makes inputs coarser: 4 and 5 bits an element, and of pictures (C, H, W) the median of 2 x 2 pixels."""
    bits = tuple(lambda x, b=b: reduced(x, within, b) for b in BITS)
    pictures = within.low.ndim == 3 and bool(within.free.all())
    return (*bits, median) if pictures else bits


def reduced(x: Tensor, within: Range, bits: int) -> Tensor:
    """`x` (N, ...) with 2**bits values an element between its ends; elements that may not change as they are.

    Gradients pass the rounding as if it were not there.
    """
    span, steps = (within.high - within.low).clamp_min(1e-12), 2**bits - 1
    with StraightThrough():
        coarse = ((x - within.low) / span * steps).round() / steps * span + within.low
    return torch.where(within.free, coarse, x)


def median(x: Tensor) -> Tensor:
    """Pictures (N, C, H, W) where each pixel is the upper median of itself, the one above and those left of both.

    As `scipy.ndimage.median_filter` with size 2, which the paper uses; beyond the edge pixels repeat.
    """
    wide = pad(x, (1, 0, 1, 0), mode="replicate")
    four = torch.stack([wide[..., 1:, 1:], wide[..., :-1, 1:], wide[..., 1:, :-1], wide[..., :-1, :-1]])
    return four.sort(0).values[2]


def squeezed_apart(logits: Tensor, coarse: Sequence[Tensor], heat: Tensor | None = None) -> Tensor:
    """(N,) minus the largest L1 distance, 0 to 2, of the softmax of logits (N, C) to that of each of the `coarse` ones.

    Logits are divided by `heat` (N,) first: at 1 the probabilities of many rows are 0 and 1, without a slope.
    """
    by = logits.new_ones(len(logits)) if heat is None else heat
    plain = (logits / by[:, None]).softmax(1)
    return -torch.stack([(plain - (c / by[:, None]).softmax(1)).abs().sum(1) for c in coarse]).amax(0)
