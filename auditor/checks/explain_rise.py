"""explain.rise: which parts of an image, shown at random with others, raise the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field

from auditor.errors import NotApplicable
from auditor.explain.rise import rise
from auditor.explained.playing import player
from auditor.explained.samples import explained_samples, heatmap, is_image, original
from auditor.registry import Context, check, sizes
from auditor.stats import mean_correlation
from auditor.types import Measure, Result

POOR = 0.5


@check("explain.rise", title="RISE", measures=("split_correlation",), source="Petsiuk et al. 2018, arXiv:1806.07421")
def explain_rise(
    ctx: Context,
    *,
    samples: int = sizes(2, 4, 16),
    masks: Annotated[int, Field(ge=16, le=1_000_000)] = sizes(64, 512, 4000),
) -> Result:
    """Which parts of an image raise the probability of the predicted class while they are shown.

    What it measures: for `samples` images (0: all) the probability of the predicted class (or the value of a model
    without classes) under `masks` random masks, the same for all images. A mask shows half of the image, in soft cells
    of a seventh of each side, and the image's mean colour elsewhere. The map is the mean answer of the masks that show
    a pixel, minus that of all masks.
    `split_correlation` is Spearman's rank correlation between the maps of two halves of the masks, on at most 14 by 14
    cells, carried on to all masks (Spearman-Brown): how much of the order is no chance. 1 is all of it, 0 none; None
    where the answer never changes.

    How to read it: orange raises the answer, blue lowers it. It needs no gradients. Below a correlation of .5 the map
    is mostly chance, and a caveat says so: raise `masks`.

    When it misleads: it is as coarse as its cells, so that what is small is seen together with what lies around it. A
    model that knows nothing of images with holes answers what it likes to them.
    """
    ctx.need_model()
    if not is_image(ctx):
        inputs = "texts" if ctx.is_text else f"of shape {' x '.join(map(str, ctx.data.shape))}"
        msg = f"the inputs are {inputs}; masks are laid over images alone"
        raise NotApplicable(msg)
    shown = explained_samples(ctx, samples)
    x, target = torch.stack([s.x for s in shown]), torch.tensor([s.predicted for s in shown])
    found = rise(player(ctx), x, target, masks=masks, rows=ctx.batch_size, seed=ctx.seed)
    images = []
    for s, own, split in zip(shown, found.maps, found.split, strict=True):
        said = "" if split is None else f", correlation of two halves {split:.2f}"
        images += [original(ctx, s), heatmap(ctx, s, own, f"RISE for {s.answer} by {masks:,} masks{said}")]
    known = [c for c in found.split if c is not None]
    measures = [mean_correlation("split_correlation", known, better="higher")]
    for s, split in zip(shown, found.split, strict=True):
        measures.append(Measure("split_correlation", f"row={s.row}", split, masks, better="higher"))
    return Result(tuple(measures), (), tuple(images), tuple(_caveats(known, len(shown))))


def _caveats(known: Sequence[float], rows: int) -> list[str]:
    caveats = ["A hidden part of an image is shown in the image's mean colour."]
    chance = sum(c < POOR for c in known)
    if chance:
        caveats.append(f"In {chance} of {rows} rows two halves of the masks agree by less than {POOR}: raise `masks`.")
    if len(known) < rows:
        caveats.append(f"In {rows - len(known)} of {rows} rows no mask changes the answer: there is nothing to see.")
    return caveats
