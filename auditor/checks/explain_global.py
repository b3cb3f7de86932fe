"""explain.global: which columns the model relies on over all rows, and how its answer moves with each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from auditor.explain.ale import ale_curves
from auditor.explain.alike import Ranks, close_pairs, groups_alike
from auditor.explain.batched import Floats
from auditor.explain.partial import Grid, grid_of, ice_curves, shown_values, steps_of
from auditor.explain.permutation import permuted
from auditor.registry import Context, check, sizes
from auditor.stats import mean, rate
from auditor.subject import Integers
from auditor.tabular import Rows, finite_outputs, labels_of, need_columns, usable
from auditor.types import Measure, Result, Scalar, Table

LISTED = 40
ICE_ROWS = 50
CLOSE = 0.9
NAMED = 5
ROUNDING = 1e-6  # of the spread of the answers: what float32 gives and takes
STEP = 0.01


@check(
    "explain.global",
    title="Reliance on columns",
    source="Breiman 2001; Molnar et al. 2023, arXiv:2006.04628; Friedman 2001; Apley & Zhu 2020, arXiv:1612.08468",
)
def explain_global(
    ctx: Context,
    *,
    rows: int = sizes(200, 1000, 5000),
    repeats: Annotated[int, Field(ge=1, le=1000)] = sizes(3, 5, 10),
    grid: Annotated[int, Field(ge=2, le=1000)] = sizes(8, 16, 32),
    shown: Annotated[int, Field(ge=0, le=LISTED)] = 6,
) -> Result:
    """Which columns the model relies on over all rows, and how its answer moves with each of the strongest.

    What it measures: over `rows` rows (0: all), with forward passes alone. `permutation_importance` is the drop of
    accuracy (for regression the rise of the mean absolute error) when a column's values are exchanged among the rows,
    `repeats` times. `conditional_importance`, for the 40 strongest, exchanges them only among rows that a tree finds
    alike in the columns that go with it. The intervals are over rows. Of the `shown` strongest columns the partial
    dependence is drawn at `grid` values: the mean answer with everybody given that value; its band holds 80 % of the
    rows' own curves, each less its mean. ALE moves each row within its own neighbourhood only; `ale_range` is how far
    it goes. `monotonicity_violations` is the share of rows whose curve somewhere goes against the column's main
    direction by more than 1 % of the range of all curves.

    How to read it: 0 means that the model does as well without knowing the column; .05 that 5 of 100 rows more are
    wrong. A large permutation and a small conditional importance: the column tells nothing that others do not tell
    too. Below 0 the model does better without it. A band as wide as the curve is high: what the column does depends on
    the others. Where no row became right or wrong there is no interval. The strongest are those whose interval lies
    above 0, then those with which the answer moves furthest.

    When it misleads: importance is that for this model's accuracy, not for the truth; of a model that has learnt
    little, all is near 0. Permutation and partial dependence make rows that cannot exist where columns go together;
    there read the conditional importance and ALE. Each interval alone is at 95 %: of 20 columns without importance one
    is off 0 by chance.
    """
    need_columns(ctx)
    taken = usable(ctx, ctx.data.take(rows, ctx.seed))
    study = _Study(ctx, taken, labels_of(ctx.columns), _explained(ctx, taken))
    marginal = study.importance(range(len(ctx.columns)), [], repeats)
    permutation = {i: _weight("permutation_importance", study.at(i), a) for i, a in marginal.items()}
    order = sorted(marginal, key=lambda i: _place(permutation[i], float(marginal[i][:, 1].mean())))
    listed = order[:LISTED]
    ranks = Ranks.of(taken.x, ctx.columns)
    groups = [groups_alike(taken.x, ranks, i, ctx.seed) for i in listed if study.varies[i]]
    conditional = study.importance(listed, groups, repeats)
    drawn = {i for i in order[:shown] if study.varies[i]}
    curves = list(study.curves([i for i in listed if study.varies[i]], drawn, grid))
    within = {i: _weight("conditional_importance", study.at(i), a) for i, a in conditional.items()}
    importance = _importance(study, listed, permutation, within, marginal)
    measures = [*permutation.values(), *within.values(), *(m for c in curves for m in c.measures)]
    tables = [importance, *(c.table for c in curves if c.table), *_directions(curves)]
    caveats = [*taken.caveats, *_doubts(study, curves, marginal), *_together(study, ranks)]
    return Result(tuple(measures), tuple(tables), (), tuple(caveats))


def _explained(ctx: Context, rows: Rows) -> int:
    """The output whose curves are drawn: of the favourable class, else of the second of two, else of the commonest."""
    if ctx.is_regression:
        return 0
    if ctx.data.positive is not None:
        return ctx.data.positive
    return 1 if len(ctx.classes) == 2 else int(np.bincount(rows.said).argmax())


@dataclass(frozen=True)
class _Curves:
    """What was found at the values of one column; `directions` is its row of the table of directions."""

    reach: float
    measures: tuple[Measure, ...] = ()
    table: Table | None = None
    directions: tuple[Scalar, ...] = ()


class _Study:
    """The rows that are looked at, with the model as a function of them."""

    def __init__(self, ctx: Context, rows: Rows, labels: Sequence[str], explained: int) -> None:
        self.ctx, self.rows, self.labels, self.explained = ctx, rows, labels, explained
        self.run = finite_outputs(ctx)
        self.varies = [bool((rows.x[:, c.start : c.stop] != rows.x[:1, c.start : c.stop]).any()) for c in ctx.columns]
        self.rounding = ROUNDING * max(float(np.ptp(rows.outputs[:, explained])), float(np.abs(rows.outputs).max()))

    def at(self, i: int) -> str:
        return f"column={self.labels[i]}"

    def loss(self, outputs: Floats) -> Floats:
        """(N,) how wrong each row is: 0 or 1, or by how much."""
        if self.ctx.is_regression:
            return np.abs(outputs[:, 0] - self.rows.y)
        return np.asarray(outputs.argmax(1) != self.rows.y, np.float64)

    def importance(self, chosen: Sequence[int], groups: Sequence[Integers], repeats: int) -> dict[int, Floats]:
        """For each column (N, 2): the rise of each row's loss when it is shuffled, and by how much the answer moves."""
        loss, own = self.loss(self.rows.outputs), self.rows.outputs

        def effect(outputs: Floats) -> Floats:
            moved = np.abs(outputs - own)[:, self.explained]
            found = np.stack([self.loss(outputs) - loss, moved], 1)
            return np.where(np.abs(found) <= self.rounding, 0.0, found)

        x, varying = self.rows.x, [i for i in chosen if self.varies[i]]
        columns, everyone = [self.ctx.columns[i] for i in varying], np.zeros(len(x), np.int64)
        found = permuted(
            self.run, effect, x, columns, groups or [everyone] * len(varying),
            repeats=repeats, size=self.ctx.batch_size, seed=self.ctx.seed,
        )  # fmt: skip
        return {i: np.zeros((len(x), 2)) for i in chosen} | dict(zip(varying, found, strict=True))

    def curves(self, chosen: Sequence[int], drawn: set[int], points: int) -> Iterator[_Curves]:
        """Partial dependence of those in `drawn`; ALE and directions of all numbers among the `chosen`."""
        ctx, x = self.ctx, self.rows.x
        wanted = [i for i in chosen if i in drawn or ctx.columns[i].kind == "number"]
        columns = [ctx.columns[i] for i in wanted]
        grids = [grid_of(x, c, points) for c in columns]
        numbers = [(c, g.raw) for c, g in zip(columns, grids, strict=True) if c.kind == "number"]
        answer = lambda rows: self.run(rows)[:, self.explained]  # noqa: E731
        ale = ale_curves(answer, x, [c for c, _ in numbers], [edges for _, edges in numbers], ctx.batch_size)
        ices = ice_curves(answer, x, columns, grids, ctx.batch_size)
        for i, grid, ice in zip(wanted, grids, ices, strict=True):
            effects = next(ale) if ctx.columns[i].kind == "number" else None
            reach = float(np.ptp(ice, axis=1).max())
            table = self._table(i, grid, ice, effects) if i in drawn else None
            if effects is None:
                yield _Curves(reach, (), table)
            else:
                measures, row = self._directions(i, ice, effects)
                yield _Curves(reach, measures, table, row)

    def _table(self, i: int, grid: Grid, ice: Floats, ale: Floats | None) -> Table:
        seen = np.unique(np.linspace(0, len(ice) - 1, ICE_ROWS).round().astype(np.int64))
        self.ctx.keep(f"ice-{i}", ice[seen].astype(np.float32))
        centred = ice - (ice @ grid.shares)[:, None]
        low, high = np.quantile(centred, (0.1, 0.9), axis=0)
        effects = [None] * len(grid.raw) if ale is None else ale.tolist()
        columns = ice.mean(0), centred.mean(0), low, high
        values = shown_values(self.ctx.columns[i], grid)
        figures = zip(values, *(c.tolist() for c in columns), effects, grid.shares.tolist(), strict=True)
        names = ("at", "mean answer", "difference", "10 % of rows", "90 % of rows", "ALE", "share of rows")
        return Table(f"The answer at each value of {self.labels[i]}", names, tuple(figures))

    def _directions(self, i: int, ice: Floats, ale: Floats) -> tuple[tuple[Measure, ...], tuple[Scalar, ...]]:
        rises, falls = steps_of(ice, max(STEP * float(np.ptp(ice)), self.rounding))
        up, down, n = int(rises.sum()), int(falls.sum()), len(ice)
        against = min(up, down)
        main = "rises" if up > down or (up == down and ale[-1] > ale[0]) else "falls"
        both = rate("", int((rises & falls).sum()), n)
        violations = rate("monotonicity_violations", against, n, slice=self.at(i), better="lower")
        reach = Measure("ale_range", self.at(i), float(np.ptp(ale)), n)
        direction = main if up or down else "flat"
        row = (self.labels[i], direction, up / n, down / n, both.value, both.low, both.high, reach.value)
        return (violations, reach), row


