"""LIME (Ribeiro et al. 2016, arXiv:1602.04938): weighted ridge regression on random neighbours, with what it is worth.

Neighbours come in RUNS runs of their own seeds: each is foretold by the fit to the others, so that no fit is judged on
what it was made of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from auditor.explain.games import Floats, play
from auditor.explain.neighbours import Draws, Neighbourhood
from auditor.subject import Model

__all__ = ["ALPHA", "LINEAR", "RUNS", "STABLE", "Local", "fit", "lime"]

RUNS = 5
ALPHA = 1.0  # of the ridge, as lime's
LINEAR, STABLE = 0.5, 0.9
ROUNDING = 1e-6
SURE = 1  # this many runs are answered by the model itself, also where a stand-in answers the others


@dataclass(frozen=True)
class Local:
    """A linear model of the classifier (or of the value) around one input, fitted to all runs.

    `weights` (players,) are in units of what is explained: of a part being there, of one standard deviation of a
    number, of a category being what it is; `low` and `high` end their 95 % intervals, what other `neighbours` would
    give. `fidelity` is the weighted R2 on held-out neighbours: 1 follows the model exactly, 0 no better than a
    constant, below 0 worse. `stability` is the expected cosine similarity of the weights of two repeats with as many
    neighbours: 1 is the same, 0 is chance. Both are None where the answer does not change, and `fidelity` and
    `stability` where it is not finite.
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


@dataclass
class _Known:
    """What is known so far of one input: its draws and their answers, a run each."""

    draws: list[Draws]
    answers: list[Floats]


