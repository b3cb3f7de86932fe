"""robustness.ood: whether inputs that have nothing to do with the data can be told from those that have."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from auditor.attacks.handles import tolerant
from auditor.errors import NotApplicable
from auditor.outliers.apart import Asked, figures, told_apart
from auditor.outliers.features import Answers, answers_of
from auditor.outliers.foreign import FOREIGN, range_of
from auditor.outliers.rows import split
from auditor.registry import Context, check, sizes
from auditor.subject import Data, Model, as_it_is
from auditor.types import Result


@check(
    "robustness.ood",
    title="Inputs it was not made for",
    measures=("auroc", "fpr95"),
    source="Hendrycks & Gimpel 2017, arXiv:1610.02136; Sun et al. 2022, arXiv:2204.06507",
)
def ood(
    ctx: Context,
    *,
    samples: int = sizes(16, 200, 1000),
    reference_rows: int = sizes(64, 1000, 5000),
    neighbours: Annotated[int, Field(ge=1, le=1000)] = 10,
) -> Result:
    """Whether four usual scores tell inputs that the model was not made for from rows of the data.

    What it measures: `auroc`, how often a row of the data scores higher than a foreign one (1: always, 0.5: chance,
    below: the wrong way round), and `fpr95`, how many foreign ones pass where 95 % of the data's rows must. `samples`
    rows (0: all) are asked about, and as many foreign ones of each kind made of them: uniform noise inside the bounds,
    shuffled (the pixels of each picture; of vectors each column over the rows), and constant (pictures of one grey).
    `held-out` are rows of the commonest class, left out of what the scores are fitted on and of the data's rows.

    The scores: `softmax`, the largest probability; `energy`, the logarithm of the sum of the exponents of the logits
    (Liu et al. 2020, arXiv:2010.03759); `mahalanobis`, the distance of the last vector before the outputs to the
    nearest class mean, with a shared covariance and a hundredth of its mean variance added (Lee et al. 2018,
    arXiv:1807.03888); `knn`, its distance to the `neighbours`-th nearest row, at length 1. The last two are fitted on
    at most `reference_rows` (0: all) of the reference data; without such, on one half of the audited rows.

    How to read it: noise, shuffled and constant inputs are far from any data: a score that does not tell these tells
    little. An area below 0.5 says that the model is surer there than on its data.

    When it misleads: foreign inputs that somebody meets look more like the data than these, so that the figures are
    those of an easy case. The class that is held out was known to the model in training: near the data, and not new to
    the features, it is a hard case and an imperfect one.
    """
    ctx.need_classes()
    model = ctx.need_model()
    if ctx.is_text:
        msg = "the inputs are texts; foreign inputs are made of pixels and numbers"
        raise NotApplicable(msg)
    if not bool(torch.as_tensor(model.unit).any()):
        msg = "no element of the input may take any other value, so that no foreign inputs can be made"
        raise NotApplicable(msg)
    rows = split(ctx, np.arange(len(ctx.data)), samples, reference_rows)
    tried = tolerant(model)
    inside, fitted = (answers_of(tried, d, ctx.batch_size, as_it_is) for d in (rows.asked, rows.fitted))
    y, fitted_y = torch.from_numpy(rows.asked.y), torch.from_numpy(rows.fitted.y)
    foreign = _foreign(ctx, tried, rows.asked)
    asked = Asked(inside, y, fitted, fitted_y, foreign, ctx.classes, model.output == "probabilities")
    measures, tables, said = figures(told_apart(asked, neighbours))
    if model.rejects:
        said = (*said, "The model's class for what it rejects takes part in every score as any other class does.")
    return Result(measures, tables, (), (*rows.said, *said))


def _foreign(ctx: Context, model: Model, data: Data) -> dict[str, Answers]:
    """What the model says of every kind of foreign rows, as many as there are in `data`."""
    random, within = torch.Generator().manual_seed(ctx.seed), range_of(model, data, ctx.batch_size)
    found = {}
    for kind, made in FOREIGN.items():
        found[kind] = answers_of(model, data, ctx.batch_size, partial(made, within=within, random=random))
    return found
