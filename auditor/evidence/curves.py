"""Deletion and insertion (Petsiuk et al. 2018, arXiv:1806.07421; Samek et al. 2017, arXiv:1509.06321) by parts."""

from __future__ import annotations

import numpy as np

from auditor.explain.games import Bools, Floats

__all__ = ["area", "best_first", "fractions"]


def fractions(players: int, steps: int) -> Floats:
    """From 0 to 1 which parts of the `players` are reached, `steps` of them at most: whole players, none twice."""
    return np.unique(np.rint(np.linspace(0, players, steps + 1))) / players


def best_first(scores: Floats, reached: Floats) -> Bools:
    """(len(reached), players) whether each player is among the `reached` part with the highest `scores` (players,).

    Equal scores are taken in the order of the players. Deletion hides those; insertion shows no others; hiding the
    lowest first is the same of minus the scores.
    """
    rank = np.argsort(np.argsort(-scores, kind="stable"), kind="stable")
    return np.asarray(rank[None] < np.rint(reached * len(scores))[:, None])


def area(reached: Floats, curve: Floats) -> float:
    """The area under `curve` (k,) over the fractions `reached` (k,) from 0 to 1: the curve's mean, by trapezoids."""
    return float(np.trapezoid(curve, reached))
