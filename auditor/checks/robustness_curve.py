"""robustness.curve: how far the accuracy falls when inputs are changed on purpose."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from auditor.attacked.curves import norm_curve
from auditor.attacked.sizes import AnyNorm, ladder_of
from auditor.attacked.tables import table_curve
from auditor.attacked.texts import text_curve
from auditor.errors import NotApplicable
from auditor.registry import Context, check, sizes
from auditor.types import Result

Epsilon = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@check(
    "robustness.curve",
    title="Robust accuracy",
    measures=("noise_accuracy", "noise_stable_rate", "robust_accuracy", "stable_rate"),
    source="Croce & Hein 2020, arXiv:2003.01690; Athalye et al. 2018, arXiv:1802.00420",
)
def curve(
    ctx: Context,
    *,
    norm: AnyNorm = "linf",
    epsilons: tuple[Epsilon, ...] = (),
    samples: int = sizes(16, 64, 256),
    steps: Annotated[int, Field(ge=1, le=10_000)] = sizes(10, 40, 100),
    moved_by: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0,
    shown: int = sizes(2, 4, 8),
    similarity: Annotated[float, Field(ge=-1, le=1)] = 0.55,
) -> Result:
    """How far the accuracy falls when someone may change every input by a little and picks the worst change found.

    What it measures: `robust_accuracy` of `samples` rows (0: all) at each of `epsilons`, sizes of a change in `norm`:
    the largest change of an element (linf), the length of all changes (l2), their sum (l1), or how many elements change
    (l0). An element is a pixel's value, from 0 to 1 unless `bounds` say otherwise, or a table column in its standard
    deviations. None given means 0.5/255 to 64/255 of the input's range for images, 0.05 to 2 deviations for tables. Of
    each row the smallest change counts that any attack found: eleven attacks of `steps` gradient steps (below 22 steps
    half as many attacks as steps) at the size that just does not break it, a search by squares from where they came
    closest, random changes, and a search that makes smaller what was found. Where the model hides its gradients
    (rounding, randomness, saturated outputs, no gradient at all) the attacks adapt, and a caveat says how. l1 and l0
    are FMN alone, which finds less. A row that is wrong as it is counts as broken at 0; every break is confirmed by the
    model itself. `noise_accuracy` is how many of the right rows stand one random change of the same size. A model that
    gives a value has `stable_rate` instead: how many rows' values no change was found to move by more than `moved_by`
    (0: half a standard deviation of the targets). At `shown` sizes (0: none) the rows that were turned by the least and
    by the most are pictured.

    Of tables, a number moves by epsilon of its standard deviations, whole numbers by whole steps, none below the row's
    own value where `increasing_only`; a category or flag that takes another value counts as 1 deviation (Wilson &
    Martinez 1997). Columns of a relation move together. Gradients with every candidate made a legal row (after
    Simonetto et al. 2024, arXiv:2406.00775) are followed by a search over columns and crossings of rows, and by all
    legal rows where there are at most 2,048; a row that is not legal never counts.

    Of texts, `epsilons` are numbers of changed words (none given: 1, 2, 3, 5, 8): a word becomes one of its neighbours
    in the model's own embedding, at a cosine of at least `similarity`, or is mistyped by one edit (1 leaves typos
    alone). At most a third of a text's words change.

    Of tables whose model gives a value, only numbers that may change either way are attacked.

    How to read it: an attack can only show how low the accuracy gets; the truth lies at or below the figure. Between
    the sizes the curve is that of the smallest changes found; the band around all of it holds at once
    (Dvoretzky-Kiefer-Wolfowitz).

    When it misleads: when attacks fail without the model being robust. `robustness.trust` looks for signs of that.
    """
    model = ctx.need_model()
    if ctx.is_text:
        ctx.need_classes()
        _need_linf(norm, "texts are attacked by the number of changed words; leave `norm` out")
        return text_curve(ctx, model, epsilons=epsilons, samples=samples, shown=shown, similarity=similarity)
    if ctx.data.columns and not ctx.is_regression:
        _need_linf(norm, "rows of a table are attacked by the largest change of a column, linf")
        ladder = ladder_of(ctx, model, norm, epsilons)
        return table_curve(ctx, model, ladder=ladder, samples=samples, steps=steps, shown=shown)
    if not bool(torch.as_tensor(model.unit).any()):
        msg = "no element of the input may be changed"
        raise NotApplicable(msg)
    return norm_curve(
        ctx, model, norm=norm, epsilons=epsilons, samples=samples, steps=steps, moved_by=moved_by, shown=shown
    )


def _need_linf(norm: AnyNorm, why: str) -> None:
    if norm != "linf":
        msg = f"norm = {norm}: {why}"
        raise NotApplicable(msg)