def _weight(name: str, where: str, effects: Floats) -> Measure:
    """The mean rise of the loss; without an interval where the answers move and no row's loss does."""
    rise, moved = effects.T
    if moved.any() and not rise.any():
        return Measure(name, where, 0.0, len(rise))
    return mean(name, rise, slice=where)


def _place(importance: Measure, moved: float) -> tuple[bool, float]:
    """First what certainly costs accuracy, by how much; the others, which are noise there, by how far answers move."""
    certain = importance.low is not None and importance.low > 0
    return not certain, -(importance.value or 0.0) if certain else -moved


# ---- tables and caveats ------------------------------------------------------------------------------------------
def _importance(
    study: _Study,
    listed: Sequence[int],
    permutation: dict[int, Measure],
    conditional: dict[int, Measure],
    effects: dict[int, Floats],
) -> Table:
    """Strongest first. Each further way to weigh a column adds its figure with its interval."""
    rows: list[tuple[Scalar, ...]] = []
    for i in listed:
        p, c = permutation[i], conditional[i]
        moved = float(effects[i][:, 1].mean())
        rows.append((study.labels[i], p.value, p.low, p.high, c.value, c.low, c.high, moved))
    names = ("column", "permutation", "low", "high", "conditional", "from", "to", "answer moves by")
    return Table("Importance of the columns", names, tuple(rows))


