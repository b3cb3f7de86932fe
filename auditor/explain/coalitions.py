"""Which coalitions of players are played, and the matrices that turn their values into Shapley values.

Coalitions come in pairs, S with its complement, and sizes evenly: these are the leverage scores of the regression
behind Shapley values (Musco & Witter 2025, arXiv:2410.01917, lemma 3.1). Within a size they are random and none comes
twice. At first the one of 24 random candidates is taken that leaves least variance in the Shapley values under the
model of auditor.explain.odd_games (sequential A-optimal design, Chaloner & Verdinelli 1995, Stat. Sci. 10:273). All
this knows nothing of the games: one design serves all with as many players.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, islice
from math import ceil, comb
from typing import Any

import numpy as np

from auditor.explain.odd_games import GROUPS, covariance, shares, weights

__all__ = ["Design", "all_coalitions", "design", "fewest_pairs", "most_pairs"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

_LISTED = 5000  # sizes with no more coalitions than this are listed and shuffled, others drawn
_CANDIDATES = 24
_WEIGHED = 512  # pairs that are chosen among candidates
_TREND = 30.0  # the variance of the additive game while choosing: far above the random game's


@dataclass(frozen=True)
class Design:
    """Pairs of coalitions and the weights of their values.

    `coalitions` (pairs, n) holds one of each pair, the one with at most half of the players. Let u (1 + pairs,) start
    with (v(N) - v(0)) / 2 and go on with (v(S) - v(N - S)) / 2 of each pair: u @ weights are Shapley values (n,), and
    the squares of u @ errors, (10, n), add up to their squared standard errors.
    """

    coalitions: Bools
    weights: Floats
    errors: Floats


def fewest_pairs(players: int) -> int:
    """Pairs below which values and their errors cannot be told: a fifth more than there are players, at least 12."""
    return max(12, ceil(1.2 * players))


def most_pairs(players: int) -> int:
    """Pairs above which a design takes more than about 25 MB (50 MB for 500 players) or 10 seconds."""
    return max(2 * fewest_pairs(players), min(4096, 2**18 // players))


@lru_cache(maxsize=4)
def all_coalitions(players: int) -> Bools:
    """(2^n, n) all coalitions: player i is in row r where bit i of r is set."""
    return (np.arange(2**players)[:, None] >> np.arange(players) & 1).astype(np.bool_)


@lru_cache(maxsize=16)
def design(players: int, pairs: int, seed: int, part: int = 0) -> Design:
    """The design of the first `pairs` pairs: those of fewer pairs are its beginning.

    `part` picks one of many designs that have nothing in common but their sizes.
    """
    coalitions = _chosen(players, pairs, [seed, part])
    rng = np.random.default_rng([seed, part])
    groups = np.concatenate([[-1], *(rng.permutation(GROUPS) for _ in range(ceil(pairs / GROUPS)))])[: 1 + pairs]
    found = Design(coalitions, *weights(np.vstack([np.ones(players), np.where(coalitions, 1.0, -1.0)]), groups))
    for array in (found.coalitions, found.weights, found.errors):
        array.flags.writeable = False  # it is shared
    return found


# ---- choosing ----------------------------------------------------------------------------------------------------
def _chosen(players: int, pairs: int, seed: Sequence[int]) -> Bools:
    """(pairs, n): of each size in turn, at first the one of some random candidates that tells most."""
    streams: dict[int, Iterator[Bools]] = {}
    waiting: dict[int, list[Bools]] = {}
    knowledge = _Knowledge(players)
    chosen: list[Bools] = []
    for size in islice(_sizes(players), pairs):
        stream = streams.setdefault(size, _of_size(players, size, np.random.default_rng([*seed, size])))
        pool = waiting.setdefault(size, [])
        weighed = len(chosen) < _WEIGHED
        pool += islice(stream, max(0, (_CANDIDATES if weighed else 1) - len(pool)))
        chosen.append(pool.pop(knowledge.add_best(np.array(pool)) if weighed else 0))
    return np.array(chosen)


class _Knowledge:
    """What the coalitions chosen so far tell of the Shapley values under the model: the rows of a Cholesky factor.

    A coalition takes |cov(values, u(S) | chosen)|^2 / var(u(S) | chosen) off the sum of the values' variances.
    """

    def __init__(self, players: int) -> None:
        self.signs = np.empty((0, players))
        self.inverse = np.empty((0, 0))  # of the Cholesky factor
        self.known = np.empty((0, players))  # the factor's inverse @ shares
        self.add_best(np.ones((1, players), np.bool_))

    def add_best(self, candidates: Bools) -> int:
        signs: Floats = np.where(candidates, 1.0, -1.0)
        n = signs.shape[1]
        own, given = covariance(signs, signs).diagonal() + _TREND, shares(signs) + 2 * _TREND * signs / n
        shared = covariance(self.signs, signs) + _TREND * self.signs @ signs.T / n
        seen = self.inverse @ shared
        left = np.sqrt(np.maximum(own - (seen**2).sum(0), 1e-9))
        told = (given - seen.T @ self.known) / left[:, None]
        best = int((told**2).sum(1).argmax())
        row = np.append(-seen[:, best] @ self.inverse, 1) / left[best]
        self.inverse = np.vstack([np.pad(self.inverse, ((0, 0), (0, 1))), row])
        self.known = np.vstack([self.known, told[best]])
        self.signs = np.vstack([self.signs, signs[best]])
        return best


def _sizes(players: int) -> Iterator[int]:
    """Sizes of the smaller coalition of a pair, each as often as the others at any time, until it has no more."""
    sizes = np.arange(1, players // 2 + 1)
    half = 2 * sizes == players  # its pairs hold two coalitions of the size
    left = np.array([float(comb(players, int(s))) for s in sizes]) / np.where(half, 2, 1)
    step = np.where(half, 2.0, 1.0)
    due = step / 2
    while (left > 0).any():
        i = int(np.argmin(np.where(left > 0, due, np.inf)))
        due[i] += step[i]
        left[i] -= 1
        yield int(sizes[i])


def _of_size(players: int, size: int, rng: np.random.Generator) -> Iterator[Bools]:
    """Coalitions of a size in random order, none twice, no complement of an earlier one."""
    if comb(players, size) <= _LISTED:
        listed = np.array(list(combinations(range(players), size)))
        if 2 * size == players:
            listed = listed[: len(listed) // 2]  # those with player 0
        for members in rng.permutation(listed):
            yield _present(players, members)
        return
    seen: set[bytes] = set()
    while True:
        present = _present(players, rng.permutation(players)[:size])
        if 2 * size == players and not present[0]:
            present = ~present
        if (key := np.packbits(present).tobytes()) not in seen:
            seen.add(key)
            yield present


def _present(players: int, members: Any) -> Bools:
    present = np.zeros(players, np.bool_)
    present[members] = True
    return present
