"""explain.lrp: which inputs moved the class, with a ledger that shows that nothing was lost."""

from __future__ import annotations

import torch

from auditor.explain.composites import Attention, Named, with_attention
from auditor.explain.followed import how_followed
from auditor.explain.lrp import Relevance, lrp
from auditor.explained.samples import explained_samples, need_explainable
from auditor.explained.shown import shown
from auditor.registry import Context, check, sizes
from auditor.stats import mean_share
from auditor.types import Measure, Result, Table

UNSTABLE = 1e4
AT_ONCE = 16  # at once: what a forward pass keeps for its backward pass grows with it


@check(
    "explain.lrp",
    title="LRP",
    measures=("constant_share", "ledger_error"),
    source="Bach et al. 2015, PLoS ONE 10:e0130140; Montavon et al. 2019, doi:10.1007/978-3-030-28954-6_10; Achtibat "
    "et al. 2024, arXiv:2402.05602",
)
def explain_lrp(
    ctx: Context,
    *,
    samples: int = sizes(4, 16, 64),
    composite: Named = "epsilon_gamma",
    attention: Attention = "values",
) -> Result:
    """Which inputs moved the class: shares of its logit for every pixel, column or word, on any architecture.

    What it measures: for `samples` rows (0: all) the logit of the predicted class, or the value of a model without
    classes, split over the input and over every constant of the network (biases, normalisations). `composite` names the
    rules by kind of layer: `epsilon` is LRP-0 everywhere, which on ReLU networks is input x gradient; `epsilon_gamma`
    favours, in convolutions, what speaks for an output; `epsilon_plus` lets only that count; `epsilon_alpha2_beta1`
    weighs it against the rest; `_flat` and `_box` give the first convolution a rule of its own, by which black pixels
    get a share too. `attention` says where relevance goes in attention: along the `values`, or by `attnlrp` half to the
    weights too. `ledger_error` is what the split leaves out: |sum of all shares - logit| over max(|logit|, 0.01 * sum
    of |shares|), the largest over the samples; 0 is exact. `constant_share` is the part of all |shares| that constants
    hold, from 0 to 1. The table of layers says how much of the logit reaches each layer's output, and how much its
    constants keep.

    How to read it: orange speaks for the class, blue against it. A high constant share is no error: it says how much
    of the answer is decided by what the network learned rather than by this input.

    When it misleads: shares are about the logit, not the probability, and other rules give other pictures. Where a
    layer passes on many times the logit, shares cancel, and single ones say little; a caveat says so.
    A program (TorchScript, `.pt2`) is explained with its operators run one by one; a caveat says so. Where its making
    changed the functions (run_decompositions, torch.jit.freeze), the rules are those of what it has now.
    LRP is patented in places; whoever uses it commercially should look up the state of US 2018/0018553 and its family.
    """
    model = ctx.need_model()
    need_explainable(ctx)
    rows = explained_samples(ctx, samples)
    x, target = torch.stack([s.x for s in rows]), torch.tensor([s.predicted for s in rows])
    found = lrp(model, x, target, composite=with_attention(composite, attention), rows=AT_ONCE)
    errors = found.ledger_error.tolist()
    measures = [
        Measure("ledger_error", "", max(errors), len(rows), better="lower"),
        mean_share("constant_share", found.constant_share.tolist()),
    ]
    for s, error in zip(rows, errors, strict=True):
        measures.append(Measure("ledger_error", f"row={s.row}", error, 1, better="lower"))
    words = [f"LRP for {s.answer}, ledger error {e:.1e}" for s, e in zip(rows, errors, strict=True)]
    tables, images = shown(ctx, rows, found.shares, "relevance", words)
    caveats = (*how_followed(model), *_caveats(found))
    return Result(tuple(measures), (*tables, *_layers(found)), tuple(images), caveats)


def _layers(found: Relevance) -> tuple[Table, ...]:
    """What reaches each layer and what stays there, in parts of the logit: the middle one of the samples."""
    logit = found.logit.abs().clamp_min(1e-12)
    rows = []
    for name, flow in found.flows.items():
        reached = None if flow.relevance is None else float((flow.relevance / logit).median())
        rows.append((name, reached, float((flow.absorbed / logit).median())))
    columns = ("layer", "reaches its output", "kept by its constants")
    return (Table("Where the logit goes, from the output to the input, in parts of it", columns, tuple(rows)),)[
        : len(rows)
    ]


def _caveats(found: Relevance) -> list[str]:
    caveats = []
    if found.unknown:
        caveats.append(
            f"No rule is known for {', '.join(found.unknown)}: what passes through them is not accounted for."
        )
    empty = int((~found.shares.flatten(1).any(1)).sum())
    if empty:
        caveats.append(
            f"In {empty} of {len(found.shares)} rows all shares are 0: constants decide the logit, and the input has "
            "no part in it."
        )
    largest = found.peak() / found.logit.abs().clamp_min(1e-6)
    if float(largest.max()) > UNSTABLE:
        caveats.append(
            f"Relevance reaches {float(largest.max()):.0e} times the logit on its way: it cancels, and single shares "
            "say little; a composite with a larger epsilon or gamma holds it down."
        )
    return caveats
