"""explain.counterfactuals: the smallest change of a row, within what may change, that gets another answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from auditor.columns import Column
from auditor.errors import NotApplicable, UsageError
from auditor.explain.counterfactual.counterfactuals import Table as Starts
from auditor.explain.counterfactual.counterfactuals import Way, counterfactuals
from auditor.explain.counterfactual.mad import Distance
from auditor.explain.counterfactual.weight_noise import noised
from auditor.explain.off_data import Cloud
from auditor.explained.samples import Sample, explained_samples, need_pictures_or_columns
from auditor.integers import Integers
from auditor.registry import Context, check, sizes
from auditor.stats import mean_share, mean_size, rate
from auditor.tables.constraints import Constraints
from auditor.tables.file_units import decoded, said
from auditor.types import Measure, Result, Scalar, Table

COPIES = 10
RECOURSE = 50  # rows without the favourable answer, at least, where there are so many


@check(
    "explain.counterfactuals",
    title="Counterfactuals",
    measures=("changed_columns", "distance", "plausibility", "recourse", "robustness", "robustness_before", "validity"),
    source="Wachter et al. 2018, arXiv:1711.00399; Brughmans et al. 2021, arXiv:2104.07411 (NICE)",
)
def explain_counterfactuals(
    ctx: Context,
    *,
    samples: int = sizes(4, 32, 256),
    target: Annotated[str, Field(max_length=300)] = "",
    ways: Annotated[int, Field(ge=1, le=10)] = 3,
    starts: Annotated[int, Field(ge=2, le=100_000)] = sizes(500, 2000, 5000),
    noise: Annotated[float, Field(gt=0, le=1)] = 0.01,
) -> Result:
    """The smallest change of a row, within what may change, that gets another answer.

    What it measures: for `samples` rows (0: all) up to `ways` changes that keep what the audit file says of the columns
    (mutable, min, max, integer, increasing_only, [[relations]]) and stay within what the reference data (else the data)
    holds. The new answer is `target`; else the favourable class, for rows that do not get it; else any other. The
    search starts from `starts` reference rows. The distance of a change adds up how far numbers move, in MADs (median
    absolute deviations), and 1 for each category or flag; first comes the least of distance plus columns. `validity` is
    the rate of rows with such a change; `recourse`, over at least 50 rows drawn among those without the favourable
    answer, the rate of those with a way to it. `changed_columns` and `distance` are means over the changes found.
    `plausibility` is the rate of changed rows as near to a reference row as 95 % of those are to each other, and no
    further from their middle than 99 % of them (Mahalanobis distance): no columns that go together are pulled apart.
    `robustness` is how often the new answer is kept when each weight gets Gaussian noise, `noise` times the root mean
    square of its tensor: the mean over changes of the share of 10 noised models; `robustness_before` is that of the
    answers before the change. A model that gives a value has no other answer, so this does not apply to it.

    How to read it: what a person would have to change to be answered otherwise, or how little an answer hangs on. Every
    change was confirmed by the model itself. Near .5, robustness says that the change just crosses the boundary.

    When it misleads: it speaks of the model, not of the world: a change need not cause what it imitates, and columns
    that belong together are tied only where a relation says so. Where none was found, there may be one nevertheless.
    """
    ctx.need_classes()
    model = ctx.need_model()
    if not ctx.columns:
        msg = f"inputs of shape {' x '.join(map(str, ctx.data.shape))} are no rows of columns; this changes columns"
        raise NotApplicable(msg)
    need_pictures_or_columns(ctx)
    shown = _seeking(explained_samples(ctx, samples), target, ctx)
    pool = _pool(ctx, starts, shown)
    x = torch.stack([s.x for s in shown])
    accepted = _accepted(ctx, shown, target)
    found = counterfactuals(model, x, accepted, pool.table, ways=ways, size=ctx.batch_size)
    best = [(s, f[0]) for s, f in _both(shown, found) if f]
    if not best and len({*pool.table.answers.tolist(), *(s.predicted for s in shown)}) == 1:
        msg = f"the model calls {pool.source} {shown[0].answer}, and no admissible change gets another answer"
        raise NotApplicable(msg)
    if best:
        ctx.keep("rows", np.array([s.row for s, _ in best]))
        ctx.keep("changed", torch.stack([way.x for _, way in best]).numpy())
    robustness, unmoved = _robustness(ctx, best, noise)
    measures = [
        rate("validity", len(best), len(shown)),
        *_recourse(ctx, samples, pool.table),
        mean_size("changed_columns", [len(way.changed) for _, way in best], better="lower"),
        mean_size("distance", [way.distance for _, way in best]),
        _plausibility(best, pool),
        *robustness,
        *_distances(_both(shown, found)),
    ]
    tables = (_how_often(ctx.columns, best, pool), *(_ways(ctx, s, f) for s, f in _both(shown, found)))
    return Result(tuple(measures), tables, caveats=tuple(_caveats(ctx, shown, best, pool, unmoved)))


def _distances(found: Sequence[tuple[Sample, Sequence[Way]]]) -> list[Measure]:
    """How far each row's best change goes; not known of rows without one."""
    why = "no change of the answer was found"
    return [Measure("distance", f"row={s.row}", ways[0].distance if ways else None, 1, why=why) for s, ways in found]


