"""Rows of a table with the model as a function of their columns: what happens when one is shuffled, or set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from auditor.explain.ale import ale_curves
from auditor.explain.batched import Floats, Run
from auditor.explain.games import column_game, play_finite
from auditor.explain.partial import Grid, grid_of, ice_curves
from auditor.explain.permutation import permuted
from auditor.explain.shapley import Request, shapley
from auditor.integers import Integers
from auditor.registry import Context
from auditor.subject import Data
from auditor.tabular import Rows, finite_outputs, labels_of, usable

__all__ = ["Curves", "Study"]

BACKGROUND, COALITIONS = 32, 128
ROUNDING = 1e-6  # of the answers: what float32 gives and takes


@dataclass(frozen=True)
class Curves:
    """What the model answers at the values of column number `column`.

    `ice` (N, G) of each row at each value of the grid; `ale` (G,) for numbers, None for what has no order.
    """

    column: int
    grid: Grid
    ice: Floats
    ale: Floats | None


@dataclass(frozen=True)
class Study:
    """Rows that can be used, names of the columns, which of the outputs is `explained`, and which columns vary.

    Differences of answers up to `rounding` count as none.
    """

    ctx: Context
    rows: Rows
    labels: Sequence[str]
    explained: int
    varies: Sequence[bool]
    rounding: float
    run: Run

    @classmethod
    def of(cls, ctx: Context, data: Data) -> Study:
        """The study of `data`; NotApplicable where fewer than two rows can be used."""
        rows, columns = usable(ctx, data), ctx.columns
        varies = [bool((rows.x[:, c.start : c.stop] != rows.x[:1, c.start : c.stop]).any()) for c in columns]
        rounding = ROUNDING * float(np.abs(rows.outputs).max())
        return cls(ctx, rows, labels_of(columns), _explained(ctx, rows), varies, rounding, finite_outputs(ctx))

    @property
    def answers_once(self) -> bool:
        """Whether the answer is the same in all rows."""
        return float(np.ptp(self.rows.outputs, axis=0).max()) <= self.rounding

    def slice(self, i: int) -> str:
        """What measures of column `i` are about."""
        return f"column={self.labels[i]}"

    def loss(self, outputs: Floats) -> Floats:
        """(N,) how wrong each row is with these outputs (N, C): 0 or 1, of a value by how much."""
        if self.ctx.is_regression:
            return np.abs(outputs[:, 0] - self.rows.y)
        return np.asarray(outputs.argmax(1) != self.rows.y, np.float64)

    def importance(
        self, columns: Sequence[int], groups: Mapping[int, Integers] | None, repeats: int
    ) -> dict[int, Floats]:
        """For each column (N, 2): the rise of each row's loss when it is shuffled, and by how much its answer moves.

        Means over `repeats`. It is shuffled within its `groups` (N,), among all rows where there are none; 0 for a
        column that does not vary.
        """
        x, own, loss = self.rows.x, self.rows.outputs, self.loss(self.rows.outputs)

        def effect(outputs: Floats) -> Floats:
            found = np.stack([self.loss(outputs) - loss, np.abs(outputs - own)[:, self.explained]], 1)
            return np.where(np.abs(found) <= self.rounding, 0.0, found)

        known, everyone = self.ctx.columns, np.zeros(len(x), np.int64)
        varying = [i for i in columns if self.varies[i]]
        found = permuted(
            self.run,
            effect,
            x,
            [known[i] for i in varying],
            [everyone if groups is None else groups[i] for i in varying],
            repeats=repeats,
            size=self.ctx.batch_size,
            seed=self.ctx.seed,
        )
        return {i: np.zeros((len(x), 2)) for i in columns} | dict(zip(varying, found, strict=True))

    def curves(self, columns: Sequence[int], points: int) -> Iterator[Curves]:
        """The curves of each of `columns`, at `points` values at most."""
        x, size, every = self.rows.x, self.ctx.batch_size, self.ctx.columns
        known = [every[i] for i in columns]
        grids = [grid_of(x, c, points) for c in known]
        numbers = [(c, g.raw) for c, g in zip(known, grids, strict=True) if c.kind == "number"]
        ale = ale_curves(self._answer, x, [c for c, _ in numbers], [edges for _, edges in numbers], size)
        ices = ice_curves(self._answer, x, known, grids, size)
        for i, c, grid, ice in zip(columns, known, grids, ices, strict=True):
            yield Curves(i, grid, ice, next(ale) if c.kind == "number" else None)

    def shapley(self, n: int) -> Floats:
        """(n, columns) Shapley values of the explained answer in the first rows, at most `n`, against 32 others.

        From about two coalitions a column and at least 128 (see `auditor.explain.shapley`).
        """
        x, known = self.rows.x, self.ctx.columns
        others = x[torch.from_numpy(np.random.default_rng(self.ctx.seed).permutation(len(x))[:BACKGROUND])]
        games = [column_game(row, others, known, self.explained) for row in x[:n]]

        def values(requests: Sequence[Request]) -> list[Floats]:
            asked = [r.coalitions for r in requests]
            return play_finite(self.ctx.need_model(), [games[r.game] for r in requests], asked, self.ctx.batch_size)

        found = shapley(values, [len(known)] * len(games), first=COALITIONS, most=COALITIONS, seed=self.ctx.seed)
        return np.stack([f.values for f in found])

    @property
    def _answer(self) -> Run:
        return lambda x: self.run(x)[:, self.explained]


def _explained(ctx: Context, rows: Rows) -> int:
    """The output whose curves are drawn: of the favourable class, else of the second of two, else of the commonest."""
    if ctx.is_regression:
        return 0
    if ctx.data.positive is not None:
        return ctx.data.positive
    return 1 if len(ctx.classes) == 2 else int(np.bincount(rows.said).argmax())
