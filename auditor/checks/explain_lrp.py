"""explain.lrp: which inputs moved the class, with a ledger that shows that nothing was lost."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from auditor.explain.followed import how_followed
from auditor.explain.lrp import Relevance, lrp
from auditor.explain.players import per_column
from auditor.registry import Context, check, sizes
from auditor.samples import Sample, bars, explained_samples, heatmap, is_image, need_pictures_or_columns, original
from auditor.stats import mean
from auditor.types import Image, Measure, Result, Table

UNSTABLE = 1e4


@check(
    "explain.lrp",
    title="LRP",
    source="Bach et al. 2015, PLoS ONE 10:e0130140; Montavon et al. 2019, doi:10.1007/978-3-030-28954-6_10",
)
def explain_lrp(
    ctx: Context,
    *,
    samples: int = sizes(4, 16, 64),
    gamma: Annotated[float, Field(ge=0, le=100)] = 1.0,
) -> Result:
    """Which inputs moved the class: shares of its logit for every pixel or column, on any architecture.

    What it measures: for `samples` rows (0: all) the logit of the predicted class, split over the input and over
    every constant of the network (biases, normalisations). `gamma` favours what speaks for a convolution's output; 0
    weighs both sides alike, which on ReLU networks is input x gradient. `ledger_error` is what the split leaves out:
    |sum of all shares - logit| over max(|logit|, 0.01 * sum of |shares|), the largest over the samples; 0 is exact.
    `constant_share` is the part of all |shares| that constants hold, from 0 to 1.

    How to read it: orange speaks for the class, blue against it. A high constant share is no error: it says how much
    of the answer is decided by what the network learned rather than by this input.

    When it misleads: shares are about the logit, not the probability, and other rules give other pictures.
    A program (TorchScript, `.pt2`) is explained with its operators run one by one; a caveat says so. Where its making
    changed the functions (run_decompositions, torch.jit.freeze), the rules are those of what it has now.
    LRP is patented in places; whoever uses it commercially should look up the state of US 2018/0018553 and its family.
    """
    ctx.need_classes()
    model = ctx.need_model()
    need_pictures_or_columns(ctx)
    shown = explained_samples(ctx, samples)
    x, target = torch.stack([s.x for s in shown]), torch.tensor([s.predicted for s in shown])
    found = lrp(model, x, target, gamma=gamma)
    whole = float(found.ledger_error.max())
    measures = [
        Measure("ledger_error", "", whole, len(shown), better="lower"),
        mean("constant_share", found.constant_share.tolist()),
    ]
    for s, error in zip(shown, found.ledger_error.tolist(), strict=True):
        measures.append(Measure("ledger_error", f"row={s.row}", error, 1, better="lower"))
    tables, images = _shown(ctx, shown, found)
    return Result(tuple(measures), tuple(tables), tuple(images), (*how_followed(model), *_caveats(found)))


def _shown(ctx: Context, shown: list[Sample], found: Relevance) -> tuple[list[Table], list[Image]]:
    if not is_image(ctx):
        merged = per_column(found.shares, ctx.columns)
        return [bars(s, ctx.columns, m.tolist(), "relevance") for s, m in zip(shown, merged, strict=True)], []
    images = []
    for s, shares, error in zip(shown, found.shares, found.ledger_error.tolist(), strict=True):
        words = f"LRP for {ctx.classes[s.predicted]}, ledger error {error:.1e}"
        images += [original(ctx, s), heatmap(ctx, s, shares.sum(0), words)]
    return [], images


def _caveats(found: Relevance) -> list[str]:
    caveats = []
    if found.unknown:
        caveats.append(
            f"No rule is known for {', '.join(found.unknown)}: what passes through them is not accounted for."
        )
    largest = found.shares.flatten(1).abs().amax(1) / found.logit.abs().clamp_min(1e-6)
    if float(largest.max()) > UNSTABLE:
        caveats.append(
            f"Single shares reach {float(largest.max()):.0e} times the logit: they cancel; single pixels say little."
        )
    return caveats
