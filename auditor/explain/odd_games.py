"""A model of games for which Shapley values can be read off a few coalitions, and how surely.

Shapley values depend on the odd half u(S) = (v(S) - v(N - S)) / 2 of a game alone, which a coalition and its complement
show without the even half as noise (Fumagalli et al. 2026, arXiv:2602.01399). Leverage SHAP (Musco & Witter 2025,
arXiv:2410.01917) fits an additive game to u and takes what is left over for noise. Here what is left over is modelled:
u is an additive game with free values plus a random odd game, known to have less weight the more players interact.
This is Kriging with a free trend (Rasmussen & Williams 2006, section 2.7) on the corners of a cube. With y = 2 S - 1,
the signs of a coalition, the random game's covariance of two coalitions is

    .9 (sinh(3 d) - 3 d) / (sinh 3 - 3) + .1 [S = S'] 4 |S| (n - |S|) / n^2,  d = y . y' / n.

Its third, fifth ... powers are interactions of three, five ... players. Its last part is what no smoothness foretells,
with the variance that leverage SHAP's regression assumes: were all of it that part, that regression would be the fit.

The Shapley values of u's mean given the coalitions played have a closed form: sums of the values played, with weights
that know nothing of the game, so one matrix serves all games. The mean runs through every value played: it is exact for
an additive game, and for every game once all coalitions are played.
"""

from __future__ import annotations

from functools import lru_cache
from math import cosh, lgamma, sinh
from typing import Any

import numpy as np

__all__ = ["GROUPS", "covariance", "shares", "weights"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

GROUPS = 10
_REACH = 3.0  # how fast interactions of more players lose weight: any of 1 to 4 gives nearly the same errors
_ROUGH = 0.1  # the share of the random game's variance that neighbouring coalitions do not share
_SMOOTH = (1 - _ROUGH) / (sinh(_REACH) - _REACH)


def weights(signs: Floats, groups: np.ndarray[Any, Any]) -> tuple[Floats, Floats]:
    """(rows, n) weights of u at the coalitions of `signs` (rows, n), and (GROUPS, rows, n) of ten independent errors.

    u @ weights are Shapley values. u @ errors[g] is what leaving out the rows of group g (0 to 9; -1: never left out)
    changes in them, in units of what the model expects of that change over what it expects of the values' own error,
    over sqrt(10): the changes say how rough this game is, the model only how much more a tenth of the coalitions less
    knows. The squares add up to the squared standard error (a delete-a-group jackknife, Kott 2001, J. Official Stat.
    17:521, whose factor .9 is right for errors that fall as 1 / sqrt(rows); these fall faster).
    """
    inverse: Floats = np.asarray(np.linalg.inv(covariance(signs, signs)), np.float64)
    given = shares(signs)
    found, variance = _solved(inverse, signs, given, groups == GROUPS)
    errors = np.empty((GROUPS, *found.shape))
    for g in range(GROUPS):
        without, more = _solved(inverse, signs, given, groups == g)
        unit = np.divide(variance, more - variance, out=np.zeros_like(variance), where=more > variance)
        errors[g] = (without - found) * np.sqrt(unit / GROUPS)
    return found, errors


def _solved(inverse: Floats, signs: Floats, given: Floats, left_out: Bools) -> tuple[Floats, Floats]:
    """Weights (rows, n) with 0 for rows left out, and the model's variance (n,) of the values' errors."""
    n = signs.shape[1]
    both = np.hstack([signs, given])
    both[left_out] = 0
    solved = inverse @ both
    if left_out.any():  # the inverse of a part of a matrix is a Schur complement in the whole's inverse
        solved -= inverse[:, left_out] @ np.linalg.solve(inverse[np.ix_(left_out, left_out)], solved[left_out])
        solved[left_out] = 0
    of_signs, of_given = solved[:, :n], solved[:, n:]
    # the additive game by generalised least squares, then what its residuals say of the random game
    spread = np.linalg.pinv(signs.T @ of_signs, hermitian=True)
    rest = 2 * np.eye(n) - of_signs.T @ both[:, n:]
    found = of_signs @ spread @ rest + of_given
    variance = _variance(n) - (both[:, n:] * of_given).sum(0) + (rest * (spread @ rest)).sum(0)
    total = np.zeros(len(found))
    total[0] = 2  # the first row is all players, and the values sum to 2 u of it: exactly, not up to rounding
    return found + (total - found.sum(1))[:, None] / n, np.maximum(variance, 0)


# ---- the random game ---------------------------------------------------------------------------------------------
def covariance(signs: Floats, others: Floats) -> Floats:
    """(rows, others) covariance of the random game's values at coalitions given by their signs, -1 and 1."""
    d = signs @ others.T / signs.shape[1]
    # 1e-9: coalitions whose covariance with all others the rounding of sums would make singular
    same = np.isclose(np.abs(d), 1, rtol=0, atol=1e-9) * np.sign(d)
    smooth = _SMOOTH * (np.sinh(_REACH * d) - _REACH * d)
    return np.asarray(smooth + same * (_spike(signs.mean(1))[:, None] + 1e-9))


def shares(signs: Floats) -> Floats:
    """(rows, n) covariance of the random game's Shapley values with its value at each coalition."""
    member, other = _shares_by_size(signs.shape[1])
    size = ((signs.sum(1) + signs.shape[1]) / 2).round().astype(int)
    return np.asarray(np.where(signs > 0, member[size][:, None], other[size][:, None]))


def _variance(n: int) -> float:
    """Of each of the random game's Shapley values: the value's covariance with itself, player by player joining."""
    member, other = _shares_by_size(n)
    return float((member[1:] - other[:-1]).mean())


def _spike(mean_sign: Floats) -> Floats:
    return _ROUGH * (1 - mean_sign**2)


@lru_cache(maxsize=8)
def _shares_by_size(n: int) -> tuple[Floats, Floats]:
    """(n + 1,) by the coalition's size, the shares of its members and of other players.

    They are Shapley values of the game S' -> covariance of S and S'. exp(a y . y') is a product over players, so the
    mean of its multilinear extension's slope on the diagonal, which is the Shapley value (Owen 1972, Management Science
    18:64), is that of a polynomial of degree n - 1: Gauss-Legendre's points give it exactly.
    """
    points, mass = np.polynomial.legendre.leggauss(n // 2 + 1)
    size = np.arange(n + 1)
    s, a = size[:, None], _REACH / n
    # a member's factor is cosh a + t sinh a at t = 2 p - 1 from -1 to 1, another player's cosh a - t sinh a
    up, down = cosh(a) + points * sinh(a), cosh(a) - points * sinh(a)
    less, fewer = np.maximum(s - 1, 0), np.maximum(n - s - 1, 0)
    inside = sinh(a) / 2 * ((up**less * down ** (n - s) + down**less * up ** (n - s)) * mass).sum(1)
    outside = -sinh(a) / 2 * ((up**s * down**fewer + down**s * up**fewer) * mass).sum(1)
    # the spike: a game that is 1 for the coalition, -1 for its complement and 0 for all others
    once = 2 * np.exp([lgamma(k + 1) + lgamma(n - k + 1) - lgamma(n + 1) for k in size]) * _spike(2 * size / n - 1)
    return (
        _SMOOTH * (inside - 2 * a) + once / np.maximum(size, 1),
        _SMOOTH * (outside + 2 * a) - once / np.maximum(n - size, 1),
    )
