"""Samples as they enter a network, and gradients at other points than their own: on paths to them, or around them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.errors import NotApplicable
from auditor.explain.entries import Entry, entries, gathered, gradients_at, logits_from, movable
from auditor.explain.passes import is_half, need_finite
from auditor.subject import Model

__all__ = ["Entered", "at_once", "each", "packed", "standard_error"]

ELEMENTS = 2**21  # of inputs, beyond which a batch costs more by the sample than two halves of it


@dataclass(frozen=True)
class Entered:
    """N samples as they enter: inputs (N, ...), the class (N,) whose logit is explained, and the entries.

    `values` (N, ...) are what each entry holds, `free` which of them may be others; see `movable`.
    """

    x: Tensor
    target: Tensor
    known: Sequence[Entry]
    values: Sequence[Tensor]
    free: Sequence[Tensor]
    half: bool

    @classmethod
    def of(cls, model: Model, x: Tensor, target: Tensor) -> Entered:
        """How inputs (N, ...) enter; NotApplicable where they are not finite, and as `entries` says."""
        need_finite(x)
        known = entries(model, x)
        values = [e.values.cpu().float() for e in known]
        return cls(x, target, known, values, movable(x, known), is_half(model, values))

    def at(self, rows: Tensor) -> Entered:
        """The samples `rows` (positions) alone."""
        known = [e.at(rows, self.x[0].numel()) for e in self.known]
        values, free = [v[rows] for v in self.values], [f[rows] for f in self.free]
        return Entered(self.x[rows], self.target[rows], known, values, free, self.half)

    def moved(self, to: Sequence[Tensor]) -> list[Tensor]:
        """For each entry the values `to` (N, ...), where it may have others."""
        given = zip(self.free, to, self.values, strict=True)
        return [torch.where(free, t.to(v.dtype), v) for free, t, v in given]

    def logits(self, model: Model, values: Sequence[Tensor]) -> Tensor:
        """The logits (N,) at other values (N, ...) of the entries."""
        with torch.no_grad():
            own = [v.clone() for v in values]  # some models write into their input
            logits = logits_from(model, self.x, self.known, own).cpu().reshape(len(self.x), -1)
        return logits.gather(1, self.target[:, None])[:, 0]

    def gradients(self, model: Model, values: Sequence[Tensor], sample: Tensor | None = None) -> list[Tensor]:
        """For each entry the gradients at other values (N, ...), or (M, ...) of the samples `sample` (M,)."""
        x, target = (self.x, self.target) if sample is None else (self.x[sample], self.target[sample])
        return gradients_at(model, x, target, self.known, values, half=self.half)[1]

    def shares(self, parts: Sequence[Tensor]) -> Tensor:
        """Shares (N, ...) shaped like the inputs of parts (N, ...) shaped like the entries' values.

        NotApplicable where they are not finite, as gradients may be at other points than the samples' own.
        """
        shares = gathered(self.x, self.known, parts)
        odd = int((~shares.isfinite()).flatten(1).any(1).sum())
        if odd:
            msg = f"the gradients that the shares are made of are not finite for {odd} of {len(shares)} inputs"
            raise NotApplicable(msg)
        return shares

    def folded(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Parts (M, ...) shaped like the entries' values, with what belongs to one element of the input added up."""
        return [
            p if e.place is None else p.reshape(*p.shape[: e.place.ndim], -1).sum(-1)
            for e, p in zip(self.known, parts, strict=True)
        ]


def standard_error(of: Entered, sums: Sequence[Tensor], squares: Sequence[Tensor], draws: int) -> Tensor:
    """(N,) the size of the standard errors of mean shares over that of the shares, both as roots of sums of squares.

    `sums` and `squares` are those of `draws` parts for each entry, folded. NaN where all shares are 0, and for a single
    draw.
    """
    if draws < 2:
        return torch.full((len(of.x),), math.nan)
    spread = [(q - t * t / draws).clamp_min(0) / (draws - 1) / draws for t, q in zip(sums, squares, strict=True)]
    size = of.shares([t / draws for t in sums]).flatten(1).square().sum(1)
    return (of.shares(spread).flatten(1).sum(1) / size).sqrt()


def at_once(x: Tensor) -> int:
    """How many points of inputs like `x` (N, ...) go through the model at once, from 4 to 64."""
    return max(4, min(64, ELEMENTS // max(1, x[0].numel())))


def packed(samples: int, points: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of at most `size` (sample, point) pairs that cover all points of all samples, sample by sample."""
    for pairs in torch.arange(samples * points).split(size):
        yield pairs // points, pairs % points


def each(v: Tensor, like: Tensor) -> Tensor:
    """(M,) as (M, 1, ...) so that it multiplies samples shaped like `like`."""
    return v.view(-1, *[1] * (like.ndim - 1))
