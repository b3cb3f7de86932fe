"""Robust accuracy of a model of pictures, vectors or tables by the size of change in a norm."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from typing import Literal

import numpy as np
from torch import Tensor

from auditor.attacked.doubts import doubts, held_columns
from auditor.attacked.found import Aim, Attacked, Threat, attacked, search_view
from auditor.attacked.pictured import pictured
from auditor.attacked.sizes import AnyNorm, at_size, doubts_of_size, ladder_of
from auditor.attacks.balls import ball_of
from auditor.attacks.curve import Frontiers
from auditor.attacks.goals import AnotherClass, AnotherValue, Goal, another_class
from auditor.attacks.min_norm import min_norm_frontiers, sparse_noise
from auditor.attacks.seen import Seen
from auditor.attacks.strongest import strongest
from auditor.errors import NotApplicable
from auditor.registry import Context
from auditor.stats import rate
from auditor.subject import Batch, Model
from auditor.types import Measure, Result, Scalar, Table

__all__ = ["norm_curve"]

HALF = 0.5  # of the targets' standard deviation
LEAST_STEPS = 80  # of FMN: with 20, half of the rows stand any number of changed pixels


def norm_curve(
    ctx: Context, model: Model, *, norm: AnyNorm, epsilons: Sequence[float], samples: int, steps: int, moved_by: float,
    shown: int,
) -> Result:  # fmt: skip
    """The result of `robustness.curve` for inputs that are numbers; see the check."""
    ladder = ladder_of(ctx, model, norm, epsilons)
    data = ctx.data.take(samples, ctx.seed)
    goal, aim = _aim(ctx, moved_by)
    seen = search_view(ctx, model, data, goal, aim)
    found = attacked(ctx, seen.model, data, ladder, _threat(model, seen, goal, aim, ladder, norm, steps, ctx.seed))
    measures, table = _figures(ctx, found, ladder, norm)
    ctx.keep("epsilons", np.asarray(ladder))
    ctx.keep("rows", data.row_ids)
    ctx.keep("distance", found.distance.numpy())
    standing = [~found.wrong, *(found.index > k for k in range(len(ladder)))]
    ctx.keep_scores(data.row_ids, dict(zip(measures, standing, strict=False)))
    tables, images = pictured(ctx, model, found, ladder, norm, shown)
    caveats = [
        *doubts(ctx, data, seen, found, steps),
        *doubts_of_size(ctx, model, norm, ladder),
        *held_columns(ctx, model),
    ]
    if norm in {"l1", "l0"}:
        caveats.append(f"{norm} is attacked by FMN alone, which finds less than what attacks linf and l2.")
    if isinstance(goal, AnotherValue):
        caveats.append(f"A row counts as moved when its value changes by more than {goal.amount:.4g}.")
    return Result(measures, (table, *tables), tuple(images), tuple(caveats))


def _aim(ctx: Context, moved_by: float) -> tuple[Goal, Aim]:
    if not ctx.is_regression:
        return another_class(ctx.need_model()), _class
    spread = float(np.std(ctx.data.y))
    if not moved_by and not spread:
        msg = "all targets are the same, so that half their standard deviation is 0; give `moved_by`"
        raise NotApplicable(msg)
    return AnotherValue(moved_by or HALF * spread), _value


def _class(batch: Batch, outputs: Tensor) -> Tensor:  # noqa: ARG001 - a class is wrong whatever the model says
    return batch.y


def _value(batch: Batch, outputs: Tensor) -> Tensor:  # noqa: ARG001 - a value moves from what the model says
    return outputs


def _threat(
    model: Model, seen: Seen, goal: Goal, aim: Aim, ladder: Sequence[float], norm: AnyNorm, steps: int, seed: int
) -> Threat:
    if norm == "linf" or norm == "l2":  # noqa: PLR1714 - so that the type is known
        ball = partial(ball_of, norm, model)
        return Threat(
            goal, aim,
            lambda x, y: strongest(seen, x, y, ladder, norm=norm, steps=steps, seed=seed, goal=goal),
            lambda x, epsilon, random: ball(x).noise(x, epsilon, random),
        )  # fmt: skip
    sparse: Literal["l1", "l0"] = "l1" if norm == "l1" else "l0"
    if not isinstance(goal, AnotherClass):
        msg = f"the model returns a value; norm = {norm} needs classes, linf and l2 do not"
        raise NotApplicable(msg)
    return Threat(
        goal, aim,
        lambda x, y: _sparsest(seen, x, y, ladder, sparse, steps, seed),
        lambda x, epsilon, random: sparse_noise(model, x, epsilon, sparse, random),
    )  # fmt: skip


def _sparsest(
    seen: Seen, x: Tensor, y: Tensor, ladder: Sequence[float], norm: Literal["l1", "l0"], steps: int, seed: int
) -> Frontiers:
    """By the gradients that the model shows, and by those straight through what hides them."""
    views, spent = seen.searches or (seen.plain,), max(2 * steps, LEAST_STEPS)
    return reduce(
        Frontiers.sooner,
        (min_norm_frontiers(view, x, y, ladder, norm=norm, steps=spent, seed=seed, judge=seen.model, least=seen.least)
         for view in views),
    )  # fmt: skip


def _figures(ctx: Context, found: Attacked, ladder: Sequence[float], norm: str) -> tuple[tuple[Measure, ...], Table]:
    n, name = len(found.index), "stable_rate" if ctx.is_regression else "robust_accuracy"
    beside = "noise_stable_rate" if ctx.is_regression else "noise_accuracy"
    clean = rate(name, int((~found.wrong).sum()), n, slice=f"{norm}@0")
    robust = [rate(name, int((found.index > k).sum()), n, slice=at_size(norm, e)) for k, e in enumerate(ladder)]
    noise = [rate(beside, int(found.noise[k].sum()), n, slice=at_size(norm, e)) for k, e in enumerate(ladder)]
    rows = zip((0.0, *ladder), (clean, *robust), (clean, *noise), strict=True)
    what = "Share of stable values" if ctx.is_regression else "Robust accuracy"
    table = Table(
        f"{what} by largest change",
        ("epsilon", what.lower(), "low", "high", "random change", "n"),
        tuple(_row(e, r, m.value) for e, r, m in rows),
    )
    return (clean, *robust, *noise), table


def _row(epsilon: float, m: Measure, noise: float | None) -> tuple[Scalar, ...]:
    return (epsilon, m.value, m.low, m.high, noise, m.n)