def _both(shown: Sequence[Sample], found: Sequence[tuple[Way, ...]]) -> list[tuple[Sample, tuple[Way, ...]]]:
    return list(zip(shown, found, strict=True))


# ---- what is sought, and from where ------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Pool:
    """Reference rows with their answers; `own` (N,) is which of them each row `shown` is itself, -1 for none.

    `source` names them, `odd` is how many were left out for NaN or infinity.
    """

    table: Starts
    shown: Sequence[Sample]
    own: Integers
    source: str
    odd: int


def _seeking(shown: list[Sample], target: str, ctx: Context) -> list[Sample]:
    """The rows that do not get `target` already, all where it is not named."""
    if target and target not in ctx.classes:
        msg = f"explain.counterfactuals.target = {target!r} is no class; the classes are: {', '.join(ctx.classes)}"
        raise UsageError(msg)
    left = [s for s in shown if s.answer != target]
    if not left:
        msg = f"all {len(shown):,} rows are called {target} already; there is nothing to change"
        raise NotApplicable(msg)
    return left


def _accepted(ctx: Context, shown: Sequence[Sample], target: str) -> torch.Tensor:
    """(N, classes) which answers each row seeks."""
    sought = ctx.classes.index(target) if target else ctx.data.positive
    accepted = torch.ones(len(shown), len(ctx.classes), dtype=torch.bool)
    if ctx.need_model().rejects:
        accepted[:, -1] = False  # to be rejected is no other answer, unless it is sought
    for row, s in zip(accepted, shown, strict=True):
        row[s.predicted] = False
        if sought is not None and sought != s.predicted:
            row[:] = torch.arange(len(row)) == sought
    return accepted


def _pool(ctx: Context, n: int, shown: Sequence[Sample]) -> _Pool:
    drawn = (ctx.reference or ctx.data).take(n, ctx.seed)
    x = drawn.read(np.arange(len(drawn)))
    sound = np.flatnonzero(x.isfinite().all(1).numpy())
    what = "reference data" if ctx.reference is not None else "audited data"
    if len(sound) < 2:
        msg = f"{len(sound)} of the {len(drawn):,} rows of the {what} have finite inputs; at least 2 are needed"
        raise NotApplicable(msg)
    x = x[torch.from_numpy(sound)]
    with torch.no_grad():
        answers = np.concatenate([ctx.need_model()(part).argmax(1).cpu().numpy() for part in x.split(ctx.batch_size)])
    rows = decoded(x, ctx.columns)
    constraints = Constraints.of(ctx.columns, ctx.data.relations, rows)
    place = {} if ctx.reference is not None else {int(r): i for i, r in enumerate(drawn.row_ids[sound])}
    own = np.array([place.get(s.row, -1) for s in shown])
    table = Starts(rows, answers, constraints, Distance.of(rows, ctx.columns))
    return _Pool(table, shown, own, f"{len(rows):,} rows of the {what}", len(drawn) - len(sound))


# ---- figures -----------------------------------------------------------------------------------------------------
def _recourse(ctx: Context, n: int, table: Starts) -> list[Measure]:
    """How many rows without the favourable answer have a way to it; nothing where no class is favourable."""
    positive = ctx.data.positive
    if positive is None:
        return []
    denied = np.random.default_rng(ctx.seed).permutation(np.flatnonzero(ctx.predictions.predicted != positive))
    denied = np.sort(denied[: max(n, RECOURSE)] if n else denied)
    if not len(denied):
        return [rate("recourse", 0, 0)]
    x = ctx.data.read(denied)
    accepted = (torch.arange(len(ctx.classes)) == positive).expand(len(x), -1)
    found = counterfactuals(ctx.need_model(), x, accepted, table, size=ctx.batch_size)
    return [rate("recourse", sum(map(bool, found)), len(found))]


