"""Shapley values of many games at once, with standard errors, from as few coalitions as those allow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import comb, sqrt
from typing import Any, NamedTuple

import numpy as np

from auditor.explain.coalitions import all_coalitions, design, fewest_pairs, most_pairs

__all__ = ["EXACT", "T9", "Play", "Request", "Shapley", "certain_order", "certain_set", "exact", "shapley"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

EXACT = 16
SETTLED = 0.05
ROUNDING = 1e-6  # of values in float32, against their size
T9 = 2.2621571628540993  # Student's t, 97.5 %, 9 degrees of freedom: there are 10 groups


class Request(NamedTuple):
    """Coalitions (k, n) whose values are asked for, of one part of one game."""

    game: int
    part: int
    coalitions: Bools


Play = Callable[[Sequence[Request]], Iterable[Any]]


@dataclass(frozen=True)
class Shapley:
    """Shapley values (n,) of one game, each with a standard error (n,), 0 where every coalition was counted.

    `base` is the value with no player, `value` with all: `values` sum to their difference. `calls` coalitions were
    played, the two ends included. `settled` is false where the budget ended before all standard errors were within 5 %
    of the largest value. A 95 % interval is values -+ T9 * standard_error.
    """

    values: Floats
    standard_error: Floats
    base: float
    value: float
    calls: int
    exact: bool
    settled: bool


def exact(values: Any) -> Floats:
    """(..., n) Shapley values of games whose values of all coalitions are given, (..., 2^n).

    The value of the coalition that holds player i where bit i of r is set stands at r.
    """
    v = np.asarray(values, np.float64)
    n = v.shape[-1].bit_length() - 1
    if n < 1 or v.shape[-1] != 2**n:
        msg = f"values of all coalitions: asked for 2^n of at least one player, found {v.shape[-1]}"
        raise ValueError(msg)
    size = np.zeros(1, np.intp)
    for _ in range(n):
        size = np.concatenate([size, size + 1])
    joined = np.array([1 / (n * comb(n - 1, s)) for s in range(n)])  # by the size before the player joined
    found = np.empty((*v.shape[:-1], n))
    for i in range(n):
        halves = v.reshape(*v.shape[:-1], -1, 2, 2**i)
        weight = joined[size.reshape(-1, 2, 2**i)[:, 0]]
        found[..., i] = ((halves[..., 1, :] - halves[..., 0, :]) * weight).sum((-2, -1))
    return found


def shapley(play: Play, players: Sequence[int], *, first: int, most: int, seed: int, parts: int = 1) -> list[Shapley]:
    """Shapley values of games with players[g] players each, played together round by round.

    A game is the mean of its `parts`, such as equal shares of a table's background rows: `play` gives the values (k,)
    of each request's coalitions for the part asked for. Each part has coalitions of its own, so what they miss averages
    out: where a part costs its share of the whole, more parts give smaller errors for the same work. `calls`, `first`
    and `most` count a coalition of every part as one.

    Games whose 2^n coalitions are no more than `most` and have at most 16 players are counted exactly. Others play
    `first` coalitions, at least 24 and 2.4 a player, and twice as many in each further round, the earlier ones among
    them, until every standard error is within 5 % of the largest value, or `most` or the pairs that `most_pairs` allows
    are reached. Standard errors are a jackknife over 10 groups of pairs (`auditor.explain.odd_games.weights`): what the
    model of the games gets wrong shows in them, as it makes the values depend on which coalitions were played.
    """
    if min(players, default=1) < 1 or parts < 1:
        msg = f"asked for at least one player and one part, found {min(players, default=1)} and {parts}"
        raise ValueError(msg)
    every = [n <= EXACT and 2**n <= max(most, 2 * fewest_pairs(n) + 2) for n in players]
    found: dict[int, Shapley] = {}
    counted = [g for g, all_of_it in enumerate(every) if all_of_it]
    for g, values in zip(
        counted, _played(play, [(g, all_coalitions(players[g])) for g in counted], parts), strict=True
    ):
        v = values.mean(0)
        n = players[g]
        found[g] = Shapley(exact(v), np.zeros(n), float(v[0]), float(v[-1]), 2**n, exact=True, settled=True)
    found |= _estimated(play, {g: n for g, n in enumerate(players) if not every[g]}, first, most, seed, parts)
    return [found[g] for g in range(len(players))]


def certain_order(values: Floats, standard_error: Floats, k: int) -> bool:
    """Whether the k strongest bars stand in this order beyond chance, and above all others.

    Each neighbouring pair's difference in size exceeds its 95 % interval: T9 sqrt(se_i^2 + se_j^2).
    """
    order = np.argsort(-np.abs(values), kind="stable")
    strongest = [(int(i), [int(order[r + 1])]) for r, i in enumerate(order[:k]) if r + 1 < len(order)]
    return _apart(values, standard_error, strongest) and certain_set(values, standard_error, k)


def certain_set(values: Floats, standard_error: Floats, k: int) -> bool:
    """Whether the k strongest bars are stronger than every other beyond chance, in whatever order they stand."""
    order = [int(i) for i in np.argsort(-np.abs(values), kind="stable")]
    return _apart(values, standard_error, [(i, order[k:]) for i in order[:k]])


def _apart(values: Floats, standard_error: Floats, pairs: Iterable[tuple[int, Sequence[int]]]) -> bool:
    size = np.abs(values)
    return all(
        bool(size[i] - size[j] > T9 * sqrt(standard_error[i] ** 2 + standard_error[j] ** 2))
        for i, others in pairs
        for j in others
    )


# ---- rounds ------------------------------------------------------------------------------------------------------
def _estimated(play: Play, players: dict[int, int], first: int, most: int, seed: int, parts: int) -> dict[int, Shapley]:
    ends = _played(
        play, [(g, np.stack([np.zeros(n, np.bool_), np.ones(n, np.bool_)])) for g, n in players.items()], parts
    )
    base = {g: v[:, 0] for g, v in zip(players, ends, strict=True)}
    # (parts, 1 + pairs) half the difference of each pair, that of all and none first
    odd = {g: (v[:, 1:] - v[:, :1]) / 2 for g, v in zip(players, ends, strict=True)}
    found: dict[int, Shapley] = {}
    wanted = {g: min(max(first // 2, fewest_pairs(n)), _last(n, most)) for g, n in players.items()}
    while wanted:
        _play_round(play, {g: (players[g], pairs) for g, pairs in wanted.items()}, odd, seed, parts)
        for g, pairs in list(wanted.items()):
            n, last = players[g], _last(players[g], most)
            values, error = _solve(odd[g], n, seed)
            start = float(base[g].mean())
            value = start + 2 * float(odd[g][:, 0].mean())
            enough = max(SETTLED * float(np.abs(values).max()), ROUNDING * max(abs(start), abs(value)))
            settled = bool(error.max() <= enough)
            if settled or pairs >= last:
                found[g] = Shapley(values, error, start, value, 2 * pairs + 2, exact=False, settled=settled)
                del wanted[g]
            else:
                wanted[g] = min(2 * pairs, last)
    return found


def _last(players: int, most: int) -> int:
    return min(max(most // 2 - 1, fewest_pairs(players)), most_pairs(players))


def _play_round(play: Play, wanted: dict[int, tuple[int, int]], odd: dict[int, Floats], seed: int, parts: int) -> None:
    """Play what a round adds to the earlier ones."""
    requests = []
    for g, (n, pairs) in wanted.items():
        for part in range(parts):
            new = design(n, pairs, seed, part).coalitions[odd[g].shape[1] - 1 :]
            requests.append(Request(g, part, np.concatenate([new, ~new])))
    values = iter(_checked(play, requests))
    for g in wanted:
        halves = np.stack([np.subtract(*np.split(next(values), 2)) / 2 for _ in range(parts)])
        odd[g] = np.hstack([odd[g], halves])


def _solve(odd: Floats, players: int, seed: int) -> tuple[Floats, Floats]:
    """Values (n,) and standard errors (n,): the mean over the parts, with all pairs and without each group."""
    designs = [design(players, len(u) - 1, seed, part) for part, u in enumerate(odd)]
    values = np.mean([u @ d.weights for u, d in zip(odd, designs, strict=True)], 0)
    error = np.linalg.norm(np.mean([u @ d.errors for u, d in zip(odd, designs, strict=True)], 0), axis=0)
    # a game whose pairs all agree leaves the rounding of sums
    dust = 1e-12 * max(float(np.abs(odd).max()), 1e-300)
    return np.where(np.abs(values) > dust, values, 0.0), np.where(error > dust, error, 0.0)


def _played(play: Play, games: Sequence[tuple[int, Bools]], parts: int) -> list[Floats]:
    """(parts, k) for each game the values of its coalitions (k, n)."""
    requests = [Request(g, part, coalitions) for g, coalitions in games for part in range(parts)]
    values = _checked(play, requests)
    return [np.stack(values[i : i + parts]) for i in range(0, len(values), parts)]


def _checked(play: Play, requests: Sequence[Request]) -> list[Floats]:
    if not requests:
        return []
    values = [np.asarray(v, np.float64).reshape(-1) for v in play(requests)]
    if [len(v) for v in values] != [len(r.coalitions) for r in requests]:
        msg = f"asked for the values of {len(requests)} requests, one a coalition, found another number"
        raise ValueError(msg)
    return values
