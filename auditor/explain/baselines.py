"""Baselines of integrated gradients: where the path to a sample starts, three by kind of input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.columns import Column
from auditor.explain.entries import Entry, entries
from auditor.explain.integrated import Start
from auditor.feeds import InOrder, Tokens
from auditor.percents import percent
from auditor.subject import Model

__all__ = ["BLUR", "Baseline", "blurred", "image_baselines", "padding", "table_baselines", "text_baselines"]

BLUR = 0.1  # the deviation of the Gaussian, in parts of the shorter side


@dataclass(frozen=True)
class Baseline:
    """A baseline by its name, what it is in words, and what gives its values for samples and their entries."""

    name: str
    words: str
    start: Start


def image_baselines(model: Model, batches: Iterable[Tensor], source: str) -> tuple[Baseline, ...]:
    """Black, the mean image of `batches` (n, C, H, W) of `source`, and the image itself without its detail."""
    low = torch.as_tensor(model.bounds[0], dtype=torch.float32)
    total, count = torch.zeros(()), 0
    for x in batches:
        total, count = total + x.sum(0), count + len(x)
    return (
        Baseline("black", "the lower end of the input's range", _the_same([low])),
        Baseline("mean", f"the mean of {count:,} images of {source}", _the_same([total / count])),
        Baseline("blurred", f"the image under a Gaussian blur of {percent(BLUR)} of its shorter side", _blurred),
    )


def table_baselines(model: Model, rows: Tensor, columns: Sequence[Column], source: str) -> tuple[Baseline, ...]:
    """Zero, and the mean and the median of `rows` (R, F) of `source`; one-hot categories have their shares in both.

    Categories that are embedded have the zero, mean and median embedding.
    """
    known = entries(model, rows)
    mean = [e.values.float().cpu().mean(0) for e in known]
    median = [e.values.float().cpu().median(0).values for e in known]
    for c in columns:
        if c.kind == "category":
            median[0][c.start : c.stop] = mean[0][c.start : c.stop]
    of = f"{len(rows):,} rows of {source}"
    return (
        Baseline("zero", "0 in every element of the input vector", _the_same([torch.zeros(())] * len(known))),
        Baseline("mean", f"the mean of {of}", _the_same(mean)),
        Baseline("median", f"the median of {of}; of a category the shares of its values", _the_same(median)),
    )


def text_baselines(model: Model, batches: Iterable[Tensor], source: str) -> tuple[Baseline, ...]:
    """The zero embedding, the mean embedding of the tokens of `batches` (n, T) of `source`, and that of padding.

    The last is left out where it is not known which token fills short texts, or where its embedding is zero.
    """
    totals: list[Tensor] = []
    count = 0
    for ids in batches:
        of_tokens = [_tokens(e, ids) for e in entries(model, ids)]
        sums = [torch.cat([t.sum(0), t.new_tensor([len(t)])]) for t in of_tokens]
        totals = [a + b for a, b in zip(totals, sums, strict=True)] if totals else sums
        count, one = count + len(ids), ids[:1]
    means = [t[:-1] / t[-1].clamp_min(1) for t in totals]
    words = f"the mean embedding of the tokens of {count:,} texts of {source}"
    found = [
        Baseline("zero", "the embedding 0 in the place of every token", _the_same([torch.zeros(())] * len(means))),
        Baseline("mean", words, _the_same(means)),
    ]
    pad = padding(model)
    if pad is not None:
        filled = torch.full_like(one, pad)
        of_padding = [_tokens(e, filled)[0] for e in entries(model, filled)]
        if any(bool(p.any()) for p in of_padding):
            words = f"the embedding of token {pad}, which fills short texts"
            found.append(Baseline("padding", words, _the_same(of_padding)))
    return tuple(found)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Images (N, C, H, W) under a Gaussian blur of `sigma` pixels; what lies outside the image has no weight."""
    h, w = (_gaussian(n, sigma) for n in x.shape[2:])
    return h @ x @ w.t()


def padding(model: Model) -> int | None:
    """The token that fills short texts; None where the model's feed does not know it."""
    feed = model.feed.feed if isinstance(model.feed, InOrder) else model.feed
    return feed.pad if isinstance(feed, Tokens) else None


def _gaussian(n: int, sigma: float) -> Tensor:
    places = torch.arange(n, dtype=torch.float32)
    weights = torch.exp(-((places[:, None] - places) ** 2) / (2 * sigma**2))
    return weights / weights.sum(1, keepdim=True)


def _blurred(x: Tensor, known: Sequence[Entry]) -> list[Tensor]:
    own = blurred(x.float().cpu(), BLUR * min(x.shape[2:]))
    return [own if e.place is None else e.values for e in known]


def _the_same(values: Sequence[Tensor]) -> Start:
    """For every sample `values`, one an entry."""

    def start(x: Tensor, known: Sequence[Entry]) -> list[Tensor]:
        del x
        return [v.expand(e.values.shape) for v, e in zip(values, known, strict=True)]

    return start


def _tokens(entry: Entry, ids: Tensor) -> Tensor:
    """(tokens, D) the embeddings of all tokens that there are in `ids` (n, T)."""
    assert entry.place is not None  # noqa: S101 - whole numbers have no other entries
    there = (entry.place >= 0) & (ids.flatten()[entry.place.clamp_min(0)] >= 0)
    return entry.values.float().cpu()[there]
