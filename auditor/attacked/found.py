"""The audited rows under every attack, in parts that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auditor.attacks.curve import Frontiers
from auditor.attacks.goals import Goal
from auditor.attacks.seen import ROWS, Seen, seen_by_search
from auditor.errors import NotApplicable
from auditor.explain.followed import followed
from auditor.registry import Context
from auditor.subject import Batch, Data, Model

__all__ = ["Attacked", "Threat", "Turned", "attacked", "search_view"]

Aim = Callable[[Batch, Tensor], Tensor]
Attack = Callable[[Tensor, Tensor], Frontiers]
Noise = Callable[[Tensor, Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Threat:
    """What is tried: `attack(x, y)` for `goal`, where y is what `aim(batch, outputs)` leads away from.

    `noise(x, epsilon, generator)` are random changes of the same sizes.
    """

    goal: Goal
    aim: Aim
    attack: Attack
    noise: Noise


@dataclass(frozen=True)
class Turned:
    """One row that was turned: its number, the input as it is and changed, outputs (C,) or (1,) of both, the size."""

    row: int
    x: Tensor
    changed: Tensor
    before: Tensor
    after: Tensor
    distance: float
    target: float


@dataclass(frozen=True)
class Attacked:
    """What attacks and random changes left of N rows at E sizes.

    `index` (N,) as in `Frontiers`; `distance` (N,) is the size of the smallest change found, 0 for rows that are wrong
    as they are, infinity where nothing was found. `noise` (E, N) says which right rows stand one random change.
    `easiest` and `hardest` are the rows turned by the least and by the most among those that each size turns and the
    one before does not; None where it turns none. `failing` rows were turned by an input that the model gives no finite
    answer to.
    """

    index: Tensor
    distance: Tensor
    noise: Tensor
    easiest: tuple[Turned | None, ...]
    hardest: tuple[Turned | None, ...]
    failing: int

    @property
    def wrong(self) -> Tensor:
        """(N,) the rows that are wrong as they are."""
        return self.distance == 0


def search_view(ctx: Context, model: Model, data: Data, goal: Goal, aim: Aim) -> Seen:
    """The model as attacks see it, found out on some rows of `data`; a program with its functions in sight."""
    drawn = np.random.default_rng(ctx.seed).permutation(len(data))[: min(ROWS, ctx.batch_size)]
    some = next(data.at(np.sort(drawn)).batches(ctx.batch_size))
    y = aim(some, _answers(model, some.x))
    try:
        shown = followed(model, some.x)
    except NotApplicable:
        shown = model
    return seen_by_search(model, some.x, y, followed=shown, goal=goal)


def attacked(ctx: Context, model: Model, data: Data, ladder: Sequence[float], threat: Threat) -> Attacked:
    """All rows of `data` attacked; every part has the same seed, whatever the others hold."""
    random, goal = torch.Generator().manual_seed(ctx.seed), threat.goal
    index, distance, noise, failing = [], [], [], 0
    easiest: list[Turned | None] = [None] * len(ladder)
    hardest: list[Turned | None] = [None] * len(ladder)
    for batch in data.batches(ctx.batch_size):
        before = _answers(model, batch.x)
        y = threat.aim(batch, before)
        wrong = goal.wrong(before, y)
        random_changes = [threat.noise(batch.x, torch.full((len(y),), e), random) for e in ladder]
        stands = torch.stack([~goal.reached(_answers(model, at), y) for at in random_changes])
        found = _with_noise(threat.attack(batch.x, y), random_changes, stands, ladder)
        turned = ~wrong & (found.index < len(ladder))
        index.append(torch.where(wrong, 0, found.index))
        # float32 may put a change a hair beyond the ball that holds it
        sizes = torch.minimum(found.distance, torch.tensor((*ladder, torch.inf))[found.index])
        distance.append(torch.where(wrong, 0.0, torch.where(turned, sizes, torch.inf)))
        noise.append(stands & ~wrong)
        after = _answers(model, found.witness)
        failing += int((turned & ~after.reshape(len(after), -1).isfinite().all(1)).sum())
        _pick(easiest, hardest, batch, before, after, found, turned)
    return Attacked(torch.cat(index), torch.cat(distance), torch.cat(noise, 1), tuple(easiest), tuple(hardest), failing)


def _answers(model: Model, x: Tensor) -> Tensor:
    with torch.no_grad():
        return model(x.clone()).cpu()  # a copy, since some models write into their input


def _with_noise(found: Frontiers, changed: Sequence[Tensor], stands: Tensor, ladder: Sequence[float]) -> Frontiers:
    """The frontiers, sooner where a random change of a size breaks what attacks did not."""
    index, witness, distance = found.index.clone(), found.witness.clone(), found.distance.clone()
    for k in reversed(range(len(ladder))):
        sooner = ~stands[k] & (index > k)
        index[sooner], distance[sooner], witness[sooner] = k, ladder[k], changed[k][sooner]
    return Frontiers(index, witness, distance, found.closest)


def _pick(
    easiest: list[Turned | None], hardest: list[Turned | None], batch: Batch, before: Tensor, after: Tensor,
    found: Frontiers, turned: Tensor,
) -> None:  # fmt: skip
    """Put rows of this part into the places of those that were turned by more, and by less."""
    for k in range(len(easiest)):
        rows = (turned & (found.index == k)).nonzero()[:, 0]
        if not len(rows):
            continue
        order = rows[found.distance[rows].argsort(stable=True)]
        for held, i, closer in ((easiest, int(order[0]), 1), (hardest, int(order[-1]), -1)):
            size = float(found.distance[i])
            other = held[k]
            if other is None or closer * size < closer * other.distance:
                held[k] = _turned(batch, before, after, found, i)


def _turned(batch: Batch, before: Tensor, after: Tensor, found: Frontiers, i: int) -> Turned:
    return Turned(
        int(batch.row_ids[i]), batch.x[i], found.witness[i], before[i].reshape(-1), after[i].reshape(-1),
        float(found.distance[i]), float(batch.y[i]),
    )  # fmt: skip
