"""explain.global: which columns the model relies on over all rows, and how its answer moves with each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from auditor.explain.alike import Ranks, close_pairs, groups_alike
from auditor.explain.batched import Floats
from auditor.explain.partial import shown_values, steps_of
from auditor.lists import listed
from auditor.percents import percent
from auditor.registry import Context, check, sizes
from auditor.stats import mean, mean_size, rate
from auditor.study import Curves, Study
from auditor.tabular import need_columns
from auditor.types import Measure, Result, Scalar, Table

LISTED = 40
ICE_ROWS = 50
CLOSE = 0.9
NAMED = 5
STEP = 0.01
MOST_ATTRIBUTED = 200  # columns


@check(
    "explain.global",
    title="Reliance on columns",
    measures=(
        "ale_range", "conditional_importance", "mean_absolute_shap", "monotonicity_violations",
        "permutation_importance",
    ),
    source="Breiman 2001; Molnar et al. 2023, arXiv:2006.04628; Friedman 2001; Apley & Zhu 2020, arXiv:1612.08468",
)  # fmt: skip
def explain_global(
    ctx: Context,
    *,
    rows: int = sizes(200, 1000, 5000),
    repeats: Annotated[int, Field(ge=1, le=1000)] = sizes(3, 5, 10),
    grid: Annotated[int, Field(ge=2, le=1000)] = sizes(8, 16, 32),
    shown: Annotated[int, Field(ge=0, le=LISTED)] = 6,
    shap: Annotated[int, Field(ge=2, le=100_000)] = sizes(20, 100, 1000),
) -> Result:
    """Which columns the model relies on over all rows, and how its answer moves with each of the strongest.

    What it measures: over `rows` rows (0: all), with forward passes alone. `permutation_importance` is the drop of
    accuracy (for regression the rise of the mean absolute error) when a column's values are exchanged among the rows,
    `repeats` times. `conditional_importance`, for the 40 strongest, exchanges them only among rows that a tree finds
    alike in the columns that go with it. `mean_absolute_shap` is the mean size of a column's Shapley value in `shap` of
    the rows, in units of the answer, of at most 200 columns. The intervals are over rows. Of the `shown` strongest
    columns the partial dependence is drawn at `grid` values: the mean answer with everybody given that value; its band
    holds 80 % of the rows' own curves, each less its mean. ALE moves each row within its own neighbourhood only;
    `ale_range` is how far it goes. `monotonicity_violations` is the share of rows whose curve somewhere goes against
    the column's main direction by more than 1 % of the range of all curves.

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
    study = Study.of(ctx, ctx.data.take(rows, ctx.seed))
    marginal = study.importance(range(len(ctx.columns)), None, repeats)
    permutation = {i: _weight("permutation_importance", study.slice(i), a) for i, a in marginal.items()}
    order = sorted(marginal, key=lambda i: _place(permutation[i], float(marginal[i][:, 1].mean())))
    listed = order[:LISTED]
    moving = [i for i in listed if study.varies[i]]
    ranks = Ranks.of(study.rows.x, ctx.columns)
    alike = {i: groups_alike(study.rows.x, ranks, i, ctx.seed) for i in moving}
    conditional = {
        i: _weight("conditional_importance", study.slice(i), a)
        for i, a in study.importance(listed, alike, repeats).items()
    }
    attributed = _attributed(study, shap)
    importance = _importance(study, listed, permutation, conditional, marginal, attributed)
    measures, tables = _curves(study, moving, [i for i in order[:shown] if study.varies[i]], grid)
    caveats = [*study.rows.caveats, *_doubts(study, marginal), *_together(study, ranks)]
    found = (*permutation.values(), *conditional.values(), *attributed.values(), *measures)
    return Result(found, (importance, *tables), (), tuple(caveats))


def _curves(study: Study, moving: Sequence[int], drawn: Sequence[int], grid: int) -> tuple[list[Measure], list[Table]]:
    """The curves of columns that are `drawn`, and the directions of all numbers that are `moving`."""
    measures: list[Measure] = []
    tables: list[Table] = []
    directions: list[tuple[Scalar, ...]] = []
    for c in study.curves([i for i in moving if i in drawn or study.ctx.columns[i].kind == "number"], grid):
        if c.column in drawn:
            tables.append(_values(study, c))
        if c.ale is not None:
            found, row = _directions(study, c, c.ale)
            measures += found
            directions.append(row)
    if directions:
        names = ("number", "main direction", "rises in", "falls in", "both in", "low", "high", "ALE range")
        tables.append(Table("Direction of the rows' curves, as shares of the rows", names, tuple(directions)))
    return measures, tables


# ---- measures and tables ---------------------------------------------------------------------------------------
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


