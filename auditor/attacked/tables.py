"""Rows of a table attacked under what the audit file says of its columns: the curve, examples, and what holds it up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auditor.attacked.doubts import of_rejection, of_rows, of_sight
from auditor.attacked.found import search_view
from auditor.attacked.sizes import beyond_reach
from auditor.attacked.table_notes import caveats_of, held_still, named
from auditor.attacks.goals import another_class, rival_classes
from auditor.attacks.seen import Seen
from auditor.attacks.tables.chance import random_changes
from auditor.attacks.tables.curve import table_curve as frontiers
from auditor.attacks.tables.gradient import without_slope
from auditor.errors import NotApplicable
from auditor.integers import Integers
from auditor.registry import Context
from auditor.stats import rate
from auditor.subject import Batch, Model
from auditor.tables.ball import Ball, ball_of
from auditor.tables.constraints import Which
from auditor.tables.file_units import Rows, decoded, said
from auditor.tables.margins import Margins
from auditor.types import Measure, Result, Scalar, Table

__all__ = ["table_curve"]


def table_curve(ctx: Context, model: Model, *, ladder: Sequence[float], samples: int, steps: int, shown: int) -> Result:
    """Robust accuracy of `samples` rows at each epsilon of the `ladder`, under the columns' constraints.

    A number moves by an epsilon of its standard deviations; a category or flag takes another value from 1 on. `shown`
    rows at each epsilon (0: none, at most 2) are printed: the easiest and the hardest of those that break there.
    NotApplicable where no row can be changed within the largest epsilon, saying why.
    """
    ball = ball_of(model, ctx.data.columns, ctx.data.relations, ctx.reference or ctx.data)
    drawn = ctx.data.take(samples, ctx.seed)
    seen = search_view(ctx, model, drawn, another_class(model), lambda batch, _: batch.y)
    parts = [_attacked(ctx, seen, ball, batch, ladder, steps) for batch in drawn.batches(ctx.batch_size)]
    found = AttackedRows.joined(parts)
    n = len(found.rows)
    _need_changes(ctx, ball, found, ladder)
    clean = rate("robust_accuracy", int(found.right.sum()), n, slice="linf@0")
    robust = [rate("robust_accuracy", int((found.index > k).sum()), n, slice=_at(e)) for k, e in enumerate(ladder)]
    noise = [rate("noise_accuracy", int(found.noise[k].sum()), n, slice=_at(e)) for k, e in enumerate(ladder)]
    table = Table(
        "Robust accuracy by largest change",
        ("epsilon", "robust accuracy", "low", "high", "random change", "n"),
        tuple(_row(e, r, m.value) for e, r, m in zip((0.0, *ladder), (clean, *robust), (clean, *noise), strict=True)),
    )
    ctx.keep("epsilons", np.asarray(ladder))
    ctx.keep("rows", found.rows)
    ctx.keep("distance", found.distance)
    standing = [found.right, *(found.index > k for k in range(len(ladder)))]
    ctx.keep_scores(found.rows, dict(zip((clean, *robust), standing, strict=True)))
    examples = [_changes(ctx, seen.model, found, *e) for e in _chosen(found, ladder, shown)]
    caveats = [
        *of_rejection(model),
        *of_sight(seen),
        *caveats_of(ctx, ball, found.x, found.free, int(found.blind.sum()), ladder),
    ]
    caveats += beyond_reach("linf", ladder, ball.reach(decoded(found.x, ctx.data.columns)))
    caveats += of_rows(found.y, found.right, int(found.failing.sum()))
    if len(drawn) > n:
        caveats.append(f"{len(drawn) - n:,} of {len(drawn):,} rows hold NaN or infinity and are left out.")
    return Result((clean, *robust, *noise), (table, *examples), caveats=tuple(caveats))


def _at(epsilon: float) -> str:
    return f"linf@{epsilon:.3g}"


def _row(epsilon: float, m: Measure, noise: float | None) -> tuple[Scalar, ...]:
    return (epsilon, m.value, m.low, m.high, noise, m.n)


# ---- attacks -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class AttackedRows:
    """What attacks and random changes left of N rows at E epsilons.

    `rows` (N,) are their numbers in the file, `y` (N,) their classes, `x` and `witness` (N, F) the inputs before and
    after, `index` and `distance` (N,) as in `Frontiers`; `right` (N,) and `noise` (E, N) say which are right as they
    are, and after one random change; `free` (E, N) which can be changed at all; at `blind` (N,) there is no slope;
    `failing` (N,) were turned by what the model has no finite answer for.
    """

    rows: Integers
    y: Integers
    x: Tensor
    witness: Tensor
    index: Integers
    distance: Rows
    right: Which
    noise: Which
    free: Which
    blind: Which
    failing: Which

    @classmethod
    def joined(cls, parts: Sequence[AttackedRows]) -> AttackedRows:
        """All parts as one."""
        x, witness = (torch.cat([getattr(p, name) for p in parts]) for name in ("x", "witness"))
        flat = {name: np.concatenate([getattr(p, name) for p in parts])
                for name in ("rows", "y", "index", "distance", "right", "blind", "failing")}  # fmt: skip
        sized = {name: np.concatenate([getattr(p, name) for p in parts], 1) for name in ("noise", "free")}
        return cls(x=x, witness=witness, **flat, **sized)


def _attacked(ctx: Context, seen: Seen, ball: Ball, batch: Batch, ladder: Sequence[float], steps: int) -> AttackedRows:
    """One batch; rows with NaN or infinity are left out. A row that a random change breaks is broken at that size."""
    sound = batch.x.isfinite().all(1)
    x, y, rows = batch.x[sound], batch.y[sound], batch.row_ids[sound.numpy()]
    sight = seen.adapted or seen.plain
    found = frontiers(
        seen.model, x, y, ladder, ball,
        steps=steps, size=ctx.batch_size, seed=ctx.seed, ids=rows, sight=sight, least=seen.least,
    )  # fmt: skip
    index, distance, witness = found.index.numpy().copy(), found.distance.numpy().copy(), found.witness.clone()
    own = decoded(x, ball.constraints.columns)
    others = rival_classes(seen.model, y)
    margins = Margins(seen.model, x, own, others, ctx.data.columns, ctx.batch_size, sight, seen.least)
    draws = [np.random.default_rng([ctx.seed, int(row), 1]) for row in rows]
    every = np.arange(len(x))
    right, stands = ~margins.turned(every, own) & ~_rejected(seen.model, x), []
    for k, changed in enumerate(random_changes(margins, ball, ladder, draws) if len(x) else ()):
        stands.append(~margins.turned(every, changed))
        sooner = np.flatnonzero(~stands[-1] & (index > k))
        index[sooner], distance[sooner] = k, ball.distance(own[sooner], changed[sooner])
        witness[sooner] = margins.inputs(sooner, changed[sooner])
    index[~right], distance[~right] = 0, 0.0  # what is rejected as it is, too
    free = [_free(ball, own, np.full(len(x), e)) for e in ladder]
    noise = np.stack(stands) & right if stands else np.zeros((len(ladder), 0), np.bool_)
    blind = without_slope(margins, ball, every)
    with torch.no_grad():
        known = seen.model(witness).cpu().isfinite().all(1) if len(x) else sound[:0]
    failing = right & (index < len(ladder)) & ~known.numpy()
    return AttackedRows(rows, y.numpy(), x, witness, index, distance, right, noise, np.stack(free), blind, failing)


def _rejected(model: Model, x: Tensor) -> Which:
    """(N,) which inputs the model rejects: none where it does not reject."""
    if not model.rejects:
        return np.zeros(len(x), np.bool_)
    with torch.no_grad():
        return np.asarray((model(x).argmax(1).cpu() == len(model.classes) - 1).numpy())


def _free(ball: Ball, own: Rows, epsilon: Rows) -> Which:
    """(N,) whether anything of a row may change."""
    low, high = ball.ranges(own, epsilon)
    return np.asarray((low < high).any(1) | ((low != own) & (low == high)).any(1))


def _need_changes(ctx: Context, ball: Ball, found: AttackedRows, ladder: Sequence[float]) -> None:
    """NotApplicable without rows, and where none of them can be changed."""
    if not len(found.rows):
        msg = "every row drawn holds NaN or infinity; expected rows of finite numbers"
        raise NotApplicable(msg)
    if not ball.constraints.movable.any():
        msg = f"no column can be changed: {named(held_still(ctx, ball))}"
        raise NotApplicable(msg)
    if not found.free[-1].any():
        msg = (
            f"no row can be changed within epsilon {ladder[-1]:.3g}: whole numbers move by whole steps, numbers within "
            "their range, categories and flags from epsilon 1 on"
        )
        raise NotApplicable(msg)


# ---- examples ----------------------------------------------------------------------------------------------------
def _chosen(found: AttackedRows, ladder: Sequence[float], shown: int) -> list[tuple[str, float, int]]:
    """The easiest and the hardest row of those that are right and break first at each epsilon."""
    chosen = []
    for k, e in enumerate(ladder):
        rows = np.flatnonzero(found.right & (found.index == k))
        rows = rows[np.argsort(found.distance[rows], kind="stable")]
        ends = [("easiest", rows[:1]), ("hardest", rows[1:][-1:])][:shown]
        chosen += [(word, e, int(row)) for word, some in ends for row in some]
    return chosen


def _changes(ctx: Context, model: Model, found: AttackedRows, word: str, epsilon: float, i: int) -> Table:
    """The columns that are changed, those furthest first."""
    columns, both = ctx.data.columns, torch.stack([found.x[i], found.witness[i]])
    with torch.no_grad():
        p = model(both.clone()).softmax(1).cpu()
    called = [f"{ctx.classes[int(row.argmax())]} ({float(row.max()):.2f})" for row in p]
    before, after = decoded(both, columns)
    rows = [(c.name, said(float(b), c), said(float(a), c)) for c, b, a in zip(columns, before, after, strict=True)
            if a != b]  # fmt: skip
    title = f"row {found.rows[i]}: {called[0]}, called {called[1]}; the {word} of {_at(epsilon)}"
    return Table(title, ("column", "before", "after"), tuple(rows))
