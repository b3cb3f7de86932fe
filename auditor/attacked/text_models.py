"""The audited model as attacks on texts ask it: what reads a text, its embeddings and the gradients to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from auditor.attacks.handles import tolerant
from auditor.attacks.text_model import TextModel
from auditor.errors import NotApplicable
from auditor.explain.entries import Entry, enterable, entries, gradients_at
from auditor.explain.passes import is_half
from auditor.subject import Model
from auditor.words import Vocabulary

__all__ = ["text_model"]

Embedded = Callable[[Tensor], Tensor]


def text_model(model: Model, vocabulary: Vocabulary, x: Tensor, rows: int) -> TextModel:
    """`model` as it answers texts, `rows` at once, with the embedding and gradients that the ids `x` (1, T) lead to.

    A model without gradients has its embedding alone, and one whose embedding is not found has neither.
    """
    found = TextModel(tolerant(model), vocabulary.ids, rows)
    last = max(vocabulary.words(), default=0)
    probe = torch.where(x < 0, x, last)  # the largest id: a tokenizer may have more than the model
    for way in (_shown, _looked_up):
        try:
            if way(model, probe).ndim == 3:
                found = replace(found, embedded=partial(_in_rows, partial(way, model), x.shape[1], rows))
                break
        except NotApplicable:
            continue
    if found.embedded is None:
        return found
    try:
        _slopes(model, x, torch.zeros(1, dtype=torch.long))
    except NotApplicable:
        return found
    return replace(found, slopes=partial(_slopes, model))


def _in_rows(way: Embedded, length: int, rows: int, ids: Tensor) -> Tensor:
    """The embeddings (..., D) of token ids of any shape, in `rows` of at most `length` at once."""
    flat = ids.flatten()
    parts = []
    for part in flat.split(length * rows):
        filled = torch.cat([part, part.new_full((-len(part) % length,), -1)])
        values = way(filled.view(-1, length))
        parts.append(values.reshape(len(filled), -1)[: len(part)])
    return torch.cat(parts).view(*ids.shape, -1)


def _shown(model: Model, ids: Tensor) -> Tensor:
    """Embeddings (N, T, D) by the model's own word."""
    try:
        with torch.no_grad():
            return model.embed(ids).float().cpu()
    except (NotImplementedError, IndexError):
        msg = "the model shows no embedding of its tokens"
        raise NotApplicable(msg) from None


def _looked_up(model: Model, ids: Tensor) -> Tensor:
    """Embeddings (N, T, D) as the model looks them up in a forward pass."""
    try:
        known = entries(enterable(model, ids), ids)
        return _placed(ids, known, [e.values.float().cpu() for e in known])
    except IndexError:
        msg = "the model has no embedding of some tokens"
        raise NotApplicable(msg) from None


def _slopes(model: Model, ids: Tensor, y: Tensor) -> Tensor:
    """The gradients (N, T, D) of the margin of the nearest other class over `y` (N,) to the tokens' embeddings."""
    net = enterable(model, ids)
    known = entries(net, ids)
    values = [e.values.float() for e in known]
    with torch.no_grad():
        rival = net(ids).cpu().scatter(1, y[:, None], -torch.inf).argmax(1)
    half = is_half(net, values)
    up, down = (gradients_at(net, ids, target, known, values, half=half)[1] for target in (rival, y))
    return _placed(ids, known, [u - d for u, d in zip(up, down, strict=True)])


def _placed(ids: Tensor, known: Sequence[Entry], values: Sequence[Tensor]) -> Tensor:
    """(N, T, D) what the entries hold for each token, 0 where they hold nothing.

    Recurrent networks may look up a column of tokens at a time. Where several tables hold a token, the first counts.
    """
    found, left = torch.zeros(ids.numel(), values[0].shape[-1]), torch.ones(ids.numel(), dtype=torch.bool)
    for entry, value in zip(known, values, strict=True):
        assert entry.place is not None  # noqa: S101 - ids are whole numbers, which enter by an embedding
        there = (entry.place >= 0) & left[entry.place.clamp_min(0)]
        if value.shape == (*entry.place.shape, found.shape[1]):
            found[entry.place[there]] = value[there]
            left[entry.place[there]] = False
    return found.view(*ids.shape, -1) * (ids >= 0)[..., None]
