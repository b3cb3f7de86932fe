"""Rows that no data set of a model's own holds, made of rows that it does: noise, shuffled, and constant ones.

Elements that nobody may change by an amount (unit 0: categories, flags, held columns) stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from auditor.subject import Data, Model

__all__ = ["FOREIGN", "Made", "Range", "constant", "noise", "range_of", "shuffled"]


class Made(Protocol):
    """Foreign rows, one of each row `x` (N, ...)."""

    def __call__(self, x: Tensor, within: Range, random: torch.Generator) -> Tensor: ...


@dataclass(frozen=True)
class Range:
    """The lowest and highest value of each element of a sample, and which elements may be changed."""

    low: Tensor
    high: Tensor
    free: Tensor


def range_of(model: Model, data: Data, batch_size: int) -> Range:
    """The legal range of the rows of `data`; that of their values where the model's bounds have no end."""
    low, high, unit = (torch.as_tensor(v, dtype=torch.float32).expand(data.shape) for v in (*model.bounds, model.unit))
    if not bool((low.isfinite() & high.isfinite()).all()):
        ends = [(b.x.amin(0), b.x.amax(0)) for b in data.batches(batch_size)]
        low = torch.where(low.isfinite(), low, torch.stack([e[0] for e in ends]).amin(0))
        high = torch.where(high.isfinite(), high, torch.stack([e[1] for e in ends]).amax(0))
    return Range(low, high, unit > 0)


def noise(x: Tensor, within: Range, random: torch.Generator) -> Tensor:
    """Every element drawn uniformly from its range: nothing of the row is left."""
    drawn = torch.rand(x.shape, generator=random, dtype=x.dtype)
    return torch.where(within.free, within.low + drawn * (within.high - within.low), x)


def shuffled(x: Tensor, within: Range, random: torch.Generator) -> Tensor:
    """Pixels of each row in another order, the channels of one together; of vectors (N, D) each column over the rows.

    The values are real ones, what they make together is not. One vector alone stays as it is.
    """
    if x.ndim == 2:
        order = torch.rand(x.shape, generator=random).argsort(0)
        return torch.where(within.free, x.gather(0, order), x)
    flat = x.flatten(2)
    order = torch.rand((len(x), 1, flat.shape[2]), generator=random).argsort(2)
    return torch.where(within.free, flat.gather(2, order.expand_as(flat)).view_as(x), x)


def constant(x: Tensor, within: Range, random: torch.Generator) -> Tensor:
    """Every element at the same share of its range, a share drawn for each row: pictures of one grey."""
    share = torch.rand(len(x), generator=random, dtype=x.dtype).view(-1, *[1] * (x.ndim - 1))
    return torch.where(within.free, within.low + share * (within.high - within.low), x)


FOREIGN: dict[str, Made] = {
    "noise": noise,
    "shuffled": shuffled,
    "constant": constant,
}
