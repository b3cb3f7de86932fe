"""Each row with the row most like it in its own group and in another: situation testing (Luong et al. 2011, KDD)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.fairness.groups import Groups
from auditor.fairness.neighbours import Values, nearest
from auditor.integers import Integers
from auditor.stats import interval
from auditor.types import Measure

__all__ = ["Situations", "disagreements", "distances_of", "joined", "situations"]


@dataclass(frozen=True)
class Situations:
    """Rows of one group, each with the nearest other row of it, `within`, and the nearest of another group, `across`.

    All are positions (n,); distances (n,) are in columns' standard deviations.
    """

    rows: Integers
    within: Integers
    across: Integers
    distance_within: Values
    distance_across: Values


def situations(x: Values, groups: Groups, seed: int) -> list[Situations]:
    """The situations of each compared group among rows x (N, D).

    Both neighbours are looked for among as many rows, drawn at random: else the one from the larger group would be
    nearer, and agree more often, for that alone. No more rows are taken of a group than there are neighbours to choose
    from, as the same few would be taken again and again.
    """
    order = np.random.default_rng(seed).permutation(len(x))
    codes, found = groups.codes[order], []
    for g in range(len(groups.names)):
        own, others = order[codes == g], order[(codes >= 0) & (codes != g)]
        n = min(len(own), len(others) + 1)
        own, others = own[:n], others[: n - 1]
        rows, nobody = x[own], np.full(n, -1)
        within, distance_within = nearest(rows, rows, 1, np.arange(n))
        across, distance_across = nearest(rows, x[others], 1, nobody)
        found.append(
            Situations(own, own[within[:, 0]], others[across[:, 0]], distance_within[:, 0], distance_across[:, 0])
        )
    return found


def disagreements(found: Sequence[Situations], answers: Integers, where: str) -> tuple[Measure, Measure, Measure]:
    """How often a row and its neighbour get different `answers` (N,): within groups, across, and across less within.

    Rows that share a neighbour count as one in the intervals (Kish 1965: the design effect of clusters that agree in
    all): one neighbour that stands out would else be taken for many.
    """
    own, within, across = (joined(found, name, answers) for name in ("rows", "within", "across"))
    same, cross = own != within, own != across
    places = np.arange(len(answers))
    worth = [_worth(joined(found, name, places)) for name in ("within", "across")]
    n, k, m, both = len(own), int(same.sum()), int(cross.sum()), int((same & cross).sum())
    return (
        _measure("same_group_disagreement", where, "wilson", (k, n), worth[0]),
        _measure("cross_group_disagreement", where, "wilson", (m, n), worth[1]),
        _measure("cross_group_excess", where, "newcombe-paired", (m, k, both, n), min(worth)),
    )


def joined(found: Sequence[Situations], name: str, values: Integers) -> Integers:
    """The `values` (N,) of the rows that a field of the situations names."""
    return np.asarray(values[np.concatenate([getattr(s, name) for s in found])])


def distances_of(found: Sequence[Situations]) -> tuple[float, float]:
    """How far away the nearest row lies as a rule (median): that of the same group, and that of another."""
    within, across = (np.concatenate([getattr(s, f"distance_{side}") for s in found]) for side in ("within", "across"))
    return float(np.median(within)), float(np.median(across))


def _worth(neighbours: Integers) -> float:
    """As how many rows they count, as a share of their number: 1 where each has a neighbour of its own."""
    return float(len(neighbours) / np.square(np.bincount(neighbours)).sum())


def _measure(name: str, where: str, method: str, counts: tuple[int, ...], worth: float) -> Measure:
    worth_of = tuple(c * worth for c in counts)
    i = interval(method, worth_of)
    return Measure(name, where, i.value, counts[-1], i.low, i.high, method, worth_of, "lower")
