"""explain.shap: how much each part of the input adds to the probability of the class."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field

from auditor.explain.players import mixed
from auditor.explain.segments import masked, superpixels
from auditor.explain.shap import Shapley, Value, kernel_shap
from auditor.registry import Context, check, sizes
from auditor.samples import Sample, explained_samples, heatmap, is_image, need_pictures_or_columns, original
from auditor.stats import mean
from auditor.types import Image, Measure, Result, Scalar, Table

SHOWN = 12


@check("explain.shap", title="SHAP", source="Lundberg & Lee 2017, arXiv:1705.07874 (KernelSHAP)")
def explain_shap(
    ctx: Context,
    *,
    samples: int = sizes(2, 4, 16),
    budget: Annotated[int, Field(ge=32, le=10_000_000)] = sizes(256, 768, 4096),
    background: Annotated[int, Field(ge=1, le=100_000)] = 100,
    superpixels: Annotated[int, Field(ge=2, le=500)] = 25,
) -> Result:
    """How much each part of the input adds to the probability of the predicted class.

    What it measures: Shapley values for `samples` rows (0: all). The players are the columns of a table, a category
    being one, or about `superpixels` parts of an image. An absent column takes its value from `background` rows of the
    reference data (of the audited data where there is none), an absent part of an image its mean colour. `budget`
    coalitions are played for each row, in two runs. `repeat_error` is how far the runs lie from their mean, over the
    size of the values: 0 where all coalitions were counted; at .5 the order of the bars is mostly chance.

    How to read it: the values add up to the probability minus the probability with everything absent.

    When it misleads: columns that move together are pulled apart into rows that cannot exist; another background
    gives other values.
    """
    ctx.need_classes()
    ctx.need_model()
    need_pictures_or_columns(ctx)
    shown = explained_samples(ctx, samples)
    measures, tables, images, errors = [], [], [], []
    rows = None if is_image(ctx) else _background(ctx, background)
    for s in shown:
        if rows is None:
            found, pictures = _of_image(ctx, s, superpixels, budget)
            images += pictures
        else:
            found = kernel_shap(_with_columns(ctx, s, rows), len(ctx.columns), budget=budget, seed=ctx.seed)
            tables.append(_bars(ctx, s, found))
        errors.append(found.error)
        measures.append(Measure("repeat_error", f"row={s.row}", found.error, 1, better="lower"))
    whole = mean("repeat_error", errors, better="lower")
    return Result((whole, *measures), tuple(tables), tuple(images), tuple(_caveats(ctx, errors, rows)))


# ---- images ------------------------------------------------------------------------------------------------------
def _of_image(ctx: Context, s: Sample, about: int, budget: int) -> tuple[Shapley, list[Image]]:
    model, parts = ctx.need_model(), superpixels(s.x, about)
    players, size = int(parts.max()) + 1, ctx.batch_size

    def value(present: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
        with torch.no_grad():
            pieces = (masked(s.x, parts, present[i : i + size]) for i in range(0, len(present), size))
            return np.concatenate([model(x).softmax(1)[:, s.predicted].double().cpu().numpy() for x in pieces])

    found = kernel_shap(value, players, budget=budget, seed=ctx.seed)
    words = f"SHAP for {ctx.classes[s.predicted]} in {players} parts, repeat error {found.error:.2f}"
    return found, [original(ctx, s), heatmap(ctx, s, torch.from_numpy(found.values[parts]), words)]


# ---- rows of columns ---------------------------------------------------------------------------------------------
def _background(ctx: Context, n: int) -> torch.Tensor:
    source = (ctx.reference or ctx.data).take(n, ctx.seed)
    return source.read(np.arange(len(source)))


def _with_columns(ctx: Context, s: Sample, rows: torch.Tensor) -> Value:
    """The game of one row: the mean probability over the background with the absent columns taken from it."""
    model, columns = ctx.need_model(), ctx.columns
    at_once = max(1, 65_536 // len(rows))

    def value(present: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
        found = []
        with torch.no_grad():
            for i in range(0, len(present), at_once):
                x = mixed(s.x, rows, present[i : i + at_once], columns)
                p = model(x.flatten(0, 1)).softmax(1)[:, s.predicted].double().cpu()
                found.append(p.view(len(x), -1).mean(1).numpy())
        return np.concatenate(found)

    return value


def _bars(ctx: Context, s: Sample, found: Shapley) -> Table:
    """The values, strongest first, each with what either run said."""
    columns, x = ctx.columns, s.x.tolist()
    order = sorted(range(len(columns)), key=lambda i: -abs(found.values[i]))
    first, second = found.runs
    rows: list[tuple[Scalar, ...]] = [
        (columns[i].name, columns[i].shown(x), *(float(v[i]) for v in (found.values, first, second)))
        for i in order[:SHOWN]
    ]
    if rest := order[SHOWN:]:
        rows.append(
            (f"{len(rest)} further columns", "", *(float(v[rest].sum()) for v in (found.values, first, second)))
        )
    return Table(s.title, ("column", "value", "effect", "run 1", "run 2"), tuple(rows))


def _caveats(ctx: Context, errors: list[float], rows: torch.Tensor | None) -> list[str]:
    if rows is None:
        caveats = ["An absent part of an image is shown in the image's mean colour."]
    else:
        source = "the reference data" if ctx.reference is not None else "the audited data, as no reference was given"
        caveats = [f"Absent columns take their values from {len(rows)} rows of {source}."]
    rough = sum(e > 0.2 for e in errors)
    if rough:
        caveats.append(
            f"In {rough} of {len(errors)} rows two runs differ by more than .2 of the values: raise `budget`."
        )
    return caveats
