"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365), with as many steps as each sample needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from auditor.explain.entries import Entry
from auditor.explain.paths import Entered, each, packed
from auditor.subject import Model

__all__ = ["STEPS", "TOLERANCE", "Integrated", "Start", "completeness", "integrated_gradients"]

STEPS = (16, 32, 64, 128, 256, 512)
TOLERANCE = 0.01
ROUNDING = 1e-6  # of the logits: what single precision can tell

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Start = Callable[[Tensor, Sequence[Entry]], Sequence[Tensor]]


@dataclass(frozen=True)
class Integrated:
    """Shares of f(x) - f(x') for each of N samples: f is a class's logit, x' the baseline.

    `shares` (N, ...) are shaped like the input, one a token for texts; `logit` (N,) is f(x), `gain` (N,) is f(x) -
    f(x'). `completeness_error` (N,) is |sum of shares - gain| / max(|gain|, 0.01 * sum of |shares|): 0 is exact, NaN
    where nothing moves between baseline and input, so that there is nothing to share. `steps` (N,) are the points on
    the path that the shares are made of.
    """

    shares: Tensor
    logit: Tensor
    gain: Tensor
    completeness_error: Tensor
    steps: Tensor

    @property
    def unresolved(self) -> Tensor:
        """(N,) whether the error is still above TOLERANCE."""
        return self.completeness_error > TOLERANCE


def integrated_gradients(
    model: Model, x: Tensor, target: Tensor, start: Start, *, rows: int = 16, steps: Sequence[int] = STEPS
) -> Integrated:
    """Shares of the logit of class `target` (N,) for inputs (N, ...); the model is frozen and in evaluation mode.

    The path is a straight line from what `start` gives for the samples and their entries (see `entries`): pixels and
    columns move themselves, tokens and categories by their embeddings, padding not at all. It is integrated with the
    first of `steps` Gauss-Legendre points; the next number, with points of its own, is taken for those samples alone
    whose completeness error is above TOLERANCE. No more than `rows` points go through the model at once, and their
    gradients are added up as they come: memory grows with `rows` alone.
    The logit is explained rather than the probability, whose gradient is lost where it is close to 1; of a model that
    gives probabilities, their logarithm. NotApplicable for inputs that are not finite, for whole numbers that are
    embedded nowhere, and for a model without gradients or with some that are not finite.
    """
    size = model.batch or rows
    parts = [
        _of_rows(model, Entered.of(model, part, wanted), start, size, steps)
        for part, wanted in zip(x.split(size), target.split(size), strict=True)
    ]
    return Integrated(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Integrated)))


def completeness(shares: Tensor, logit: Tensor, gain: Tensor) -> Tensor:
    """(N,) how far shares (N, ...) are from adding up to `gain` (N,), as `Integrated` says."""
    total, size = shares.flatten(1).sum(1), shares.flatten(1).abs().sum(1)
    scale = torch.maximum(gain.abs(), 0.01 * size)
    error = (total - gain).abs() / scale.clamp_min(torch.finfo(scale.dtype).tiny)
    still = torch.maximum(gain.abs(), size) <= ROUNDING * logit.abs().clamp_min(1)
    return torch.where(still, math.nan, error)


def _of_rows(model: Model, whole: Entered, start: Start, size: int, steps: Sequence[int]) -> Integrated:
    n = len(whole.x)
    starts = whole.moved(start(whole.x, whole.known))
    logit = whole.logits(model, whole.values)
    gain = logit - whole.logits(model, starts)
    shares, error = torch.zeros(whole.x.shape), torch.full((n,), math.inf)
    taken, left = torch.zeros(n, dtype=torch.long), torch.arange(n)
    for points in steps:
        shares[left] = _shares(model, whole.at(left), [s[left] for s in starts], points, size)
        error[left] = completeness(shares[left], logit[left], gain[left])
        taken[left] = points
        left = left[error[left] > TOLERANCE]
        if not len(left):
            break
    return Integrated(shares, logit, gain, error, taken)


def _shares(model: Model, some: Entered, starts: Sequence[Tensor], points: int, size: int) -> Tensor:
    nodes, weights = (torch.from_numpy(v).float() for v in _gauss_legendre(points))
    ends, sums = some.values, [torch.zeros_like(v) for v in some.values]
    for sample, point in packed(len(some.x), points, size):
        pairs = zip(starts, ends, strict=True)
        values = [torch.lerp(s[sample], e[sample], each(nodes[point], s)) for s, e in pairs]
        for total, found in zip(sums, some.gradients(model, values, sample), strict=True):
            total.index_add_(0, sample, found * each(weights[point], found))
    return some.shares([(e - s) * g for s, e, g in zip(starts, ends, sums, strict=True)])


def _gauss_legendre(points: int) -> tuple[Floats, Floats]:
    """The nodes of the Gauss-Legendre rule on [0, 1] and their weights, which add up to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    return (nodes + 1) / 2, weights / 2
