"""What hiding parts in the order of scores does to the answer: every measure of faithfulness, from shared passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from auditor.evidence.curves import area, best_first, fractions
from auditor.evidence.road import REACHED, road_game
from auditor.evidence.scene import Scene, Scores
from auditor.evidence.subsets import infidelity, random_subsets, sensitivity_n
from auditor.explain.games import Bools, Floats, Game, play_finite
from auditor.explained.playing import player
from auditor.registry import derive_seed

__all__ = ["BETTER", "Faithfulness", "faithfulness"]

BETTER = {"deletion": -1, "insertion": 1, "road": 1, "sensitivity_n": 1, "infidelity": -1}  # 1: higher is better
Values = list[float | None]


@dataclass(frozen=True)
class Faithfulness:
    """One measure: for every method one value a row, None where it cannot be said, and the same of each rival.

    A rival of a method has its scores, dealt out in the rival's order: so nothing but the order differs.
    """

    own: dict[str, Values] = field(default_factory=dict)
    rivals: dict[str, dict[str, Values]] = field(default_factory=dict)


def faithfulness(
    scene: Scene, scores: Mapping[str, Scores], rivals: Mapping[str, Scores], steps: int, subsets: int
) -> tuple[dict[str, Faithfulness], int]:
    """Every measure by its name of the methods' `scores`, an array (players,) a row, and how many inputs were run."""
    orders = {**scores, **rivals}
    asked = _Asked.of(scene, orders, steps, subsets)
    answers, passes = _played(scene, scene.games, asked.coalitions)
    areas: dict[str, dict[str, Values]] = {name: {o: [] for o in orders} for name in ("deletion", "insertion")}
    sums = {name: Faithfulness() for name in ("sensitivity_n", "infidelity")}
    for i, said in enumerate(answers):
        for order, (deleted, inserted) in asked.curves(i, said, orders):
            flat = _is_flat(orders[order][i])
            areas["deletion"][order].append(None if flat else area(asked.reached[i], deleted))
            areas["insertion"][order].append(None if flat else area(asked.reached[i], inserted))
        drops = said[0] - said[len(said) - sum(map(len, asked.hidden[i])) :]
        for m, own in scores.items():
            dealt = {rival: _dealt(own[i], order[i]) for rival, order in rivals.items()}
            for name, of in (("sensitivity_n", _sensitivity_n), ("infidelity", _infidelity)):
                sums[name].own.setdefault(m, []).append(of(own[i], asked.hidden[i], drops))
                for rival, values in dealt.items():
                    held = sums[name].rivals.setdefault(rival, {}).setdefault(m, [])
                    held.append(of(values, asked.hidden[i], drops))
    found = {name: _of_orders(values, scores, rivals) for name, values in areas.items()}
    if scene.segments is not None:
        imputed, more = _road(scene, orders)
        found["road"], passes = _of_orders(imputed, scores, rivals), passes + more
    return {name: f for name in BETTER if (f := (found | sums).get(name))}, passes


def _of_orders(
    values: Mapping[str, Values], scores: Mapping[str, Scores], rivals: Mapping[str, Scores]
) -> Faithfulness:
    """A measure that the order alone decides: a rival's is the same beside every method."""
    return Faithfulness({m: values[m] for m in scores}, {r: dict.fromkeys(scores, values[r]) for r in rivals})


@dataclass(frozen=True)
class _Asked:
    """For every row what is asked of the model: everything, nothing, two curves of each order, and random subsets."""

    coalitions: list[Bools]
    reached: list[Floats]
    hidden: list[list[Bools]]

    @classmethod
    def of(cls, scene: Scene, orders: Mapping[str, Scores], steps: int, subsets: int) -> _Asked:
        coalitions, reached, hidden = [], [], []
        for i, (game, s) in enumerate(zip(scene.games, scene.samples, strict=True)):
            n = game.players
            ends = np.array([[True] * n, [False] * n])
            reached.append(fractions(n, steps))
            hidden.append(random_subsets(n, subsets, derive_seed(scene.ctx.seed, f"subsets {s.row}")))
            best = [best_first(o[i], reached[-1][1:-1]) for o in orders.values()]
            coalitions.append(np.concatenate([ends, *(c for b in best for c in (~b, b)), *(~h for h in hidden[-1])]))
        return cls(coalitions, reached, hidden)

    def curves(self, i: int, said: Floats, orders: Mapping[str, Scores]) -> list[tuple[str, tuple[Floats, Floats]]]:
        """Each order's answers while the best go, and while they come."""
        whole, empty, inner = said[0], said[1], len(self.reached[i]) - 2
        pairs = said[2 : 2 + 2 * inner * len(orders)].reshape(len(orders), 2, inner)
        return [(o, (np.r_[whole, p[0], empty], np.r_[empty, p[1], whole])) for o, p in zip(orders, pairs, strict=True)]


def _played(scene: Scene, games: Sequence[Game], coalitions: Sequence[Bools]) -> tuple[list[Floats], int]:
    """The answers to all coalitions, each asked for once, and how many inputs that took."""
    unique = [np.unique(c, axis=0, return_inverse=True) for c in coalitions]
    asked = [u for u, _ in unique]
    found = play_finite(player(scene.ctx), games, asked, scene.ctx.batch_size)
    passes = sum(len(a) * g.copies for a, g in zip(asked, games, strict=True))
    return [f[inverse.ravel()] for f, (_, inverse) in zip(found, unique, strict=True)], passes


def _dealt(scores: Floats, order: Floats) -> Floats:
    """The same scores (players,), the highest to whom `order` puts first."""
    found = np.empty_like(scores)
    found[np.argsort(-order, kind="stable")] = -np.sort(-scores)
    return found


def _is_flat(scores: Floats) -> bool:
    """Whether no part comes before another: then there is no order to judge."""
    return float(np.ptp(scores)) == 0


def _sensitivity_n(scores: Floats, hidden: Sequence[Bools], drops: Floats) -> float | None:
    """The mean over the sizes of subsets."""
    parts = np.split(drops, np.cumsum([len(h) for h in hidden])[:-1])
    known = [v for h, d in zip(hidden, parts, strict=True) if (v := sensitivity_n(h @ scores, d)) is not None]
    return float(np.mean(known)) if known else None


def _infidelity(scores: Floats, hidden: Sequence[Bools], drops: Floats) -> float | None:
    return infidelity(np.concatenate([h @ scores for h in hidden]), drops)


def _road(scene: Scene, orders: Mapping[str, Scores]) -> tuple[dict[str, Values], int]:
    """How much lower the answer is without the best pixels than without the worst, the mean over parts removed."""
    assert scene.segments is not None  # noqa: S101 - images have them
    games, asked = [], []
    for i, s in enumerate(scene.samples):
        games.append(road_game(s.x, scene.segments, s.predicted, derive_seed(scene.ctx.seed, f"road {s.row}")))
        ways = [~best_first(sign * o[i], REACHED) for o in orders.values() for sign in (1, -1)]
        asked.append(np.concatenate(ways))
    answers, passes = _played(scene, games, asked)
    found: dict[str, Values] = {o: [] for o in orders}
    for i, said in enumerate(answers):
        for o, (best, worst) in zip(orders, said.reshape(len(orders), 2, -1).mean(2), strict=True):
            found[o].append(None if _is_flat(orders[o][i]) else float(worst - best))
    return found, passes
