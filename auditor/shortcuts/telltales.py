"""Words that are suspected of deciding a class, and what they do in other texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from auditor.integers import Integers
from auditor.intervals import FEWEST
from auditor.registry import Context
from auditor.shortcuts.relevance import Relevance
from auditor.shortcuts.suspects import MOVED, Counts, Members, Moves, Suspect, others_of
from auditor.stats import mean_share
from auditor.words import Words

__all__ = ["telltales"]

LONGEST = 60  # characters of a word that are shown
TIMES, MOST_DUE = 4.0, 0.5  # of its part of the words; in short texts that would be more than everything
Held = dict[str, tuple[float, float]]


def telltales(ctx: Context, members: Sequence[Members], relevance: Relevance) -> list[Suspect]:
    """The word of each class that holds most of its relevance; none where no word stands in 5 texts of either half.

    Capital and small letters are the same.
    """
    suspects = []
    for m in members:
        seen, measured = (_held(ctx, rows, m.label, relevance) for rows in (m.seen, m.measured))
        word = _strongest(seen, measured)
        if word is not None:
            suspects.append(_suspect(ctx, m, word, measured))
    return suspects


def _held(ctx: Context, rows: Integers, label: int, relevance: Relevance) -> list[Held]:
    """For each text with positive relevance the share that each word holds of it, and its part of the words."""
    found = []
    for i in range(0, len(rows), ctx.batch_size):
        part = rows[i : i + ctx.batch_size]
        for text, own in zip(_words(ctx, part), relevance(part, label).double().clamp_min(0), strict=True):
            total = float(own.sum())
            if text.words and total > 0:
                sums = np.bincount(text.of_token[: len(own)] + 1, own.numpy(), minlength=len(text.words) + 1)[1:]
                found.append(_by_word(text, sums / total))
    return found


def _by_word(text: Words, shares: np.ndarray[Any, np.dtype[np.float64]]) -> Held:
    held: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for word, share in zip(text.words, shares.tolist(), strict=True):
        held[word.casefold()][0] += share
        held[word.casefold()][1] += 1 / len(text.words)
    return {word: (share, part) for word, (share, part) in held.items()}


def _strongest(seen: Sequence[Held], measured: Sequence[Held]) -> str | None:
    """The word that holds most of what was `seen` beyond its due."""
    beyond: dict[str, float] = defaultdict(float)
    for held in seen:
        for word, (share, part) in held.items():
            beyond[word] += share - _due(part)
    common = [w for w in beyond if min(sum(w in held for held in half) for half in (seen, measured)) >= FEWEST]
    return max(sorted(common), key=lambda w: beyond[w], default=None)


def _due(part: float) -> float:
    return min(TIMES * part, MOST_DUE)


def _suspect(ctx: Context, m: Members, word: str, measured: Sequence[Held]) -> Suspect:
    """Its share and its part in the texts that it stands in."""
    shares, parts = zip(*(held[word] for held in measured if word in held), strict=True)
    share = mean_share("concentration", shares, slice=f"class={ctx.classes[m.label]}", better="lower")
    part = float(np.mean(parts))
    concentrated = share.low is not None and share.low >= _due(part)
    shown = word if len(word) <= LONGEST else f"{word[:LONGEST]}\u2026"
    return Suspect(m.label, f'the word "{shown}"', part, share, concentrated, _moves(ctx, m, word))


def _words(ctx: Context, rows: Integers) -> list[Words]:
    assert ctx.data.words is not None  # noqa: S101 - see `need_explainable`
    return ctx.data.words(rows)


# ---- what moving it does -----------------------------------------------------------------------------------------
def _moves(ctx: Context, m: Members, word: str) -> Moves:
    """The word in the place of another in texts of other classes, and taken out of its own; and the same of others."""
    generator = np.random.default_rng((ctx.seed, m.label))
    own = [
        (ids, text)
        for ids, text in zip(ctx.data.read(m.moved), _words(ctx, m.moved), strict=True)
        if _at(text, word) and len(text.words) >= 2 * len(_at(text, word))
    ]
    to = others_of(ctx, m.label, max(MOVED, len(m.moved)))
    free = [(ids, t) for ids, t in zip(ctx.data.read(to), _words(ctx, to), strict=True) if t.words and not _at(t, word)]
    put, put_else, left, left_else = [], [], [], []
    for ids, text in own:
        at = _at(text, word)
        others = [i for i in range(len(text.words)) if i not in at]
        left.append(_without(ids, text, at))
        left_else.append(_without(ids, text, generator.permutation(others)[: len(at)].tolist()))
    for i, (ids, text) in enumerate(free if own else []):
        source, held = own[i % len(own)]
        at = _at(held, word)
        other = int(generator.choice([j for j in range(len(held.words)) if j not in at]))
        place = int(generator.integers(len(text.words)))
        put.append(_replaced(ids, text, place, source[held.of_token == at[0]]))
        put_else.append(_replaced(ids, text, place, source[held.of_token == other]))
    called = [(_called(ctx, texts, m.label), len(texts)) for texts in (put, put_else, left, left_else)]
    lost: list[Counts] = [(n - k, n) for k, n in called[2:]]
    return Moves(called[0], called[1], lost[0], lost[1])


def _at(text: Words, word: str) -> list[int]:
    return [i for i, w in enumerate(text.words) if w.casefold() == word]


def _without(ids: Tensor, text: Words, words: Sequence[int]) -> Tensor:
    """Token ids (T,) without some words, -1 behind their end."""
    return _filled(ids[torch.from_numpy(~np.isin(text.of_token, words)) & (ids >= 0)], len(ids))


def _replaced(ids: Tensor, text: Words, place: int, tokens: Tensor) -> Tensor:
    """Token ids (T,) with `tokens` in the place of a word; where they grow too many, the last words are left out."""
    at = np.flatnonzero(text.of_token == place)
    whole = torch.cat([ids[: at[0]], tokens, ids[at[-1] + 1 :]])
    of_token = np.concatenate([text.of_token[: at[0]], np.full(len(tokens), -1), text.of_token[at[-1] + 1 :]])
    movable = torch.from_numpy(of_token >= 0)
    excess = int((whole >= 0).sum()) - len(ids)
    if excess > 0:
        movable[torch.nonzero(movable)[:-excess]] = False
        whole = whole[~movable]
    return _filled(whole[whole >= 0], len(ids))


def _filled(ids: Tensor, length: int) -> Tensor:
    return torch.cat([ids[:length], ids.new_full((max(0, length - len(ids)),), -1)])


def _called(ctx: Context, texts: Sequence[Tensor], label: int) -> int:
    """How many of the texts are called that class."""
    found = 0
    with torch.no_grad():
        for i in range(0, len(texts), ctx.batch_size):
            found += int((ctx.need_model()(torch.stack(list(texts[i : i + ctx.batch_size]))).argmax(1) == label).sum())
    return found
