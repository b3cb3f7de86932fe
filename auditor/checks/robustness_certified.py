"""robustness.certified: how much accuracy no change can take, by bounds, beside what attacks leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from auditor.attacked.doubts import held_columns
from auditor.attacked.found import search_view
from auditor.attacked.sandwich import figures
from auditor.attacked.sizes import doubts_of_size, ladder_of
from auditor.attacked.smoothed import certified_by_noise
from auditor.attacks.goals import another_class
from auditor.attacks.strongest import found_by_all
from auditor.certify.margins import Certified, certified
from auditor.errors import NotApplicable
from auditor.explain.followed import followed
from auditor.registry import Context, check, sizes
from auditor.subject import Batch, Model
from auditor.types import Result
from auditor.wrapped.randomised_smoothing import Smoothed

Epsilon = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@check(
    "robustness.certified",
    title="Proved accuracy",
    measures=("attacked_accuracy", "certified_accuracy"),
    source="Gowal et al. 2018, arXiv:1810.12715; Singh et al. 2018 (DeepZ); Cohen et al. 2019, arXiv:1902.02918",
)
def by_bounds(
    ctx: Context,
    *,
    epsilons: tuple[Epsilon, ...] = (),
    samples: int = sizes(8, 32, 128),
    steps: Annotated[int, Field(ge=1, le=10_000)] = sizes(10, 40, 100),
    samples_per_row: Annotated[int, Field(ge=100, le=10_000_000)] = sizes(500, 2000, 20_000),
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.001,
) -> Result:
    """How many rows stand every change up to a size, which bounds prove, beside how many stand the attacks.

    What it measures: `certified_accuracy` of `samples` rows (0: all) at each of `epsilons`, the largest change of an
    element (linf; none given: as in `robustness.curve`): rows that are right, and whose class stays ahead whatever the
    input within epsilon and the bounds is. Every function of the model is bounded in turn, by intervals, and where
    these leave a row open by zonotopes, which know what moves together; margins by the differences of the last layer's
    weights. Bounds are computed in float64, and a lead below 1e-4 of the largest output does not count, as float32 may
    lose it. `attacked_accuracy` is what attacks of `steps` steps leave of the same rows. The truth lies between both.

    Of a model behind randomised smoothing the sizes are lengths of a change (l2), and a row is certified by how often
    the model names its class under at most `samples_per_row` draws of noise, other than those that it answers by: the
    bound of Cohen et al., wrong with a probability of at most `alpha` a row. Draws stop after 100, 200, 400 ... when
    all sizes are settled, `alpha` being shared by the looks. A row that abstains is not certified. An input that breaks
    the model inside a certificate is asked under as many other draws, and counts where these do not speak for the row.

    How to read it: a certified row stands all attacks within epsilon, made or not made yet. A row between both figures
    is open: bounds are loose on networks that were not trained for them, and 0 says nothing against a model.

    When it misleads: outside the audited size, norm and rows nothing is certified. Bounds hold for the function as it
    is written, in real numbers; other hardware rounds otherwise.
    """
    ctx.need_classes()
    model = ctx.need_model()
    _need_bounded(ctx, model)
    if isinstance(model.module, Smoothed):
        lengths = ladder_of(ctx, model, "l2", epsilons)
        return certified_by_noise(
            ctx, model, model.module, ladder=lengths, samples=samples, steps=steps, most=samples_per_row, alpha=alpha
        )
    return _by_relaxation(ctx, model, ladder_of(ctx, model, "linf", epsilons), samples, steps)


def _need_bounded(ctx: Context, model: Model) -> None:
    if ctx.is_text:
        msg = "the inputs are texts; bounds are of numbers"
        raise NotApplicable(msg)
    if not bool(torch.as_tensor(model.unit).any()):
        msg = "no element of the input may change by any amount and either way"
        raise NotApplicable(msg)
    if model.rejects:
        msg = "the model may reject an input; no bounds are known of what it rejects"
        raise NotApplicable(msg)


def _by_relaxation(ctx: Context, model: Model, ladder: Sequence[float], samples: int, steps: int) -> Result:
    """What intervals and zonotopes prove, beside what attacks leave."""
    data = ctx.data.take(samples, ctx.seed)
    found = [_of_batch(model, batch, ladder) for batch in data.batches(ctx.batch_size)]
    index, right = torch.cat([f.index for f, _ in found]), torch.cat([r for _, r in found])
    stands = torch.full_like(index, len(ladder))
    if bool((index > 0).any()):
        seen = search_view(ctx, model, data, another_class(model), lambda batch, _: batch.y)
        left = [found_by_all(seen, b.x, b.y, ladder, steps=steps, seed=ctx.seed).index
                for b in data.batches(ctx.batch_size)]  # fmt: skip
        stands = torch.cat(left)
        _need_agreement(index, stands, ladder)
    attacked = [int((stands > k).sum()) for k in range(len(ladder))] if bool((index > 0).any()) else None
    measures, table = figures("linf", index, right, attacked, ladder)
    standing = [right, *(index > k for k in range(len(ladder)))]
    ctx.keep_scores(data.row_ids, dict(zip(measures, standing, strict=False)))
    return Result(measures, (table,), (), tuple(_caveats(ctx, model, [f for f, _ in found], index, ladder)))


def _of_batch(model: Model, batch: Batch, ladder: Sequence[float]) -> tuple[Certified, Tensor]:
    """How far the rows of one batch stand for certain, and which are right."""
    try:
        shown = followed(model, batch.x)
    except NotApplicable:
        shown = model
    with torch.no_grad():
        right = model(batch.x).argmax(1).cpu() == batch.y
        found = certified(shown, batch.x, batch.y, ladder)
    return Certified(torch.where(right, found.index, 0), found.by_zonotopes), right


def _need_agreement(index: Tensor, stands: Tensor, ladder: Sequence[float]) -> None:
    """What bounds prove no attack may break: else one of both is wrong, and no figure is given."""
    broken = (stands < index).nonzero()[:, 0]
    if len(broken):
        row = int(broken[0])
        msg = (
            f"bounds and attacks contradict each other: {len(broken)} rows are broken where bounds say they stand, one "
            f"at {ladder[int(stands[row])]:.3g}; the model is not what its operators say: it may look at the other rows"
        )
        raise ArithmeticError(msg)


def _caveats(
    ctx: Context, model: Model, found: Sequence[Certified], index: Tensor, ladder: Sequence[float]
) -> list[str]:
    said = []
    if not all(f.by_zonotopes for f in found):
        said.append("The model is too wide for zonotopes: rows are bounded by intervals alone, which are looser.")
    if not bool((index > 0).any()):
        said.append(
            "Bounds prove nothing at any of these sizes: they are too loose for this model, which says nothing of it. "
            "What attacks leave is in robustness.curve."
        )
    return [*said, *held_columns(ctx, model), *doubts_of_size(ctx, model, "linf", ladder)]
