"""robustness.corruption: how the accuracy falls under noise, weather, mistakes and typos that nobody aims."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from auditor.corruptions.answers import answers_of
from auditor.corruptions.figures import doubts, measures_of, scores_of_rows, tables_of
from auditor.corruptions.kinds import Kind, picture_kind
from auditor.corruptions.pictured import pictured
from auditor.corruptions.spatial import CORNERS, Place, grid
from auditor.corruptions.tables import table_kind
from auditor.corruptions.words import text_kind
from auditor.errors import NotApplicable
from auditor.explained.samples import is_image
from auditor.registry import Context, check, sizes
from auditor.subject import Data, Model
from auditor.types import Result

CHOSEN = {1: (3,), 2: (1, 5), 3: (1, 3, 5), 4: (1, 2, 4, 5), 5: (1, 2, 3, 4, 5)}
GRIDS = {1: CORNERS, 2: CORNERS, 3: grid(5, 3), 4: grid(5, 3), 5: grid(7, 5)}


@check(
    "robustness.corruption",
    title="Accuracy under corruptions",
    measures=(
        "clean_accuracy", "clean_error", "corruption_accuracy", "corruption_error", "mean_spatial_accuracy",
        "mean_spatial_error", "relative_error", "spatial_accuracy", "spatial_error",
    ),
    source="Hendrycks & Dietterich 2019, arXiv:1903.12261; Engstrom et al. 2019, arXiv:1712.02779",
)  # fmt: skip
def corruption(
    ctx: Context,
    *,
    samples: int = sizes(8, 64, 256),
    severities: Annotated[int, Field(ge=1, le=5)] = sizes(1, 3, 5),
) -> Result:
    """How far the accuracy falls when inputs are changed as they are in use, by nobody and towards nothing.

    What it measures: `corruption_accuracy` of `samples` rows (0: all) under each corruption at `severities` of the five
    published strengths (1: the third alone, 3: the first, third and fifth), for each corruption over its severities,
    and over all. `clean_accuracy` is that of the same rows as they are, `relative_error` by how much larger the share
    of errors is than theirs, 0 where a corruption does nothing. Pictures meet the fifteen families of ImageNet-C:
    noise, blur, weather, and what cameras and files do. At a shorter side of 224 pixels and more they are as strong as
    published for ImageNet-C, at 32 and less as for CIFAR-10-C, in between in between. The frost is drawn, not
    photographed. `spatial_accuracy` counts rows that are right at every place of a grid of rotations up to 30 degrees
    and shifts up to a tenth of the side (4 places for 1 severity, 44 for 3, 174 for 5), `mean_spatial_accuracy` is the
    mean over the grid.

    Rows of a table meet noise (.05 to .5 of a column's standard deviation), rounding (to 3 digits and down to 1), unit
    mistakes (one number of the row times 10, 1000 or a million) and swapped columns of like kind, as far as the audit
    file allows of a column. Texts meet typos, odd case, spaces and punctuation in 5 to 50 % of their words, and
    synonyms by the model's own embedding. A model that gives a value has mean absolute errors in the place of
    accuracies: `corruption_error`, `clean_error`, `spatial_error`.

    How to read it: a corruption whose `relative_error` has an interval above 0 costs accuracy. Rows are the unit of
    every interval, whatever the number of severities; the share of errors is compared on the same rows.

    When it misleads: made-up weather is no weather, and what the model meets in use may be worse, or other. On tiny
    pictures some severities change next to nothing. A model that is wrong already cannot fall.
    """
    model = ctx.need_model()
    data = ctx.data.take(samples, ctx.seed)
    kind, chosen = _kind(ctx, model, data), CHOSEN[severities]
    places: tuple[Place, ...] = GRIDS[severities] if is_image(ctx) else ()
    found = answers_of(model, data, kind, chosen, places, ctx.batch_size)
    families = tuple(kind.families)
    of_rows, measures = scores_of_rows(found, families), measures_of(found, families, chosen)
    ctx.keep("rows", data.row_ids)
    ctx.keep("scores", found.scores(found.corrupted))
    if not found.values:
        ctx.keep_scores(data.row_ids, {m: of_rows[m.name, m.slice] for m in measures if (m.name, m.slice) in of_rows})
    tables, images = pictured(ctx, model, data, kind, chosen, found)
    caveats = (*kind.caveats, *doubts(found, families))
    return Result(measures, (*tables_of(found, families, chosen, measures), *tables), tuple(images), caveats)


def _kind(ctx: Context, model: Model, data: Data) -> Kind:
    if ctx.is_text:
        return text_kind(ctx, model, data)
    if is_image(ctx):
        return picture_kind(ctx, model)
    if ctx.data.columns:
        return table_kind(ctx, model)
    shape = " x ".join(map(str, ctx.data.shape))
    msg = f"inputs of shape {shape} are neither pictures, nor rows of named columns, nor texts: no corruption is known"
    raise NotApplicable(msg)
