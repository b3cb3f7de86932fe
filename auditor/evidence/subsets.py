"""How far sums of shares say what hiding random parts does: sensitivity-n and infidelity, from the same subsets."""

from __future__ import annotations

import math

import numpy as np

from auditor.explain.games import Bools, Floats

__all__ = ["infidelity", "random_subsets", "sensitivity_n"]

SIZES = (0.1, 0.3, 0.5)


def random_subsets(players: int, draws: int, seed: int) -> list[Bools]:
    """Who is hidden: `draws` random subsets (draws, players) of 10 %, 30 % and 50 % of the players each, one at least.

    Sizes that come out equal are there once.
    """
    chance = np.random.default_rng(seed)
    sizes = sorted({max(1, round(players * part)) for part in SIZES} - {players})
    return [chance.random((draws, players)).argsort(1) < size for size in sizes]


def sensitivity_n(sums: Floats, drops: Floats) -> float | None:
    """Pearson's correlation of the hidden parts' `sums` of shares with the `drops` of the answer, both (draws,).

    From -1 to 1; 1 for shares that add up to what hiding takes away (Ancona et al. 2018, arXiv:1711.06104, definition
    1). None where one of both does not change.
    """
    a, b = sums - sums.mean(), drops - drops.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return None if size <= _rounding(sums) * _rounding(drops) else float(np.clip(a @ b / size, -1, 1))


def infidelity(sums: Floats, drops: Floats) -> float | None:
    """mean((b * sums - drops)^2) / mean(drops^2) at the best scale b, from 0 to 1: 0 exact, 1 says nothing.

    Infidelity (Yeh et al. 2019, arXiv:1901.09392, definition 2.1) with subsets that are hidden as the change, at the
    optimal scale (section 2.2), over what shares of 0 have: so that models of different outputs compare. None where no
    hiding changes the answer.
    """
    square = float(drops @ drops)
    if square <= _rounding(drops) ** 2:
        return None
    size = float(sums @ sums)
    scale = float(sums @ drops) / size if size > 0 else 0.0
    return float(np.square(scale * sums - drops).sum()) / square


def _rounding(values: Floats) -> float:
    """What single precision leaves of a change that is none."""
    return 1e-6 * max(1e-6, float(np.abs(values).max(initial=0))) * math.sqrt(len(values))
