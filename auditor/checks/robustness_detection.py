"""robustness.detection: whether adversarial inputs can be told from others, also when the attack knows the detector."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from auditor.attacked.doubts import held_columns, of_rejection, of_sight
from auditor.attacked.found import search_view
from auditor.attacked.sizes import at_size, doubts_of_size, ladder_of
from auditor.attacks.goals import another_class
from auditor.attacks.seen import MOST_BLIND, Seen
from auditor.errors import NotApplicable
from auditor.outliers.bypassed import Spent, broken_rows, figures, scored, view_of
from auditor.outliers.detectors import detectors
from auditor.outliers.features import answers_of, asking
from auditor.outliers.foreign import range_of
from auditor.outliers.rows import Split, split
from auditor.registry import Context, check, sizes
from auditor.subject import Model, as_it_is
from auditor.types import Result

Epsilon = Annotated[float, Field(gt=0, allow_inf_nan=False)]
FEW = 30


@check(
    "robustness.detection",
    title="Can attacks be detected?",
    measures=("auroc", "auroc_fall"),
    source="Carlini & Wagner 2017, arXiv:1705.07263; Xu et al. 2018, arXiv:1704.01155",
)
def detection(
    ctx: Context,
    *,
    norm: Literal["linf", "l2"] = "linf",
    epsilons: tuple[Epsilon, ...] = (),
    samples: int = sizes(8, 48, 128),
    steps: Annotated[int, Field(ge=2, le=10_000)] = sizes(10, 40, 100),
    reference_rows: int = sizes(64, 1000, 5000),
    largest_input: int = sizes(50_000, 0, 0),
) -> Result:
    """Whether three published detectors tell adversarial inputs from others, also when the attack knows of them.

    What it measures: `auroc`, how often a row scores higher than another's adversarial version (1: always, 0.5: chance,
    below: adversarial ones look more like the data than the data), over those of at most `samples` rows (0: all) that
    the model has right and that break at the first of `epsilons` (of `norm`, linf or l2) which breaks nine in ten of
    them. `unaware`: small changes found by the attacks of `robustness.curve`, `steps` gradient steps each. `surest`:
    gradient ascent on the margin alone, as far as the same epsilon goes, which knows of no detector either. `aware`:
    gradient ascent on the margin plus a weight times the detector's score, four rounds of `steps`, the weight of each
    row found by a search; only inputs that still break the model count. `noise`: random changes as large as those of
    `unaware`. `auroc_fall` is `unaware` less `aware`; above 0.2 a detector is called
    bypassable, or where the interval holds 0 undecided.

    The detectors: `squeezing`, how far the softmax moves when the input is rounded to 4 or 5 bits or, of pictures, each
    pixel becomes the median of 2 x 2 (the largest L1 distance); `mahalanobis` (Lee et al. 2018, arXiv:1807.03888), the
    distance of the last vector to the nearest class mean; `lid` (Ma et al. 2018, arXiv:1801.02613), the dimension
    around it by its 20 nearest of 100 rows. The last two are fitted on at most `reference_rows` (0: all) of the
    reference data; without such, on one half of the audited rows. Inputs of more than `largest_input` numbers are left
    alone (0: none are): an attack that knows three detectors takes minutes there.

    How to read it: the figure to go by is `aware`, since nobody who attacks in earnest leaves a detector alone. One
    that scores as high against `noise` finds changes, not attacks.

    When it misleads: an attack that failed does not make a detector strong: a better one may bypass it, and so may
    larger changes, since one that only just breaks a row has nothing left to bypass with. Only the last vector is
    looked at, where the papers use many layers.
    """
    ctx.need_classes()
    model = ctx.need_model()
    _need_attackable(ctx, model, largest_input)
    ladder = ladder_of(ctx, model, norm, epsilons)
    rows = _right(ctx, samples, reference_rows)
    seen = search_view(ctx, model, rows.asked, another_class(model), lambda batch, _: batch.y)
    spent = Spent(norm, steps, ctx.seed, ctx.batch_size)
    broken = broken_rows(seen, rows.asked, ladder, spent)
    ask = asking(seen.model, view_of(seen), broken.x)
    fitted = answers_of(seen.model, rows.fitted, ctx.batch_size, as_it_is, ask)
    known, y = fitted.finite, torch.from_numpy(rows.fitted.y)
    within = range_of(model, rows.asked, ctx.batch_size)
    asked, left_out = detectors(ask, fitted.at(known), y[known], within)
    at = at_size(norm, broken.epsilon)
    measures, table, said = figures([scored(seen, d, broken, spent) for d in asked], at)
    few = [f"{len(broken.y)} of {broken.tried} rows break within {at}: areas of so few are vague."]
    caveats = (*of_rejection(model), *said, *_sight(seen), *left_out, *rows.said, *(few if len(broken.y) < FEW else []))
    about_sizes = (*held_columns(ctx, model), *doubts_of_size(ctx, model, norm, ladder))
    return Result(measures, (table,), (), (*caveats, *about_sizes))


def _need_attackable(ctx: Context, model: Model, largest_input: int) -> None:
    if ctx.is_text:
        msg = "the inputs are texts; the detectors and what bypasses them go by gradients of numbers"
        raise NotApplicable(msg)
    if not bool(torch.as_tensor(model.unit).any()):
        msg = "no column is a number that may change by any amount and either way, which is what attacks change"
        raise NotApplicable(msg)
    if 0 < largest_input < (size := math.prod(ctx.data.shape)):
        msg = (
            f"an input has {size:,} numbers, of which attacks that know a detector take minutes; give "
            "`largest_input = 0` for that, or another profile"
        )
        raise NotApplicable(msg)


def _right(ctx: Context, samples: int, reference_rows: int) -> Split:
    right = np.flatnonzero(ctx.right)
    if not len(right):
        msg = f"none of {len(ctx.data):,} rows is right as it is: there is nothing to break"
        raise NotApplicable(msg)
    return split(ctx, right, samples, reference_rows)


def _sight(seen: Seen) -> list[str]:
    said = of_sight(seen)
    if seen.still_blind > MOST_BLIND or not seen.searches:
        said.append(
            "The model's gradients are hidden even so: an attack that knows the detector is blind here, and figures of "
            "`aware` may be far too high."
        )
    return said
