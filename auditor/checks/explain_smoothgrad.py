"""explain.smoothgrad: input x gradient averaged over noise, and how far the noise moved it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from auditor.errors import NotApplicable
from auditor.explain.entries import enterable, entries
from auditor.explain.followed import how_followed
from auditor.explain.paths import at_once
from auditor.explain.smoothgrad import input_times_gradient, smoothgrad
from auditor.explained.samples import Sample, explained_samples, is_image, need_explainable
from auditor.explained.shared_pass import shared_gradients
from auditor.explained.shown import parts_of, shown
from auditor.registry import Context, check, sizes
from auditor.stats import mean_correlation, mean_size, rank_correlation
from auditor.subject import Model
from auditor.types import Image, Measure, Result, Table

ROUGH = 0.5


@check(
    "explain.smoothgrad",
    title="SmoothGrad",
    measures=("noise_error", "smoothing_correlation"),
    source="Smilkov et al. 2017, arXiv:1706.03825",
)
def explain_smoothgrad(
    ctx: Context,
    *,
    samples: int = sizes(2, 8, 64),
    noise: Annotated[float, Field(gt=0, le=1)] = 0.15,
    draws: Annotated[int, Field(ge=2, le=100_000)] = sizes(10, 25, 100),
) -> Result:
    """Input times gradient, averaged over noisy copies of the input, beside the same without noise.

    What it measures: for `samples` rows (0: all) the gradient of the predicted class's logit (or of the value of a
    model without classes), averaged over `draws` of Gaussian noise, times the input: signed shares of pixels, columns
    or tokens, for tokens by their embeddings. The deviation of the noise is `noise` times what an element ranges over:
    the bounds of pixels, a column's standard deviation (categories and flags have none), the size of a token's
    embedding. `smoothing_correlation` is Spearman's rank correlation with plain input x gradient, by words, columns or
    at most 14 by 14 cells of an image: 1 is the same order; None where all are equal. `noise_error` is the standard
    error of the shares over their size: 0 is exact; it falls with the root of `draws`.

    How to read it: orange speaks for the class, blue against it. Where the correlation is low, the plain gradient is
    that of small bends of the model around the row; trust neither before LRP or integrated gradients agree.

    When it misleads: shares do not add up to anything. A black pixel, a column at 0, gets nothing, whatever its
    gradient: the paper's own maps are of the gradient's size alone, and are kept as `sensitivity`. Where the model is
    saturated, gradients vanish; a caveat says so.
    """
    need_explainable(ctx)
    rows = explained_samples(ctx, samples)
    x, target = torch.stack([s.x for s in rows]), torch.tensor([s.predicted for s in rows])
    model, size = enterable(ctx.need_model(), x), at_once(x)
    plain = _plain(ctx, model, rows, x, target, size)
    found = smoothgrad(
        model, x, target, noise=noise, span=_span(ctx, model), draws=draws, seed=ctx.seed, rows=size
    )  # fmt: skip
    if not bool(plain.any()) and not bool(found.shares.any()):
        msg = "the gradient times the input is 0 in every row: the model is saturated, constant, or flat there"
        raise NotApplicable(msg)
    pairs = zip(rows, plain, found.shares, strict=True)
    same = [rank_correlation(parts_of(ctx, s, a), parts_of(ctx, s, b)) for s, a, b in pairs]
    errors = [None if e != e else e for e in found.standard_error.tolist()]  # noqa: PLR0124 - NaN
    measures = _measures(mean_correlation, "smoothing_correlation", rows, same)
    measures += _measures(mean_size, "noise_error", rows, errors)
    ctx.keep("sensitivity", (found.sensitivity.amax(1) if is_image(ctx) else found.sensitivity).numpy())
    words = [f"SmoothGrad x input for {s.answer}" for s in rows]
    tables, images = shown(ctx, rows, found.shares, "SmoothGrad x input", words)
    more, beside = _beside(ctx, rows, plain)
    caveats = [*_caveats(plain, found.shares, errors), *(how_followed(model) if model is not ctx.model else ())]
    return Result(tuple(measures), (*tables, *more), (*images, *beside), tuple(caveats))


def _plain(ctx: Context, model: Model, rows: Sequence[Sample], x: Tensor, target: Tensor, at_once: int) -> Tensor:
    """Input x gradient; of modules that are given floats alone from the pass that other checks have made too."""
    own = x.is_floating_point() and len(entries(model, x[: model.batch or 1])) == 1
    if own and not how_followed(model):
        return x * shared_gradients(ctx, rows)[1]
    return input_times_gradient(model, x, target, rows=at_once)


def _span(ctx: Context, model: Model) -> Tensor | float:
    """What an input element ranges over: between its bounds, a column's standard deviation."""
    if not is_image(ctx):
        return model.unit
    low, high = (torch.as_tensor(b, dtype=torch.float32) for b in model.bounds)
    return high - low


def _measures(
    mean: Callable[..., Measure], name: str, rows: Sequence[Sample], values: Sequence[float | None]
) -> list[Measure]:
    whole = mean(name, [v for v in values if v is not None])
    return [whole, *(Measure(name, f"row={s.row}", v, 1) for s, v in zip(rows, values, strict=True))]


def _beside(ctx: Context, rows: Sequence[Sample], plain: Tensor) -> tuple[list[Table], list[Image]]:
    """The same without noise."""
    if not is_image(ctx):
        return shown(ctx, rows, plain, "input x gradient", ())
    images = []
    for s, own in zip(rows, plain, strict=True):
        name = ctx.keep(f"plain-row-{s.row}", own.sum(0).numpy())
        images.append(Image(s.title, name, "map", f"Input x gradient for {s.answer}, without noise"))
    return [], images


def _caveats(plain: Tensor, smooth: Tensor, errors: Sequence[float | None]) -> list[str]:
    caveats, n = [], len(plain)
    empty, still = (int((~shares.flatten(1).any(1)).sum()) for shares in (plain, smooth))
    if empty:
        caveats.append(
            f"In {empty} of {n} rows the gradient is 0 without noise ({still} with it): the model is saturated or flat "
            "there, and a map of zeros says nothing."
        )
    rough = sum(e is not None and e > ROUGH for e in errors)
    if rough:
        caveats.append(
            f"In {rough} of {n} rows the standard error is above half the size of the shares: raise `draws`."
        )
    return caveats
