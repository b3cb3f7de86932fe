"""explain.occlusion: how far the answer drops when a part of the input is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from auditor.explained.made_up import off_data
from auditor.explained.occluding import of_images, of_parts
from auditor.explained.playing import background_of, boards, playable
from auditor.explained.samples import explained_samples, is_image, need_explainable
from auditor.registry import Context, check, sizes
from auditor.stats import mean, mean_correlation
from auditor.types import Measure, Result

LITTLE, POOR = 0.01, 0.5


@check(
    "explain.occlusion",
    title="Occlusion",
    measures=("fill_agreement", "largest_drop", "off_data"),
    source="Zeiler & Fergus 2014, arXiv:1311.2901",
)
def explain_occlusion(
    ctx: Context,
    *,
    samples: int = sizes(2, 4, 16),
    cells: Annotated[int, Field(ge=2, le=64)] = sizes(7, 14, 14),
    window: Annotated[int, Field(ge=1, le=32)] = 2,
    background: Annotated[int, Field(ge=1, le=100_000)] = sizes(20, 50, 200),
) -> Result:
    """How far the probability of the predicted class drops when one part of the input is hidden.

    What it measures: for `samples` rows (0: all) the probability of the predicted class (or the value of a model
    without classes) minus what it is with one part hidden. Over an image cut into `cells` along its shorter side slides
    a square of `window` cells in the image's mean colour; the map shows for each cell the mean drop of the squares that
    cover it. A column takes its value from each of `background` rows of the reference data (else the data) in turn:
    the bar is the mean drop, its line a 95 % interval of it over those rows. A word is taken out of its text.
    `fill_agreement` is Spearman's rank correlation between the drops under two ways of hiding: mean colour and the
    blurred image in squares beside each other, two halves of the background, taken out and replaced by the token that
    fills short texts. 1 is the same order, 0 none; None where nothing drops or there is one way only. `largest_drop` is
    the mean over the rows of the largest drop.

    How to read it: orange and filled bars speak for the class, as it loses without them. Below an agreement of .5 the
    order depends on how parts are hidden, and a caveat says so.

    When it misleads: of two parts that say the same, neither is missed, and both get nothing. What is hidden leaves an
    input that need not exist: edges of the square, rows that contradict themselves, broken sentences.
    """
    ctx.need_model()
    need_explainable(ctx)
    shown, left_out = playable(ctx, explained_samples(ctx, samples))
    rows, absent = background_of(ctx, background)
    found = of_images(ctx, shown, cells, window) if is_image(ctx) else of_parts(ctx, shown, rows)
    tables = [t for f in found for t in f.tables]
    images = [i for f in found for i in f.images]
    agreed = [f.agreement for f in found if f.agreement is not None]
    largest = [float(np.nanmax(f.drops)) for f in found if np.isfinite(f.drops).any()]
    measures = [mean_correlation("fill_agreement", agreed, better="higher"), mean("largest_drop", largest)]
    for s, f in zip(shown, found, strict=True):
        measures.append(Measure("fill_agreement", f"row={s.row}", f.agreement, 1, better="higher"))
    odd = sum(not np.isfinite(f.drops).all() for f in found)
    games = [] if rows is None else [b.game for b in boards(ctx, shown, parts=0, background=rows)]
    off, far = off_data(ctx, [(g, ~np.eye(g.players, dtype=np.bool_)) for g in games])
    caveats = (absent, *left_out, *far, *_caveats(agreed, largest, odd))
    return Result((*measures, *off), tuple(tables), tuple(images), caveats)


def _caveats(agreed: Sequence[float], largest: Sequence[float], odd: int) -> list[str]:
    caveats = []
    if odd:
        rows = f"{odd} row{'s' * (odd != 1)}"
        caveats.append(f"In {rows} the model gives no number without some part, which is not counted.")
    little, apart = sum(v < LITTLE for v in largest), sum(a < POOR for a in agreed)
    if little:
        caveats.append(
            f"In {little} of {len(largest)} rows no part alone moves the answer by {LITTLE}: either many parts say the "
            "same, or the answer does not depend on them."
        )
    if apart:
        caveats.append(
            f"In {apart} of {len(agreed)} rows two ways of hiding agree by less than {POOR}: the order of the parts "
            "depends on how they are hidden."
        )
    return caveats
