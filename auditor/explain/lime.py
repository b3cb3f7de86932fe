"""LIME (Ribeiro et al. 2016, arXiv:1602.04938): weighted ridge regression on random neighbours, with what it is worth.

Neighbours come in RUNS runs of their own seeds: each is foretold by the fit to the others, so that no fit is judged on
what it was made of.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from auditor.explain.games import Floats, play
from auditor.explain.neighbours import Neighbourhood
from auditor.subject import Model

__all__ = ["ALPHA", "LINEAR", "MOST_SURE", "RUNS", "STABLE", "Local", "fit", "lime"]

RUNS = 5
ALPHA = 1.0  # of the ridge, as lime's
LINEAR, STABLE = 0.5, 0.9
ROUNDING = 1e-6
MOST_NUMBERS = 2**23  # of draws at once
SURE = 1  # this many runs are answered by the model itself, also where a stand-in answers the others;
MOST_SURE = 64  # they are no longer than this, which is enough to judge the fit by


@dataclass(frozen=True)
class Local:
    """A linear model of the classifier (or of the value) around one input, fitted to all runs.

    `weights` (players,) are in units of what is explained: of a part being there, of one standard deviation of a
    number, of a category being what it is; `low` and `high` end their 95 % intervals, what other `neighbours` would
    give. `fidelity` is the weighted R2 on held-out neighbours: 1 follows the model exactly, 0 no better than a
    constant, below 0 worse. `stability` is the expected cosine similarity of the weights of two repeats with as many
    neighbours, made of the variances of the weights: 1 is the same, 0 is chance. Both are None where the answer does
    not change or is not finite.
    """

    weights: Floats
    low: Floats
    high: Floats
    fidelity: float | None
    stability: float | None
    neighbours: int

    @property
    def holds(self) -> bool:
        """Whether the weights may be read: a fidelity of at least .5 and a stability of at least .9."""
        return (self.fidelity or 0) >= LINEAR and (self.stability or 0) >= STABLE


def lime(
    model: Model, around: Sequence[Neighbourhood], *, neighbours: int, most: int, rows: int, seed: int,
    search: Model | None = None,
) -> list[Local]:  # fmt: skip
    """The local linear models of all inputs, whose neighbours share batches of `rows`.

    Each starts with `neighbours`, which are doubled, the earlier ones kept, up to `most` where it does not hold (see
    `Local.holds`). Where a stand-in `search` answers, `model` itself answers one run of five, of at most 64 neighbours,
    on which the held-out R2 is taken.
    """
    search = search or model
    judged = RUNS if search is model else SURE
    said: list[list[Floats]] = [[np.empty(0)] * RUNS for _ in around]
    found: dict[int, Local] = {}
    opened, total = list(range(len(around))), max(2 * RUNS, -(-neighbours // RUNS) * RUNS)
    while opened and (not found or total <= most):
        lengths = _lengths(total, judged)
        for some in _at_once(opened, around, max(lengths)):
            _ask(model, search, {i: around[i] for i in some}, said, lengths, rows, seed)
        found |= _fits({i: around[i] for i in opened}, said, lengths, seed, judged)
        opened = [i for i in opened if found[i].fidelity is not None and not found[i].holds]
        total *= 2
    return [found[i] for i in range(len(around))]


def _lengths(total: int, judged: int) -> list[int]:
    """How many neighbours each run has: as many as any other, but for those that alone are judged, which stay short."""
    if judged == RUNS:
        return [total // RUNS] * RUNS
    sure = min(total // RUNS, MOST_SURE)
    return [sure] * SURE + [-(-(total - sure * SURE) // (RUNS - SURE))] * (RUNS - SURE)


def _at_once(opened: Sequence[int], around: Sequence[Neighbourhood], n: int) -> Iterator[Sequence[int]]:
    """The inputs in order, as many at once as keep their draws small."""
    size = max(around[i].game.players for i in opened) * n * RUNS
    step = max(1, MOST_NUMBERS // size)
    return (opened[i : i + step] for i in range(0, len(opened), step))


def _ask(
    model: Model, search: Model, around: Mapping[int, Neighbourhood], said: list[list[Floats]],
    lengths: Sequence[int], rows: int, seed: int,
) -> None:  # fmt: skip
    """Bring every run of these inputs to as many answers as its length."""
    for runs, asked in ((range(SURE), model), (range(SURE, RUNS), search)):
        places = [(i, r) for i in around for r in runs]
        fresh = [around[i].draw((seed, r), lengths[r])[len(said[i][r]) :] for i, r in places]
        answers = play(asked, [around[i].game for i, _ in places], fresh, rows)
        for (i, r), more in zip(places, answers, strict=True):
            said[i][r] = np.concatenate([said[i][r], more])


def _fits(
    around: Mapping[int, Neighbourhood],
    said: Sequence[Sequence[Floats]],
    lengths: Sequence[int],
    seed: int,
    judged: int,
) -> dict[int, Local]:
    """Fits of all inputs; those that share their neighbours are one regression with many answers."""
    groups: dict[int, list[int]] = {}
    for i, a in around.items():
        groups.setdefault(a.game.players if a.shared else -1 - i, []).append(i)
    found: dict[int, Local] = {}
    for group in groups.values():
        a = around[group[0]]
        seen = [a.seen(a.draw((seed, r), lengths[r])) for r in range(RUNS)]
        y = [np.stack([said[i][r] for i in group], 1) for r in range(RUNS)]
        found |= dict(zip(group, fit(seen, [a.nearness(f) for f in seen], y, judged), strict=True))
    return found


# ---- the regression ----------------------------------------------------------------------------------------------
def fit(features: Sequence[Floats], nearness: Sequence[Floats], y: Sequence[Floats], judged: int) -> list[Local]:
    """One `Local` for each of s inputs that share their neighbours: per run features (k, players), weights, y (k, s).

    Ridge with an intercept, as lime fits it. Intervals are of Student's t with the covariance that holds for errors
    that are no noise but the model's own bends (sandwich; HC3: MacKinnon & White 1985, J. Econometrics 29:305). The
    held-out R2 is taken on the first `judged` runs, each foretold by the fit to the other runs. The stability is
    1 - sum of variances / sum of squared weights: other than the overlap of the five strongest of single runs (VSI:
    Visani et al. 2020, arXiv:2001.11757) it is of what is shown, and does not fall where two weights are alike.
    """
    from scipy.special import stdtrit

    parts = [_moments(*run) for run in zip(features, nearness, y, strict=True)]
    whole = _ridge(parts)
    variance, n = _variance(features, nearness, y, whole), sum(map(len, nearness))
    half = float(stdtrit(max(1, n - len(variance) - 1), 0.975)) * np.sqrt(variance)
    fidelity = _held_out(features, nearness, y, parts, judged)
    found = []
    for i, weights in enumerate(whole.weights.T):
        size = float((weights**2).sum())
        stability = max(0.0, 1 - float(variance[:, i].sum()) / size) if size > 0 else None
        held_out = float(fidelity[i]) if np.isfinite(fidelity[i]) else None
        local = Local(weights, weights - half[:, i], weights + half[:, i], held_out, stability, n)
        found.append(local if _changes([run[:, i] for run in y]) else replace(local, fidelity=None, stability=None))
    return found


def _changes(runs: Sequence[Floats]) -> bool:
    """Whether the answers of a run differ by more than float32 rounds; not between runs, which may round otherwise."""
    largest = max(float(np.abs(run).max()) for run in runs)
    return math.isfinite(largest) and any(float(np.ptp(run)) > ROUNDING * largest for run in runs)


@dataclass(frozen=True)
class _Moments:
    """Sums over neighbours, weighted by nearness: of 1, x, y, x x^T and x y^T."""

    one: float
    x: Floats
    y: Floats
    xx: Floats
    xy: Floats


def _moments(x: Floats, w: Floats, y: Floats) -> _Moments:
    near = x * w[:, None]
    return _Moments(float(w.sum()), near.sum(0), w @ y, near.T @ x, near.T @ y)


@dataclass(frozen=True)
class _Ridge:
    """Weights (players, s), intercepts (s,), the mean of the features, and the inverse of their normal equations."""

    weights: Floats
    intercept: Floats
    middle: Floats
    inverse: Floats
    one: float


def _ridge(parts: Sequence[_Moments]) -> _Ridge:
    """The fit to all neighbours of these moments; the intercept is free, as sklearn's Ridge has it."""
    one = sum(m.one for m in parts)
    x, y, xx, xy = (np.asarray(sum(getattr(m, name) for m in parts)) for name in ("x", "y", "xx", "xy"))
    inverse = np.asarray(np.linalg.inv(xx - np.outer(x, x) / one + ALPHA * np.eye(len(x))), np.float64)
    weights = inverse @ (xy - np.outer(x, y) / one)
    return _Ridge(weights, (y - x @ weights) / one, x / one, inverse, one)


