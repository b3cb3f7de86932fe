"""Expected gradients (Erion et al. 2021, arXiv:1906.10670): integrated gradients over many baselines, by chance."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from auditor.explain.entries import Entry
from auditor.explain.integrated import completeness
from auditor.explain.paths import Entered, each, packed, standard_error
from auditor.subject import Model

__all__ = ["Expected", "expected_gradients"]


@dataclass(frozen=True)
class Expected:
    """Shares of f(x) less the mean of f over the reference, for each of N samples.

    `shares`, `logit`, `gain` and `completeness_error` are as those of `Integrated`. `standard_error` (N,) is that of
    the shares, as the size of all together over the size of the shares: sqrt(sum of squares) of both; 0 where chance
    plays no part, NaN where all shares are 0.
    """

    shares: Tensor
    logit: Tensor
    gain: Tensor
    completeness_error: Tensor
    standard_error: Tensor


def expected_gradients(
    model: Model, x: Tensor, target: Tensor, reference: Tensor, *, draws: int, seed: int, rows: int = 16
) -> Expected:
    """The mean over `draws` of (x - x') times the gradient at x' + a (x - x'), for inputs (N, ...).

    Each draw is a row x' of `reference` (R, ...), all before any comes again, and a point `a` of its own: one in each
    of `draws` equal parts of [0, 1]. They are the same for every sample. A sample's tokens start at those that stand at
    their places in x', which begins again where it is shorter. The rest is as for `integrated_gradients`.
    """
    size = model.batch or rows
    chosen, alpha = _drawn(len(reference), draws, seed)
    drawn, point = chosen.unique(return_inverse=True)
    starts = _references(model, reference[drawn], size)
    parts = [
        _of_rows(model, Entered.of(model, part, wanted), starts, point, alpha, size)
        for part, wanted in zip(x.split(size), target.split(size), strict=True)
    ]
    return Expected(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Expected)))


def _drawn(rows: int, draws: int, seed: int) -> tuple[Tensor, Tensor]:
    """The reference row of each draw, and its point of the way."""
    chance = np.random.default_rng(seed)
    chosen = np.concatenate([chance.permutation(rows) for _ in range(-(-draws // rows))])[:draws]
    alpha = (chance.permutation(draws) + chance.random(draws)) / draws
    return torch.from_numpy(chosen), torch.from_numpy(alpha).float()


@dataclass(frozen=True)
class _References:
    """For each entry what each row holds there: its values, of texts those (L, D) of the tokens it has.

    `logits` (rows, C) are the rows' own; None where a sample starts elsewhere, as where its tokens keep their places.
    """

    held: list[list[Tensor]]
    logits: Tensor | None


def _references(model: Model, rows: Tensor, size: int) -> _References:
    found: list[list[Tensor]] = []
    logits: list[Tensor] = []
    for part in rows.split(size):
        entered = Entered.of(model, part, torch.zeros(len(part)).long())
        held = [_held(*of) for of in zip(entered.known, entered.values, entered.free, strict=True)]
        found = [a + b for a, b in zip(found, held, strict=True)] if found else held
        if all(e.place is None for e in entered.known) and all(bool(free.all()) for free in entered.free):
            with torch.no_grad():
                logits.append(model(part.clone()).cpu().reshape(len(part), -1))  # some models write into their input
    return _References(found, torch.cat(logits) if sum(map(len, logits)) == len(rows) else None)


def _held(entry: Entry, values: Tensor, free: Tensor) -> list[Tensor]:
    if not _is_of_tokens(entry):
        return list(values)
    assert entry.place is not None  # noqa: S101 - see above
    present = free.reshape(entry.place.shape).flatten(1)
    rows = zip(values.flatten(1, entry.place.ndim - 1), present, strict=True)
    return [v[there] if bool(there.any()) else v for v, there in rows]


def _is_of_tokens(entry: Entry) -> bool:
    """Whether a sample holds several elements of the input there, of which it may have fewer than others."""
    return entry.place is not None and entry.place.ndim > 1


def _at_draws(entry: Entry, held: list[Tensor], point: Tensor) -> Tensor:
    """(M, ...) what the reference of each draw in `point` (M,) holds, as long as the entry's samples are."""
    rows = [held[i] for i in point.tolist()]
    if _is_of_tokens(entry):
        assert entry.place is not None  # noqa: S101 - see above
        places, shape = torch.arange(entry.place[0].numel()), entry.values.shape[1:]
        rows = [row[places % len(row)].view(shape) for row in rows]
    return torch.stack(rows)


def _of_rows(
    model: Model, whole: Entered, references: _References, point: Tensor, alpha: Tensor, size: int
) -> Expected:
    n, draws = len(whole.x), len(alpha)
    logit = whole.logits(model, whole.values)
    base = torch.zeros(n, dtype=torch.double)
    shapes = [v.shape for v in whole.folded(whole.values)]
    sums, squares = ([torch.zeros(shape) for shape in shapes] for _ in range(2))
    for sample, draw in packed(n, draws, size):
        some = whole.at(sample)
        own = point[draw]
        starts = some.moved([_at_draws(e, h, own) for e, h in zip(whole.known, references.held, strict=True)])
        known = references.logits
        logits = some.logits(model, starts) if known is None else known[own, some.target]
        base.index_add_(0, sample, logits.double())
        values = [torch.lerp(s, e, each(alpha[draw], s)) for s, e in zip(starts, some.values, strict=True)]
        found = zip(starts, some.values, some.gradients(model, values), strict=True)
        for total, square, part in zip(sums, squares, whole.folded([(e - s) * g for s, e, g in found]), strict=True):
            total.index_add_(0, sample, part)
            square.index_add_(0, sample, part * part)
    shares = whole.shares([t / draws for t in sums])
    gain = logit - (base / draws).float()
    error = standard_error(whole, sums, squares, draws)
    return Expected(shares, logit, gain, completeness(shares, logit, gain), error)
