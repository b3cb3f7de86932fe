"""SmoothGrad (Smilkov et al. 2017, arXiv:1706.03825): gradients averaged over noise; input x gradient without it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from auditor.explain.paths import Entered, packed, standard_error
from auditor.subject import Model

__all__ = ["Smoothed", "input_times_gradient", "smoothgrad"]


@dataclass(frozen=True)
class Smoothed:
    """The mean gradient over noise for each of N samples.

    `shares` (N, ...) are the input times it, shaped like the input, one a token for texts; `sensitivity` (N, ...) are
    its sizes alone, the map of the paper: |gradient| of pixels and columns, the length of a token's. `standard_error`
    (N,) is that of the shares over their size, both as roots of sums of squares; NaN where all shares are 0.
    """

    shares: Tensor
    sensitivity: Tensor
    standard_error: Tensor


def input_times_gradient(model: Model, x: Tensor, target: Tensor, *, rows: int = 16) -> Tensor:
    """(N, ...) inputs times the gradients of the logit of class `target` (N,), for tokens their embeddings'.

    Padding has 0. NotApplicable as for `smoothgrad`.
    """
    parts = []
    for part, wanted in zip(*(t.split(model.batch or rows) for t in (x, target)), strict=True):
        whole = Entered.of(model, part, wanted)
        found = zip(whole.values, whole.free, whole.gradients(model, whole.values), strict=True)
        parts.append(whole.shares([v * free * g for v, free, g in found]))
    return torch.cat(parts)


def smoothgrad(
    model: Model,
    x: Tensor,
    target: Tensor,
    *,
    noise: float,
    span: Tensor | float,
    draws: int,
    seed: int,
    rows: int = 16,
) -> Smoothed:
    """Gradients of the logit of class `target` (N,) averaged over `draws` of Gaussian noise around inputs (N, ...).

    The noise is the same for every sample. Its deviation is `noise` times `span`, what an input element ranges over (a
    number, or shaped like one sample); of embeddings, times the root of the mean square of the sample's. Padding has
    none, and no share. So many `rows` go through the model at once. NotApplicable for inputs that are not finite, for
    whole numbers that are embedded nowhere, and for a model without gradients.
    """
    size = model.batch or rows
    parts = [
        _of_rows(model, Entered.of(model, part, wanted), noise, span, draws, seed, size)
        for part, wanted in zip(x.split(size), target.split(size), strict=True)
    ]
    return Smoothed(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Smoothed)))


def _of_rows(
    model: Model, whole: Entered, noise: float, span: Tensor | float, draws: int, seed: int, size: int
) -> Smoothed:
    deviations = [noise * d for d in _spans(whole, span)]
    total = [torch.zeros_like(v) for v in whole.values]
    shapes = [v.shape for v in whole.folded(whole.values)]
    sums, squares = ([torch.zeros(shape) for shape in shapes] for _ in range(2))
    for sample, draw in packed(len(whole.x), draws, size):
        values = [
            v[sample] + d[sample] * _noise(draw, v, (seed, i))
            for i, (v, d) in enumerate(zip(whole.values, deviations, strict=True))
        ]
        found = whole.gradients(model, values, sample)
        shared = [v[sample] * f[sample] * g for v, f, g in zip(whole.values, whole.free, found, strict=True)]
        for i, part in enumerate(whole.folded(shared)):
            total[i].index_add_(0, sample, found[i])
            sums[i].index_add_(0, sample, part)
            squares[i].index_add_(0, sample, part * part)
    mean = [t * f / draws for t, f in zip(total, whole.free, strict=True)]
    sensitivity = whole.shares([square.sqrt() for square in whole.folded([g * g for g in mean])])
    return Smoothed(whole.shares([s / draws for s in sums]), sensitivity, standard_error(whole, sums, squares, draws))


def _noise(draw: Tensor, values: Tensor, seed: tuple[int, int]) -> Tensor:
    """(M, ...) the noise of each draw (M,), shaped like one sample of `values` (N, ...): the same for every sample."""
    own = {d: np.random.default_rng((*seed, d)).standard_normal(values.shape[1:], np.float32) for d in draw.tolist()}
    return torch.from_numpy(np.stack([own[d] for d in draw.tolist()])).to(values.dtype)


def _spans(whole: Entered, span: Tensor | float) -> list[Tensor]:
    """For each entry what its elements range over, shaped like its values; 0 for what may not move."""
    found = []
    for e, v, free in zip(whole.known, whole.values, whole.free, strict=True):
        wide = torch.as_tensor(span, dtype=v.dtype)
        if e.place is not None:
            moving = (v * free).flatten(1).square().sum(1) / free.expand(v.shape).flatten(1).sum(1).clamp_min(1)
            wide = moving.sqrt().view(-1, *[1] * (v.ndim - 1))
        found.append(wide * free.expand(v.shape))
    return found