def _plausibility(best: Sequence[tuple[Sample, Way]], pool: _Pool) -> Measure:
    table = pool.table
    usual = table.distance.usual(table.rows)
    if usual is None or not best:
        return rate("plausibility", 0, 0)
    own = {s.row: place for s, place in zip(pool.shown, pool.own.tolist(), strict=True)}
    changed = np.stack([way.values for _, way in best])
    nearest = table.distance.nearest(changed, table.rows, np.array([own[s.row] for s, _ in best]))
    cloud = Cloud.of(table.rows)
    inside = cloud.distance(changed) <= cloud.reach
    return rate("plausibility", int(((nearest <= usual) & inside).sum()), len(best))


def _robustness(ctx: Context, best: Sequence[tuple[Sample, Way]], noise: float) -> tuple[list[Measure], str]:
    """The mean share of noised models that keep the new answers, and the answers before; or why that is not known."""
    try:
        kept, why = _kept(ctx, best, noise), ""
    except NotApplicable as e:
        kept, why = [], str(e)
    names = ("robustness_before", "robustness")
    before, after = (mean_share(name, kept[i::2], better="higher") for i, name in enumerate(names))
    return [after, before], why


def _kept(ctx: Context, best: Sequence[tuple[Sample, Way]], noise: float) -> list[float]:
    """The share of noised models that keep each answer: before the change, after it, and so on."""
    if not best:
        return []
    x = torch.stack([x for s, way in best for x in (s.x, way.x)])
    answers = torch.tensor([a for s, way in best for a in (s.predicted, way.answer)])
    kept = torch.zeros(len(x), dtype=torch.float64)
    for other in noised(ctx.need_model(), noise, COPIES, ctx.seed):
        with torch.no_grad():
            now = torch.cat([other(part).argmax(1).cpu() for part in x.split(ctx.batch_size)])
        kept += now == answers
    return [float(k) for k in (kept / COPIES).tolist()]


# ---- tables ------------------------------------------------------------------------------------------------------
def _ways(ctx: Context, s: Sample, found: Sequence[Way]) -> Table:
    """The ways of one row, a line for each changed column; no line where there is none."""
    rows: list[tuple[Scalar, ...]] = []
    for number, way in enumerate(found, 1):
        for i in way.changed:
            c, values = ctx.columns[i], (way.before[i], way.values[i])
            shown = (said(float(v), c) for v in values)
            rows.append((number, ctx.classes[way.answer], c.name, *shown, float(way.parts[i])))
    return Table(s.title, ("way", "called", "column", "now", "would be", "distance"), tuple(rows))


def _how_often(columns: Sequence[Column], best: Sequence[tuple[Sample, Way]], pool: _Pool) -> Table:
    """In how many rows the first way changes each column, the most changed first."""
    counts = np.bincount([i for _, way in best for i in way.changed], minlength=len(columns))
    order = np.argsort(-counts, kind="stable")
    rows = [(columns[i].name, _allowed(columns[i], pool, i), int(counts[i]), len(best)) for i in order.tolist()]
    return Table("How often each column is changed", ("column", "may change", "changed in", "of"), tuple(rows))


def _allowed(column: Column, pool: _Pool, i: int) -> str:
    """What is said of a column's changes, in words."""
    constraints = pool.table.constraints
    if not column.mutable:
        return "no"
    if not constraints.movable[i]:
        return "no: the same in every reference row, or out of its range"
    if column.kind != "number":
        return "up only" if column.increasing_only else "yes"
    words = [
        f"{said(float(constraints.low[i]), column)} to {said(float(constraints.high[i]), column)}",
        *(["whole"] if column.integer else []),
        *(["up only"] if column.increasing_only else []),
        *(["in a relation"] if any(i == j for r in constraints.relations for j, _ in r.weights) else []),
    ]
    return ", ".join(words)


def _caveats(
    ctx: Context, shown: Sequence[Sample], best: Sequence[tuple[Sample, Way]], pool: _Pool, unmoved: str
) -> list[str]:
    caveats = []
    missing = len(shown) - len(best)
    if missing:
        caveats.append(
            f"For {missing:,} of {len(shown):,} rows no admissible change was found, from {pool.source}; there may be "
            "one nevertheless."
        )
    if ctx.reference is None:
        caveats.append(f"Changes stay within what {pool.source} hold, as no reference was given.")
    if all(c.mutable and not c.increasing_only for c in ctx.columns):
        caveats.append(
            "The audit file says of no column that it cannot change (mutable, increasing_only): a change may ask for "
            "what nobody can do."
        )
    if pool.odd:
        caveats.append(f"{pool.odd:,} reference rows with NaN or infinity were left out.")
    if unmoved:
        caveats.append(f"Robustness to noise on the weights is not measured: {unmoved}.")
    return caveats