def _variance(
    features: Sequence[Floats], nearness: Sequence[Floats], y: Sequence[Floats], found: _Ridge
) -> Floats:  # fmt: skip
    """(players, s) of the weights."""
    variance = np.zeros_like(found.weights)
    for x, w, answers in zip(features, nearness, y, strict=True):
        centred = x - found.middle
        pull = centred @ found.inverse  # how each neighbour's answer moves each weight, over its nearness
        leverage = w * ((pull * centred).sum(1) + 1 / found.one)
        missed = (answers - found.intercept - x @ found.weights) / np.maximum(1 - leverage, 1e-9)[:, None]
        variance += (pull**2).T @ (w[:, None] * missed) ** 2
    return variance


def _held_out(
    features: Sequence[Floats], nearness: Sequence[Floats], y: Sequence[Floats], parts: Sequence[_Moments], judged: int
) -> Floats:
    """(s,) weighted R2 of runs foretold by the others; NaN or infinite where the answers do not change."""
    missed, spread = np.zeros(y[0].shape[1]), np.zeros(y[0].shape[1])
    for r in range(judged):
        own, found = parts[r], _ridge([m for m in parts if m is not parts[r]])
        missed += nearness[r] @ (y[r] - found.intercept - features[r] @ found.weights) ** 2
        spread += nearness[r] @ (y[r] - own.y / own.one) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - missed / spread)