def lime(
    model: Model, around: Sequence[Neighbourhood], *, neighbours: int, most: int, rows: int, seed: int,
    search: Model | None = None,
) -> list[Local]:  # fmt: skip
    """The local linear models of all inputs, whose neighbours share batches of `rows`.

    Each starts with `neighbours`, which are doubled, the earlier ones kept, up to `most` where it does not hold (see
    `Local.holds`). Where a stand-in `search` answers, `model` itself answers one run of five, on which the held-out R2
    is taken.
    """
    search = search or model
    judged = RUNS if search is model else SURE
    known = [_Known([], []) for _ in around]
    found: list[Local] = []
    opened, n = list(range(len(around))), max(1, -(-neighbours // RUNS))
    while opened:
        _ask(model, search, [around[i] for i in opened], [known[i] for i in opened], n, rows, seed)
        fits = _fits([around[i] for i in opened], [known[i] for i in opened], judged)
        if not found:
            found = fits
        for i, local in zip(opened, fits, strict=True):
            found[i] = local
        opened = [i for i in opened if found[i].stability is not None and not found[i].holds]
        n *= 2
        if n * RUNS > most:
            break
    return found


def _ask(
    model: Model, search: Model, around: Sequence[Neighbourhood], known: Sequence[_Known], n: int, rows: int, seed: int
) -> None:
    """Bring every run of every input to `n` neighbours."""
    games = [a.game for a in around]
    for runs, asked in ((range(SURE), model), (range(SURE, RUNS), search)):
        before = [len(k.draws[r]) if r < len(k.draws) else 0 for k in known for r in runs]
        whole = [a.draw((seed, r), n) for a in around for r in runs]
        fresh = [w[b:] for w, b in zip(whole, before, strict=True)]
        said = play(asked, [g for g in games for _ in runs], fresh, rows)
        for i, k in enumerate(known):
            for r in runs:
                j = i * len(runs) + r - runs.start
                if r == len(k.draws):
                    k.draws.append(whole[j])
                    k.answers.append(said[j])
                else:
                    k.draws[r] = whole[j]
                    k.answers[r] = np.concatenate([k.answers[r], said[j]])


def _fits(around: Sequence[Neighbourhood], known: Sequence[_Known], judged: int) -> list[Local]:
    """Fits of all inputs; those that share their neighbours are one regression with many answers."""
    groups: dict[int, list[int]] = {}
    for i, a in enumerate(around):
        groups.setdefault(a.game.players if a.shared else -1 - i, []).append(i)
    found: dict[int, Local] = {}
    for group in groups.values():
        a, first = around[group[0]], known[group[0]]
        seen = [a.seen(d) for d in first.draws]
        y = [np.stack([known[i].answers[r] for i in group], 1) for r in range(RUNS)]
        found |= dict(zip(group, fit(seen, [a.nearness(f) for f in seen], y, judged), strict=True))
    return [found[i] for i in range(len(around))]


# ---- the regression ----------------------------------------------------------------------------------------------
def fit(features: Sequence[Floats], nearness: Sequence[Floats], y: Sequence[Floats], judged: int) -> list[Local]:
    """One `Local` for each of s inputs that share their neighbours: per run features (k, players), weights, y (k, s).

    Ridge with an intercept, as lime fits it. Intervals are of Student's t with the covariance that holds for errors
    that are no noise but the model's own bends (sandwich; HC3: MacKinnon & White 1985, J. Econometrics 29:305). The
    held-out R2 is taken on the first `judged` runs, each foretold by the fit to the other runs.
    """
    x, w, answers = np.concatenate(features), np.concatenate(nearness), np.concatenate(y)
    whole = _ridge(x, w, answers)
    low, high, noise = _intervals(x, w, answers, whole)
    fidelity = _held_out(features, nearness, y, judged)
    found = []
    for i in range(answers.shape[1]):
        size = float((whole.weights[:, i] ** 2).sum())
        stability = max(0.0, 1 - float(noise[i]) / size) if size > 0 else None
        held_out = float(fidelity[i]) if np.isfinite(fidelity[i]) else None
        local = Local(whole.weights[:, i], low[:, i], high[:, i], held_out, stability, len(x))
        found.append(local if _changes([run[:, i] for run in y]) else replace(local, fidelity=None, stability=None))
    return found


def _changes(runs: Sequence[Floats]) -> bool:
    """Whether the answers of a run differ by more than float32 rounds; not between runs, which may round otherwise."""
    largest = max(float(np.abs(run).max()) for run in runs)
    return math.isfinite(largest) and any(float(np.ptp(run)) > ROUNDING * largest for run in runs)


@dataclass(frozen=True)
class _Ridge:
    """Weights (players, s), intercepts (s,), the mean of the features, and the inverse of their normal equations."""

    weights: Floats
    intercept: Floats
    middle: Floats
    inverse: Floats


def _ridge(x: Floats, w: Floats, y: Floats) -> _Ridge:
    middle, level = w @ x / w.sum(), w @ y / w.sum()
    centred = x - middle
    inverse = np.linalg.inv((centred * w[:, None]).T @ centred + ALPHA * np.eye(x.shape[1]))
    weights = inverse @ (centred.T @ (w[:, None] * (y - level)))
    return _Ridge(weights, level - middle @ weights, middle, inverse)


def _intervals(x: Floats, w: Floats, y: Floats, found: _Ridge) -> tuple[Floats, Floats, Floats]:
    """Ends of the weights' 95 % intervals (players, s), and the sum of their variances (s,)."""
    from scipy.special import stdtrit

    centred = x - found.middle
    pull = centred @ found.inverse  # how each neighbour's answer moves each weight, over its nearness
    leverage = w * ((pull * centred).sum(1) + 1 / w.sum())
    missed = (y - found.intercept - x @ found.weights) / np.maximum(1 - leverage, 1e-9)[:, None]
    variance = (pull**2).T @ (w[:, None] * missed) ** 2
    half = float(stdtrit(max(1, len(x) - x.shape[1] - 1), 0.975)) * np.sqrt(variance)
    return found.weights - half, found.weights + half, variance.sum(0)


def _held_out(features: Sequence[Floats], nearness: Sequence[Floats], y: Sequence[Floats], judged: int) -> Floats:
    """(s,) weighted R2 of runs foretold by the others; NaN where the answers do not change."""
    missed, spread = np.zeros(y[0].shape[1]), np.zeros(y[0].shape[1])
    for r in range(judged):
        others = [i for i in range(len(y)) if i != r]
        x, w, known = (np.concatenate([part[i] for i in others]) for part in (features, nearness, y))
        found = _ridge(x, w, known)
        own = nearness[r]
        missed = missed + own @ (y[r] - found.intercept - features[r] @ found.weights) ** 2
        spread = spread + own @ (y[r] - own @ y[r] / own.sum()) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - missed / spread)
