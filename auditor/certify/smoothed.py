"""How far a row stands for certain under Gaussian noise, by draws that stop when they have said enough.

Cohen et al. 2019, arXiv:1902.02918: theorem 1 (section 3.1) and CERTIFY (section 3.2.2), with Clopper-Pearson bounds at
several looks in the place of one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.integers import Integers
from auditor.wrapped.randomised_smoothing import Smoothed

__all__ = ["CertifiedByDraws", "Sampling", "at_least", "at_most", "certified_by_draws", "hits_at", "looks"]

FIRST = 100  # draws at the first look; every other has twice as many

Counts = np.ndarray[Any, np.dtype[np.int64]]
Shares = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Sampling:
    """How many draws a row gets at `most`, with which probability `alpha` at most its certificate is wrong.

    `rows` are the inputs that are asked at once.
    """

    most: int
    alpha: float
    seed: int
    rows: int


@dataclass(frozen=True)
class CertifiedByDraws:
    """Of how many epsilons (N,) each row stands for certain; whether its own class leads at all; draws spent (N,)."""

    index: Tensor
    right: Tensor
    drawn: Tensor


def looks(most: int) -> list[int]:
    """The numbers of draws after which a row is looked at: 100, 200, 400 ... and `most`."""
    found = []
    n = FIRST
    while n < most:
        found.append(n)
        n *= 2
    return [*found, most]


def at_least(hits: Counts, n: int, alpha: float) -> Shares:
    """The share that `hits` of `n` draws prove at least (Clopper & Pearson 1934), wrong `alpha` of times at most."""
    from scipy.special import betaincinv

    return np.where(hits == 0, 0.0, betaincinv(np.maximum(hits, 1), n - hits + 1, alpha))


def at_most(hits: Counts, n: int, alpha: float) -> Shares:
    """The share that `hits` of `n` draws speak for at most, wrong at most `alpha` of times."""
    from scipy.special import betaincinv

    return np.where(hits == n, 1.0, betaincinv(hits + 1, np.maximum(n - hits, 1), 1 - alpha))


@dataclass(frozen=True)
class _Row:
    """One input `x` (...) of class `label`, asked about `at_once` draws at once."""

    smoothed: Smoothed
    x: Tensor
    label: int
    generator: torch.Generator
    at_once: int

    def hits(self, n: int) -> int:
        """Under how many of `n` further draws it is named so."""
        return hits_at(self.smoothed, self.x, self.label, n, self.generator, self.at_once)


def certified_by_draws(
    smoothed: Smoothed, x: Tensor, y: Tensor, row_ids: Integers, epsilons: Sequence[float], how: Sampling
) -> CertifiedByDraws:
    """How far rows `x` (N, ...) of classes `y` (N,) stand for certain, among `epsilons` (ascending, L2, input units).

    Within sigma times the normal quantile of the share of noise under which the model behind names a row's class, no
    change makes another class the most frequent (theorem 1). The class is the label, so that no draws go into guessing
    it. `alpha` is shared evenly by the looks, so that all of them hold together: a row stops as soon as its next
    epsilon is reached, is all but excluded (by the upper bound), or cannot be reached by hits alone. It abstains, with
    `right` False, where the bound does not exceed one half.
    """

    needed = np.asarray([NormalDist().cdf(e / smoothed.sigma) for e in (0.0, *epsilons)])
    rows = [_Row(smoothed, x[i], int(y[i]), _generator(how.seed, int(row)), how.rows) for i, row in enumerate(row_ids)]
    found, drawn = zip(*(_certified_row(needed, how, row) for row in rows), strict=True)
    reached = torch.tensor(found)
    return CertifiedByDraws((reached - 1).clamp_min(0), reached > 0, torch.tensor(drawn))


def _certified_row(needed: Shares, how: Sampling, row: _Row) -> tuple[int, int]:
    """How many of the shares `needed` (ascending) one row reaches, and how many draws that took."""
    at, reached, hits, n = looks(how.most), 0, 0, 0
    alpha = how.alpha / len(at)
    for look in at:
        hits, n = hits + row.hits(look - n), look
        found = np.asarray(hits)
        reached = max(reached, int((at_least(found, n, alpha) > needed).sum()))
        if reached == len(needed) or at_most(found, n, alpha) < needed[reached]:
            break
        if at_least(found + how.most - n, how.most, alpha) <= needed[reached]:
            break
    return reached, n


def hits_at(smoothed: Smoothed, x: Tensor, label: int, n: int, generator: torch.Generator, rows: int) -> int:
    """Under how many of `n` draws the model behind names `label` for one input `x` (...), `rows` at once."""
    hits = 0
    for start in range(0, n, rows):
        noise = torch.randn((min(rows, n - start), *x.shape), generator=generator)
        with torch.no_grad():
            logits = smoothed.under(x[None].to(smoothed.unit.device), noise).cpu()
        hits += int(((logits.argmax(1) == label) & logits.isfinite().all(1)).sum())
    return hits


def _generator(seed: int, row: int) -> torch.Generator:
    """One of its own for each row, whatever stands beside it."""
    digest = hashlib.sha256(f"smoothing {seed} {row}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
