"""Integrated gradients of the explained rows from every baseline, and how far their orders agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from auditor.errors import NotApplicable
from auditor.explain.baselines import Baseline, image_baselines, table_baselines, text_baselines
from auditor.explain.expected import expected_gradients
from auditor.explain.integrated import STEPS, TOLERANCE, integrated_gradients
from auditor.explain.paths import at_once
from auditor.explained.samples import Sample, is_image
from auditor.explained.shown import parts_of
from auditor.registry import Context
from auditor.stats import rank_correlation
from auditor.subject import Data, Model

__all__ = ["Way", "agreements", "baselines_of", "usual", "ways"]

BACKGROUND, PICTURES = 256, 64  # rows, or images, that means and medians are made of
COMPARED = STEPS[:1]  # for baselines beside the main one: the order of shares needs no more
USUAL = ("black", "mean")  # of images, of others: where tokens have no places added, normalisation leaps at zero


@dataclass(frozen=True)
class Way:
    """The shares (N, ...) of N rows from one baseline, which is `words`.

    `error` (N,) are the completeness errors, NaN where there is nothing to share; `steps` (N,) the points of each path.
    `spread` (N,) are the standard errors of expected gradients, None of others.
    """

    name: str
    words: str
    shares: Tensor
    error: Tensor
    steps: Tensor
    spread: Tensor | None = None

    @property
    def errors(self) -> list[float | None]:
        """The completeness errors; None where there is nothing to share."""
        return [None if math.isnan(e) else e for e in self.error.tolist()]

    @property
    def unresolved(self) -> int:
        """In how many rows the error is above .01."""
        return int((self.error > TOLERANCE).sum())


def ways(ctx: Context, model: Model, rows: Sequence[Sample], wanted: str, draws: int, most: int) -> list[Way]:
    """The ways from each baseline, the one called `wanted` first; "usual" is that of the kind of input.
    The main one has at most `most` steps.

    NotApplicable for a name that these inputs have no baseline of, and as `integrated_gradients` says.
    """
    x, target = torch.stack([s.x for s in rows]), torch.tensor([s.predicted for s in rows])
    source = ctx.reference or ctx.data
    called = "the reference data" if ctx.reference is not None else "the audited data, as no reference was given"
    baselines = baselines_of(ctx, model, source.take(PICTURES if is_image(ctx) else BACKGROUND, ctx.seed), called)
    names = (*(b.name for b in baselines), "expected")
    main = usual(ctx) if wanted == "usual" else wanted
    if main not in names:
        msg = f"there is no baseline {main!r} for these inputs; expected one of: {', '.join(names)}"
        raise NotApplicable(msg)
    size = at_once(x)
    found = []
    for b in baselines:
        steps = [n for n in STEPS if n <= most] if b.name == main else COMPARED
        f = integrated_gradients(model, x, target, b.start, rows=size, steps=steps)
        found.append(Way(b.name, b.words, f.shares, f.completeness_error, f.steps))
    drawn = source.take(draws, ctx.seed)
    e = expected_gradients(model, x, target, _whole(drawn), draws=draws, seed=ctx.seed, rows=size)
    words = f"{draws:,} points on the ways from {len(drawn):,} rows of {called}"
    steps_taken = torch.full((len(x),), draws)
    found.append(Way("expected", words, e.shares, e.completeness_error, steps_taken, e.standard_error))
    return sorted(found, key=lambda way: way.name != main)


def agreements(
    ctx: Context, rows: Sequence[Sample], found: Sequence[Way]
) -> Mapping[tuple[str, str], list[float | None]]:
    """For each two ways the rank correlation of their shares in every row; see `parts_of`. None where one is even."""
    parts = {w.name: [parts_of(ctx, s, own) for s, own in zip(rows, w.shares, strict=True)] for w in found}
    return {
        (a.name, b.name): [rank_correlation(p, q) for p, q in zip(parts[a.name], parts[b.name], strict=True)]
        for a, b in combinations(found, 2)
    }


def usual(ctx: Context) -> str:
    """The name of the baseline that is taken where none is named."""
    return USUAL[not is_image(ctx)]


def baselines_of(ctx: Context, model: Model, data: Data, called: str) -> tuple[Baseline, ...]:
    """The baselines of the audit's kind of input, made of `data`, which is `called` so in words."""
    batches = (b.x for b in data.batches(ctx.batch_size))
    if is_image(ctx):
        return image_baselines(model, batches, called)
    return (
        text_baselines(model, batches, called)
        if ctx.is_text
        else table_baselines(model, _whole(data), ctx.columns, called)
    )


def _whole(data: Data) -> Tensor:
    return data.read(np.arange(len(data)))
