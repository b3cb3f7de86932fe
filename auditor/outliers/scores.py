"""Scores of how much a row looks like those that a model was made for: higher is more so."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from auditor.outliers.features import Answers

__all__ = ["RIDGE", "Score", "energy", "mahalanobis", "max_softmax", "nearest"]

Score = Callable[[Answers], Tensor]
RIDGE = 0.01  # of the mean variance of a feature, added to the variance along every direction
TINY = 1e-12


def max_softmax(answers: Answers) -> Tensor:
    """(N,) the log-odds of the likeliest class: Hendrycks & Gimpel 2017, arXiv:1610.02136.

    The order of rows is that of the largest softmax probability, which itself rounds to 1 for many.
    """
    logits = answers.logits.double()
    top = logits.max(1)
    others = logits.scatter(1, top.indices[:, None], -torch.inf)
    return top.values - others.logsumexp(1)


def energy(answers: Answers) -> Tensor:
    """(N,) the logarithm of the sum of exp(logits), minus the energy at temperature 1: Liu et al. 2020,
    arXiv:2010.03759, equation 4. It says nothing of logits made of probabilities: their sum is 1.
    """
    return answers.logits.double().logsumexp(1)


def mahalanobis(fitted: Answers, y: Tensor) -> Score:
    """Minus the squared Mahalanobis distance of the features to the nearest class mean: Lee et al. 2018,
    arXiv:1807.03888, equation 2, on the last vector alone.

    Means are those of the rows `fitted` by their classes `y` (N,), the covariance is shared, with RIDGE times its mean
    variance on its diagonal, without which few rows have no inverse.
    """
    features = fitted.features.double()
    names, index = y.unique(return_inverse=True)
    means = torch.stack([features[index == i].mean(0) for i in range(len(names))])
    centred, origin = features - means[index], features.mean(0)
    variances, axes = _directions(centred)
    ridge = (RIDGE * centred.square().mean()).clamp_min(TINY)

    def whitened(f: Tensor) -> Tensor:
        """What the distance is the Euclidean one of; off the axes a change is divided by the ridge alone."""
        away = f.double() - origin
        along = away @ axes
        return torch.cat([along / (variances + ridge).sqrt(), (away - along @ axes.T) / ridge.sqrt()], 1)

    centres = whitened(means)

    def score(answers: Answers) -> Tensor:
        return -torch.cdist(whitened(answers.features), centres).square().amin(1)

    return score


def nearest(fitted: Answers, k: int) -> Score:
    """Minus the distance of the features, made of length 1, to the k-th nearest of the rows `fitted`: Sun et al. 2022,
    arXiv:2204.06507. There are at least `k` of them.
    """
    bank = normalize(fitted.features.double(), dim=1)

    def score(answers: Answers) -> Tensor:
        away = torch.cdist(normalize(answers.features.double(), dim=1), bank)
        return -away.topk(k, dim=1, largest=False).values[:, -1]

    return score


def _directions(centred: Tensor) -> tuple[Tensor, Tensor]:
    """The variances (K,) of rows (N, D) along K directions (D, K) that hold all, by the smaller of both sides."""
    n, d = centred.shape
    if d <= n:
        squares, axes = torch.linalg.eigh(centred.T @ centred)
        return squares.clamp_min(0) / n, axes
    squares, sides = torch.linalg.eigh(centred @ centred.T)
    real = squares > squares.amax().clamp_min(TINY) * 1e-10  # the others are rounding
    return squares[real] / n, centred.T @ sides[:, real] / squares[real].sqrt()