def _directions(curves: Sequence[_Curves]) -> list[Table]:
    names = ("number", "main direction", "rises in", "falls in", "both in", "low", "high", "ALE range")
    rows = tuple(c.directions for c in curves if c.directions)
    return [Table("Direction of the rows' curves, as shares of the rows", names, rows)] if rows else []


def _doubts(study: _Study, curves: Sequence[_Curves], marginal: dict[int, Floats]) -> list[str]:
    ctx, rows, labels = study.ctx, study.rows, study.labels
    if float(np.ptp(rows.outputs, axis=0).max()) <= study.rounding and all(c.reach <= study.rounding for c in curves):
        return ["The model gives the same answer for every row and every change: it depends on none of the columns."]
    what = "the value" if ctx.is_regression else f"the probability of {ctx.classes[study.explained]!r}"
    caveats = [f"Curves, and how far the answer moves, are of {what}, over {len(rows.x):,} rows."]
    if not ctx.is_regression:
        right, common = 1 - study.loss(rows.outputs).mean(), np.bincount(rows.y).max() / len(rows.y)
        if right <= common:
            caveats.append(
                f"The model is right in {right:.1%} of these rows, always naming the commonest class in {common:.1%}: "
                "what a column adds to such an accuracy says little; read how far the answer moves."
            )
    still = [labels[i] for i in range(len(labels)) if not study.varies[i]]
    if still:
        caveats.append(f"One value in all of these rows, so no importance here and no curve: {_listed(still)}.")
    if len(marginal) > LISTED:
        caveats.append(f"The {LISTED} strongest of {len(marginal):,} columns are shown; all are among the measures.")
    return caveats


def _together(study: _Study, ranks: Ranks) -> list[str]:
    pairs = close_pairs(ranks, CLOSE)
    if not pairs:
        return []
    named = [f"{study.labels[i]} and {study.labels[j]} ({r:.2f})" for i, j, r in pairs]
    return [f"Columns that go together (rank correlation over .9) share what they are worth: {_listed(named)}."]


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest:,} more" if rest > 0 else "")
