"""Anchors (Ribeiro et al. 2018, AAAI): what of a row keeps the answer, whatever the rest of the row is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.explain.batched import Floats, Run, in_batches
from auditor.explain.conditions import Condition, Flags
from auditor.stats import interval
from auditor.tables.raw import to_raw

__all__ = ["Anchor", "Background", "anchors", "predicates"]

Conditions = tuple[Condition, ...]
Same = Callable[[int, Floats], Flags]
BEAM, LONGEST = 2, 5
TRIED = 20  # predicates that a longer anchor is made of: those that hold the answer best alone
VERIFY, CONFIRM = 10, 10  # times as many draws as a candidate gets


@dataclass(frozen=True)
class Anchor:
    """Conditions that a row meets, none where any row would do.

    Of `draws` fresh rows that meet them `kept` got the same answer; `covered` of `of` background rows meet them.
    """

    conditions: Conditions
    kept: int
    draws: int
    covered: int
    of: int


@dataclass
class Background:
    """Rows (B, F) from which the values of everything that is not fixed are taken."""

    x: Tensor
    columns: Sequence[Column]
    _met: dict[Condition, Flags] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The same rows, a number a column."""
        self.raw = to_raw(self.x, self.columns)

    def meets(self, conditions: Conditions) -> Flags:
        """(B,) which rows meet all of them."""
        found = np.ones(len(self.x), np.bool_)
        for c in conditions:
            if c not in self._met:
                self._met[c] = c.holds(self.raw)
            found = found & self._met[c]
        return found

    def draw(self, row: Tensor, conditions: Conditions, n: int, chance: np.random.Generator) -> Tensor:
        """(n, F) rows that meet the conditions: background rows, each bound column from another row that meets it.

        Where none does, the column is that of `row`.
        """
        found = self.x[torch.from_numpy(chance.integers(0, len(self.x), n))].clone()
        for c in conditions:
            column, pool = self.columns[c.column], np.flatnonzero(self.meets((c,)))
            part = slice(column.start, column.stop)
            found[:, part] = self.x[torch.from_numpy(chance.choice(pool, n)), part] if len(pool) else row[part]
        return found


def predicates(row: Tensor, background: Background) -> list[Condition]:
    """One condition a column that the row meets: its quarter of the background's values, or its very value.

    None for a column that is the same in the whole background.
    """
    own = to_raw(row[None], background.columns)[0]
    found = []
    for i, c in enumerate(background.columns):
        values = background.raw[:, i]
        if values.min() == values.max():
            continue
        if c.kind == "category":
            found.append(Condition(i, values=frozenset({int(own[i])})))
        elif c.kind == "flag":
            found.append(Condition(i, own[i] - 0.5, own[i] + 0.5))
        else:
            quarters = np.unique(np.quantile(values, (0.25, 0.5, 0.75), method="inverted_cdf"))
            ends = [-math.inf, *quarters[quarters < values.max()].tolist(), math.inf]
            at = int(np.searchsorted(ends, own[i]))  # a row on an edge lies below it
            found.append(Condition(i, ends[at - 1], ends[at]))
    return found


def anchors(
    run: Run, same: Same, x: Tensor, background: Background, *, target: float, draws: int, size: int, seed: int
) -> list[Anchor]:
    """For each row of `x` (S, F) the anchor with the largest coverage among the shortest that reach `target`.

    `run` gives outputs of inputs (k, F), `same` (k,) which of such outputs are the answer of a row by its number. The
    candidates of all rows share batches, each with `draws` rows; what reaches the target, and the
    best, are tried with 10 times as many and chosen where the lower end of the 90 % interval reaches it. The chosen one
    is confirmed with as many again: its figures are not those it was chosen by. Where nothing of at most five
    conditions reaches the target, it is the best that was found.
    """
    search = _Search(run, same, x, background, size, np.random.default_rng(seed))
    beams: dict[int, list[Conditions]] = {s: [()] for s in range(len(x))}
    told = [predicates(row, background) for row in x]
    best: dict[int, tuple[float, Conditions]] = {}
    chosen: dict[int, Conditions] = {}
    for _ in range(LONGEST + 1):
        candidates = [(s, c) for s, beam in beams.items() for c in beam]
        precision = search.precision(candidates, draws)
        ranked = {s: sorted(beam, key=lambda c, s=s: -precision[s, c]) for s, beam in beams.items()}  # type: ignore[misc]
        likely = [(s, c) for s, r in ranked.items() for i, c in enumerate(r) if i < BEAM or precision[s, c] >= target]
        verified = search.precision(likely, VERIFY * draws)
        reached = [c for c, p in verified.items() if _surely(p, VERIFY * draws) >= target]
        chosen |= dict(sorted(reached, key=lambda c: background.meets(c[1]).sum()))  # the last one covers most
        following = {}
        for s, beam in beams.items():
            own = [(p, c) for (of, c), p in verified.items() if of == s]
            best[s] = max([best.get(s, (-1.0, ())), *own], key=lambda b: b[0])
            if len(beam[0]) == 1:
                told[s] = [c[0] for c in ranked[s][:TRIED]]
            if s not in chosen and (longer := _longer(ranked[s][:BEAM], told[s])):
                following[s] = longer
        beams = following
    winners = [(s, chosen.get(s, best[s][1])) for s in range(len(x))]
    confirmed = search.precision(winners, CONFIRM * draws)
    n = CONFIRM * draws
    return [
        Anchor(w[1], round(confirmed[w] * n), n, int(background.meets(w[1]).sum()), len(background.x)) for w in winners
    ]


def _surely(share: float, n: int) -> float:
    """The lower end of the 90 % interval of a share of `n`."""
    return interval("wilson", (share * n, n), 0.9).low or 0.0


def _longer(beam: Sequence[Conditions], told: Sequence[Condition]) -> list[Conditions]:
    """Every way to add one condition, each set once."""
    found = {frozenset((*held, c)) for held in beam for c in told if c.column not in {h.column for h in held}}
    return sorted((tuple(sorted(s, key=lambda c: c.column)) for s in found), key=lambda s: [c.column for c in s])


@dataclass(frozen=True)
class _Search:
    run: Run
    same: Same
    x: Tensor
    background: Background
    size: int
    chance: np.random.Generator

    def precision(self, candidates: Sequence[tuple[int, Conditions]], n: int) -> dict[tuple[int, Conditions], float]:
        """The share of `n` fresh rows each that get the answer of the candidate's row."""
        pieces = (self.background.draw(self.x[s], c, n, self.chance) for s, c in candidates)
        found = in_batches(self.run, pieces, self.size)
        return {(s, c): float(self.same(s, out).mean()) for (s, c), out in zip(candidates, found, strict=True)}
