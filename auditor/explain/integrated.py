"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365), with as many steps as each sample needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from auditor.errors import NotApplicable
from auditor.explain.entries import Entry, entries, gathered, gradients_at, logits_from, movable
from auditor.explain.passes import need_finite
from auditor.subject import Model

__all__ = ["STEPS", "TOLERANCE", "Integrated", "Path", "Start", "completeness", "integrated_gradients", "packed"]

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
    whose completeness error is above TOLERANCE. No more than `rows` points go through the model at once, and no more
    than their gradients are held beside the sums: memory grows with `rows` alone.
    The logit is explained rather than the probability, whose gradient is lost where it is close to 1; of a model that
    gives probabilities, their logarithm. NotApplicable for inputs that are not finite, for whole numbers that are
    embedded nowhere, and for a model without gradients or with some that are not finite.
    """
    need_finite(x)
    size = model.batch or rows
    parts = [
        _of_rows(model, part, wanted, start, size, steps)
        for part, wanted in zip(x.split(size), target.split(size), strict=True)
    ]
    return Integrated(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Integrated)))


@dataclass(frozen=True)
class Path:
    """N samples with their entries, and for each entry its values at both ends, and which of them move."""

    x: Tensor
    target: Tensor
    known: Sequence[Entry]
    starts: Sequence[Tensor]
    ends: Sequence[Tensor]

    @classmethod
    def of(cls, model: Model, x: Tensor, target: Tensor, start: Start) -> Path:
        """The path of inputs (N, ...) from what `start` gives for them."""
        known = entries(model, x)
        ends = [e.values.cpu().float() for e in known]
        given = zip(start(x, known), ends, movable(x, known), strict=True)
        return cls(x, target, known, [torch.where(free, s.to(e.dtype), e) for s, e, free in given], ends)

    def at(self, rows: Tensor) -> Path:
        """The path of the samples `rows` (positions) alone."""
        starts, ends = [s[rows] for s in self.starts], [e[rows] for e in self.ends]
        known = [e.at(rows, self.x[0].numel()) for e in self.known]
        return Path(self.x[rows], self.target[rows], known, starts, ends)

    def logits(self, model: Model, values: Sequence[Tensor]) -> Tensor:
        """The logits (N,) of the target for other values of the entries."""
        with torch.no_grad():
            logits = logits_from(model, self.x, self.known, values).cpu().reshape(len(self.x), -1)
        return logits.gather(1, self.target[:, None])[:, 0]

    def gradients(self, model: Model, sample: Tensor, alpha: Tensor) -> list[Tensor]:
        """For each entry the gradients (M, ...) at the points `alpha` (M,) of the way of the samples `sample` (M,)."""
        pairs = zip(self.starts, self.ends, strict=True)
        values = [torch.lerp(s[sample], e[sample], _each(alpha, s)) for s, e in pairs]
        _, found = gradients_at(model, self.x[sample], self.target[sample], self.known, values)
        odd = sum(int((~g.isfinite()).flatten(1).any(1).sum()) for g in found)
        if odd:
            msg = f"{odd} of {len(sample)} gradients between baseline and input are not finite"
            raise NotApplicable(msg)
        return found


def packed(samples: int, points: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of at most `size` (sample, point) pairs that cover all points of all samples, sample by sample."""
    for pairs in torch.arange(samples * points).split(size):
        yield pairs // points, pairs % points


def completeness(shares: Tensor, logit: Tensor, gain: Tensor) -> Tensor:
    """(N,) how far shares (N, ...) are from adding up to `gain` (N,), as `Integrated` says."""
    total, size = shares.flatten(1).sum(1), shares.flatten(1).abs().sum(1)
    scale = torch.maximum(gain.abs(), 0.01 * size)
    error = (total - gain).abs() / scale.clamp_min(torch.finfo(scale.dtype).tiny)
    still = torch.maximum(gain.abs(), size) <= ROUNDING * logit.abs().clamp_min(1)
    return torch.where(still, math.nan, error)


def _of_rows(model: Model, x: Tensor, target: Tensor, start: Start, size: int, steps: Sequence[int]) -> Integrated:
    path = Path.of(model, x, target, start)
    logit = path.logits(model, path.ends)
    gain = logit - path.logits(model, path.starts)
    shares, error = torch.zeros(x.shape), torch.full((len(x),), math.inf)
    taken, left = torch.zeros(len(x), dtype=torch.long), torch.arange(len(x))
    for points in steps:
        shares[left] = _shares(model, path.at(left), points, size)
        error[left] = completeness(shares[left], logit[left], gain[left])
        taken[left] = points
        left = left[error[left] > TOLERANCE]
        if not len(left):
            break
    return Integrated(shares, logit, gain, error, taken)


def _shares(model: Model, path: Path, points: int, size: int) -> Tensor:
    nodes, weights = (torch.from_numpy(v).float() for v in _gauss_legendre(points))
    sums = [torch.zeros_like(e) for e in path.ends]
    for sample, point in packed(len(path.x), points, size):
        for total, found in zip(sums, path.gradients(model, sample, nodes[point]), strict=True):
            total.index_add_(0, sample, found * _each(weights[point], found))
    parts = [(e - s) * g for s, e, g in zip(path.starts, path.ends, sums, strict=True)]
    return gathered(path.x, path.known, parts)


def _each(v: Tensor, like: Tensor) -> Tensor:
    """(M,) as (M, 1, ...) so that it multiplies samples shaped like `like`."""
    return v.view(-1, *[1] * (like.ndim - 1))


def _gauss_legendre(points: int) -> tuple[Floats, Floats]:
    """The nodes of the Gauss-Legendre rule on [0, 1] and their weights, which add up to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    return (nodes + 1) / 2, weights / 2
