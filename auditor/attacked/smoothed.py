"""A smoothed model between its certificates, which are drawn, and the attacks on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from auditor.attacked.doubts import held_columns
from auditor.attacked.found import search_view
from auditor.attacked.sandwich import figures
from auditor.attacked.sizes import doubts_of_size
from auditor.attacks.curve import Frontiers
from auditor.attacks.goals import another_class
from auditor.attacks.strongest import found_by_all
from auditor.certify.smoothed import Sampling, at_most, certified_by_draws, hits_at
from auditor.registry import Context
from auditor.subject import Batch, Data, Model
from auditor.types import Result
from auditor.wrapped.randomised_smoothing import SLOPES, Smoothed

__all__ = ["certified_by_noise"]

CHANCE = 1e-3  # below it, so many wrong certificates are no chance


@dataclass(frozen=True)
class Rows:
    """What draws and attacks say of N rows.

    `index` (N,) and `stands` (N,) are numbers of sizes, `right` (N,) rows whose own class leads, `drawn` (N,) draws
    spent; `certificates` rows have one, of which an attack disproves `lost`, and of `open` the model's answer fails it
    by its few draws alone.
    """

    index: Tensor
    stands: Tensor
    right: Tensor
    drawn: Tensor
    certificates: int
    lost: int
    open: int


def certified_by_noise(
    ctx: Context, model: Model, smoothed: Smoothed, *, ladder: Sequence[float], samples: int, steps: int, most: int,
    alpha: float,
) -> Result:  # fmt: skip
    """The result of `robustness.certified` for a smoothed model: L2, by draws; see the check.

    ArithmeticError where attacks disprove more certificates than chance allows.
    """
    data = ctx.data.take(samples, ctx.seed)
    how = Sampling(most, alpha, ctx.seed, ctx.batch_size)
    rows = _rows(ctx, model, smoothed, data, ladder, steps, how)
    _need_agreement(rows.lost, rows.certificates, alpha)
    attacked = [int((rows.stands > k).sum()) for k in range(len(ladder))]
    measures, table = figures("l2", rows.index, rows.right, attacked, ladder)
    standing = [rows.right, *(rows.index > k for k in range(len(ladder)))]
    ctx.keep_scores(data.row_ids, dict(zip(measures, standing, strict=False)))
    ctx.keep("draws", rows.drawn.numpy())
    caveats = [*_said(rows, smoothed, how), *held_columns(ctx, model), *doubts_of_size(ctx, model, "l2", ladder)]
    return Result(measures, (table,), (), tuple(caveats))


def _rows(
    ctx: Context, model: Model, smoothed: Smoothed, data: Data, ladder: Sequence[float], steps: int, how: Sampling
) -> Rows:
    seen = search_view(ctx, model, data, another_class(model), lambda batch, _: batch.y)
    parts = []
    for batch in data.batches(max(1, ctx.batch_size // SLOPES)):  # a pass with gradients holds so many times as much
        sure = certified_by_draws(smoothed, batch.x, batch.y, batch.row_ids, ladder, how)
        found = found_by_all(seen, batch.x, batch.y, ladder, norm="l2", steps=steps, seed=how.seed)
        lost, few = _against(smoothed, batch, sure.index, found, how)
        index = torch.where(lost, found.index, sure.index)
        stands = torch.where(few, sure.index, found.index)
        parts.append(
            Rows(index, stands, sure.right, sure.drawn, int((sure.index > 0).sum()), int(lost.sum()), int(few.sum()))
        )
    index, stands, right, drawn = (
        torch.cat([getattr(p, n) for p in parts]) for n in ("index", "stands", "right", "drawn")
    )
    counts = (sum(getattr(p, n) for p in parts) for n in ("certificates", "lost", "open"))
    return Rows(index, stands, right, drawn, *counts)


def _against(smoothed: Smoothed, batch: Batch, index: Tensor, found: Frontiers, how: Sampling) -> tuple[Tensor, Tensor]:
    """(N,) of which rows an attack disproves the certificate, and (N,) which it breaks by the model's few draws alone.

    A certificate speaks of endlessly many draws: an input that breaks the model where it says otherwise is asked anew,
    under other noise.
    """
    lost, few = torch.zeros_like(index, dtype=torch.bool), torch.zeros_like(index, dtype=torch.bool)
    for i in (found.index < index).nonzero()[:, 0].tolist():
        again = torch.Generator().manual_seed(how.seed + 1 + int(batch.row_ids[i]))
        hits = hits_at(smoothed, found.witness[i], int(batch.y[i]), how.most, again, how.rows)
        lost[i] = bool(at_most(np.asarray(hits), how.most, how.alpha) < 0.5)
        few[i] = ~lost[i]
    return lost, few


def _need_agreement(lost: int, certified: int, alpha: float) -> None:
    """Each certificate may be wrong with probability `alpha`; more than that many wrong ones are no chance."""
    from scipy.stats import binom

    if lost and float(binom.sf(lost - 1, certified, alpha)) < CHANCE:
        msg = (
            f"certificates and attacks contradict each other: {lost} of {certified} certificates are disproved, where "
            f"each may be wrong with probability {alpha:g}; the model may look at the other rows, or answer at random"
        )
        raise ArithmeticError(msg)


def _said(rows: Rows, smoothed: Smoothed, how: Sampling) -> list[str]:
    spent, planned = int(rows.drawn.sum()), how.most * len(rows.drawn)
    sure = (
        f"Certificates are drawn: each holds with a confidence of {1 - how.alpha:.4g}, of the model under endlessly "
        f"many draws; the model that was attacked makes {smoothed.draws:,}."
    )
    said = [sure, f"{spent:,} of {planned:,} draws were needed, as rows were left as soon as their answer was clear."]
    if rows.open:
        said.append(
            f"{rows.open} of {len(rows.index)} rows are broken inside their certificate because the model makes only "
            f"{smoothed.draws:,} draws; under {how.most:,} others they stand, and are counted so here. More `draws` "
            "close that gap."
        )
    if rows.lost:
        said.append(f"{rows.lost} certificates were disproved by attacks, as chance allows, and are not counted.")
    return said