def _attributed(study: Study, rows: int) -> dict[int, Measure]:
    """The mean size of every column's Shapley values; empty for more columns than are told."""
    n = len(study.ctx.columns)
    if n > MOST_ATTRIBUTED:
        return {}
    sizes = np.abs(study.shapley(rows))
    return {i: mean_size("mean_absolute_shap", sizes[:, i], slice=study.slice(i)) for i in range(n)}


def _importance(
    study: Study,
    listed: Sequence[int],
    permutation: dict[int, Measure],
    conditional: dict[int, Measure],
    effects: dict[int, Floats],
    attributed: dict[int, Measure],
) -> Table:
    """Strongest first. Each further way to weigh a column adds its figure with its interval."""
    rows: list[tuple[Scalar, ...]] = []
    for i in listed:
        p, c = permutation[i], conditional[i]
        moved = float(effects[i][:, 1].mean())
        s = attributed.get(i)
        sizes_of = (None, None, None) if s is None else (s.value, s.low, s.high)
        rows.append((study.labels[i], p.value, p.low, p.high, c.value, c.low, c.high, moved, *sizes_of))
    names = ("permutation", "low", "high", "conditional", "from", "to", "answer moves by")
    ends = ("mean |SHAP|", "at least", "at most")
    return Table("Importance of the columns", ("column", *names, *ends), tuple(rows))


def _values(study: Study, c: Curves) -> Table:
    """Partial dependence at each value, how the rows' own curves lie around it, and ALE."""
    ctx, i = study.ctx, c.column
    kept = np.unique(np.linspace(0, len(c.ice) - 1, ICE_ROWS).round().astype(np.int64))
    ctx.keep(f"ice-{i}", c.ice[kept].astype(np.float32))
    centred = c.ice - (c.ice @ c.grid.shares)[:, None]
    low, high = np.quantile(centred, (0.1, 0.9), axis=0)
    figures = [a.tolist() for a in (c.ice.mean(0), centred.mean(0), low, high)]
    ale = [None] * len(low) if c.ale is None else c.ale.tolist()
    rows = zip(shown_values(ctx.columns[i], c.grid), *figures, ale, c.grid.shares.tolist(), strict=True)
    names = ("at", "mean answer", "difference", "10 % of rows", "90 % of rows", "ALE", "share of rows")
    return Table(f"The answer at each value of {study.labels[i]}", names, tuple(rows))


def _directions(study: Study, c: Curves, ale: Floats) -> tuple[tuple[Measure, Measure], tuple[Scalar, ...]]:
    """Which way most rows' curves go, and how many go against it."""
    rises, falls = steps_of(c.ice, max(STEP * float(np.ptp(c.ice)), study.rounding))
    up, down, n, at = int(rises.sum()), int(falls.sum()), len(c.ice), study.slice(c.column)
    main = "rises" if up > down or (up == down and ale[-1] > ale[0]) else "falls"
    both = rate("", int((rises & falls).sum()), n)
    violations = rate("monotonicity_violations", min(up, down), n, slice=at, better="lower")
    reach = Measure("ale_range", at, float(np.ptp(ale)), n)
    direction = main if up or down else "flat"
    row = (study.labels[c.column], direction, up / n, down / n, both.value, both.low, both.high, reach.value)
    return (violations, reach), row


# ---- caveats -----------------------------------------------------------------------------------------------------
def _doubts(study: Study, marginal: dict[int, Floats]) -> list[str]:
    ctx, rows, labels = study.ctx, study.rows, study.labels
    if any(study.varies) and study.answers_once and not any(a.any() for a in marginal.values()):
        return ["The model gives the same answer for every row and every change: it depends on none of the columns."]
    what = "the value" if ctx.is_regression else f"the probability of {ctx.classes[study.explained]!r}"
    caveats = [f"Curves, and how far the answer moves, are of {what}, over {len(rows.x):,} rows."]
    if not ctx.is_regression:
        right, common = 1 - study.loss(rows.outputs).mean(), np.bincount(rows.y).max() / len(rows.y)
        if right <= common:
            caveats.append(
                f"The model is right in {percent(right, 1)} of these rows, always naming the commonest class in "
                f"{percent(common, 1)}: what a column adds to such an accuracy says little; read how far the answer "
                "moves."
            )
    still = [labels[i] for i in range(len(labels)) if not study.varies[i]]
    if still:
        caveats.append(f"One value in all of these rows, so no importance here and no curve: {listed(still, NAMED)}.")
    if len(marginal) > LISTED:
        caveats.append(f"The {LISTED} strongest of {len(marginal):,} columns are shown; all are among the measures.")
    return caveats


def _together(study: Study, ranks: Ranks) -> list[str]:
    pairs = close_pairs(ranks, CLOSE)
    if not pairs:
        return []
    named = [f"{study.labels[i]} and {study.labels[j]} ({r:.2f})" for i, j, r in pairs]
    return [f"Columns that go together (rank correlation over 0.9) share what they are worth: {listed(named, NAMED)}."]
