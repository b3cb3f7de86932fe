"""explain.lime: a linear model of the classifier around one row, with its fit."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field

from auditor.explain.lime import Local, lime_image, lime_table
from auditor.explain.players import from_raw, to_raw
from auditor.explain.segments import superpixels
from auditor.registry import Context, check, sizes
from auditor.samples import Sample, bars, explained_samples, heatmap, is_image, need_pictures_or_columns, original
from auditor.stats import mean
from auditor.types import Image, Measure, Result

POOR = 0.5
BACKGROUND = 1000


@check("explain.lime", title="LIME", source="Ribeiro et al. 2016, arXiv:1602.04938")
def explain_lime(
    ctx: Context,
    *,
    samples: int = sizes(2, 4, 16),
    neighbours: Annotated[int, Field(ge=50, le=1_000_000)] = sizes(200, 500, 5000),
    superpixels: Annotated[int, Field(ge=2, le=500)] = 25,
) -> Result:
    """A linear model of the classifier in the neighbourhood of one row, with how well it fits.

    What it measures: for `samples` rows (0: all) the weights of a linear model of the probability of the predicted
    class: of each column, or of each of about `superpixels` parts of an image. It is fitted to `neighbours` random
    variations: images with parts hidden; rows whose numbers are drawn with the spread, and around the mean, of the
    reference data (else the data), each counting the more the nearer it lies to the row. `fidelity` is that model's
    weighted R2 on those variations: 1 follows the classifier exactly, 0 no better than a constant.

    How to read it: a number's weight is the change for one standard deviation, a category's or an image part's for
    being there. Below a fidelity of .5 the weights are not to be read: the classifier is not linear here.

    When it misleads: the neighbourhood and its width are choices; variations need not be possible rows, and for an
    unusual row most of them lie far away.
    """
    ctx.need_classes()
    ctx.need_model()
    need_pictures_or_columns(ctx)
    shown = explained_samples(ctx, samples)
    measures, tables, images, fits = [], [], [], []
    for s in shown:
        if is_image(ctx):
            found, pictures = _of_image(ctx, s, superpixels, neighbours)
            images += pictures
        else:
            found = _of_row(ctx, s, neighbours)
            tables.append(bars(s, ctx.columns, found.weights.tolist(), "weight"))
        fits.append(found.fidelity)
        measures.append(Measure("fidelity", f"row={s.row}", found.fidelity, neighbours, better="higher"))
    caveats = []
    poor = sum(f < POOR for f in fits)
    if poor:
        caveats.append(f"In {poor} of {len(fits)} rows the fidelity is below .5: those weights are not to be read.")
    whole = mean("fidelity", fits, better="higher")
    return Result((whole, *measures), tuple(tables), tuple(images), tuple(caveats))


def _of_image(ctx: Context, s: Sample, about: int, neighbours: int) -> tuple[Local, list[Image]]:
    model, channels, parts = ctx.need_model(), len(s.x), superpixels(s.x, about)

    def predict(pictures: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
        with torch.no_grad():
            return model(x[:, :channels]).softmax(1).cpu().numpy()

    wide = s.x if channels == 3 else s.x.mean(0, keepdim=True).expand(3, -1, -1)
    seen = wide.permute(1, 2, 0).double().numpy()
    size = min(ctx.batch_size, 64)
    found = lime_image(seen, parts, predict, s.predicted, samples=neighbours, batch_size=size, seed=ctx.seed)
    words = f"LIME for {ctx.classes[s.predicted]}, fidelity {found.fidelity:.2f}"
    return found, [original(ctx, s), heatmap(ctx, s, torch.from_numpy(found.weights[parts]), words)]


def _of_row(ctx: Context, s: Sample, neighbours: int) -> Local:
    model, columns = ctx.need_model(), ctx.columns
    source = (ctx.reference or ctx.data).take(BACKGROUND, ctx.seed)
    background = to_raw(source.read(np.arange(len(source))), columns)

    def predict(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        with torch.no_grad():
            return model(from_raw(rows, columns)).softmax(1).double().cpu().numpy()

    row = to_raw(s.x[None], columns)[0]
    return lime_table(background, row, columns, predict, s.predicted, samples=neighbours, seed=ctx.seed)
