"""explain.stability: how far explanations move when the input moves by next to nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from auditor.evidence.agreement import relative_change
from auditor.evidence.methods import again, not_tested, scores_of
from auditor.evidence.scene import Scene, stacked
from auditor.explained.samples import Sample
from auditor.percents import percent
from auditor.registry import Context, check, derive_seed, sizes
from auditor.stats import mean_size, rate
from auditor.types import Measure, Result, Scalar, Table

MOST = 1.0


@check(
    "explain.stability",
    title="Stability of explanations",
    measures=("max_sensitivity", "steady"),
    source="Yeh et al. 2019, arXiv:1901.09392 (max-sensitivity)",
)
def explain_stability(
    ctx: Context,
    *,
    samples: int = sizes(2, 5, 32),
    draws: Annotated[int, Field(ge=1, le=10_000)] = sizes(2, 2, 10),
    radius: Annotated[float, Field(gt=0, le=1)] = 0.01,
    passes: Annotated[int, Field(ge=1, le=10_000_000)] = sizes(20, 300, 10_000),
) -> Result:
    """How far an explanation moves when every element of the input moves by at most one hundredth of its range.

    What it measures: for `samples` rows (0: all; at least 12 of inputs of up to 1,024 numbers, with ten times the
    `passes`) and every method that costs at most `passes` forward passes a row, `max_sensitivity` is the largest |other
    - own| / |own| over `draws` random moves by at most `radius` of what an element ranges over (pixels: from bound to
    bound; numbers: a column's standard deviation; categories and flags stay), |.| being the root of the sum of squares
    over the parts. 0 is no change; at 1 the change is as large as the explanation. Moves after which the model answers
    otherwise do not count. `steady` is the rate of rows at or below 1. Methods that draw at random draw the same in all
    moves.

    How to read it: below .95 steady rows, what a method shows of one row may be gone in its neighbour, which nobody
    could tell apart: read its averages, not its single maps.

    When it misleads: an explanation that never changes is perfectly stable and says nothing; see the random weights.
    A few random moves are no worst case.
    """
    scene = Scene.of(ctx, samples)
    scores, left = scores_of(scene, passes)
    largest: dict[str, list[list[float]]] = {m.name: [[] for _ in scene.samples] for m in scores}
    for i in range(draws):
        moved = scene.moved(radius, derive_seed(scene.ctx.seed, f"move {i}"))
        same = _same_answer(ctx, moved)
        for method, found in again(scene, scores, ctx.need_model(), moved).items():
            for held, own, other, counts in zip(largest[method.name], scores[method], found, same, strict=True):
                if counts and (change := relative_change(own, other)) is not None:
                    held.append(change)
    measures: list[Measure] = []
    kept: dict[Measure, list[float]] = {}
    rows: list[tuple[Scalar, ...]] = []
    for name, every in largest.items():
        known = [max(changes) for changes in every if changes]
        size = mean_size("max_sensitivity", known, slice=f"method={name}", better="lower")
        still = rate("steady", sum(v <= MOST for v in known), len(known), slice=f"method={name}")
        measures += [size, still]
        worst = [max(changes) if changes else math.nan for changes in every]
        kept |= {size: worst, still: [math.nan if math.isnan(v) else float(v <= MOST) for v in worst]}
        rows.append((name, size.value, size.low, size.high, max(known, default=None), still.value, len(known)))
    ctx.keep_scores(np.array([s.row for s in scene.samples]), kept)
    columns = ("method", "mean of the largest change", "low", "high", "largest", "steady rows", "n")
    table = Table(
        f"Change of the explanation when inputs move by up to {percent(radius, 2)} of their range", columns, tuple(rows)
    )
    caveats = not_tested(left)
    return Result(tuple(measures), (table,), (), (*caveats, *scene.caveats()))


def _same_answer(ctx: Context, moved: Sequence[Sample]) -> list[bool]:
    """Whether the model still answers with the class that is explained."""
    if ctx.is_regression:
        return [True] * len(moved)
    x, target = stacked(moved)
    with torch.no_grad():
        said = torch.cat([ctx.need_model()(part).argmax(1).cpu() for part in x.split(ctx.batch_size)])
    return [bool(b) for b in said == target]
