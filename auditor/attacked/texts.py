"""Robust accuracy of a text model by the number of words that are changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from auditor.attacked.doubts import of_rows
from auditor.attacked.text_examples import AttackedTexts, doubts, examples
from auditor.attacked.text_models import text_model
from auditor.attacks.text_changes import Change, Changeable, changeable
from auditor.attacks.text_model import TextModel
from auditor.attacks.text_search import judged, smallest_changes
from auditor.attacks.word_neighbours import Neighbours, word_neighbours
from auditor.errors import NotApplicable, UsageError
from auditor.registry import Context
from auditor.stats import rate
from auditor.subject import Data, Model
from auditor.types import Measure, Result, Scalar, Table

__all__ = ["NUMBERS", "text_curve"]

NUMBERS = (1, 2, 3, 5, 8)
Changes = tuple[Change, ...]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]


def text_curve(
    ctx: Context, model: Model, *, epsilons: Sequence[float], samples: int, shown: int, similarity: float
) -> Result:
    """`robust_accuracy` of `samples` texts (0: all) when at most so many words of each are changed, for `epsilons`.

    None given means 1, 2, 3, 5 and 8 words; the slices are `words@0`, `words@1` and so on. A word may become one of its
    neighbours in the model's own embedding, at a cosine of at least `similarity`, or be mistyped by one edit; a cosine
    of 1 leaves the typos alone. At most a third of a text's words change, but always one may; where several do, the
    mean embedding of the text stays at a cosine of 0.8 or more. `noise_accuracy` is what the same number of random
    changes leaves; they count among the attacks. The hardest and the easiest text that each number turned are shown,
    none for `shown` = 0. Kept as evidence: `distance`, the words changed in each text (0: wrong as it is, inf: none
    found), and `passes`, how often the model answered it. NotApplicable where it is not known how a changed text is
    read, UsageError for numbers of words that are not whole.
    """
    ladder = _ladder(epsilons)
    drawn = ctx.data.take(samples, ctx.seed)
    asked, texts = _attackable(ctx, model, drawn, similarity)
    y = torch.from_numpy(drawn.y)
    turned = smallest_changes(asked, texts, y, ladder[-1])
    sets, noise = _with_noise(asked, texts, y, [t.changes for t in turned], ladder, ctx.seed)
    words = np.array([np.inf if c is None else float(len(c)) for c in sets])
    n = len(drawn)
    robust = [rate("robust_accuracy", int((words > k).sum()), n, slice=f"words@{k}") for k in (0, *ladder)]
    random = [rate("noise_accuracy", int(noise[k].sum()), n, slice=f"words@{k}") for k in ladder]
    table = Table(
        "Robust accuracy by number of changed words",
        ("changed words", "robust accuracy", "low", "high", "random change", "n"),
        tuple(_row(k, r, m.value) for k, r, m in zip((0, *ladder), robust, (robust[0], *random), strict=True)),
    )
    ctx.keep("epsilons", np.asarray(ladder, np.float64))
    ctx.keep("rows", drawn.row_ids)
    ctx.keep("distance", words)
    ctx.keep_scores(drawn.row_ids, {m: words > k for k, m in zip((0, *ladder), robust, strict=True)})
    ctx.keep("passes", np.array([t.passes for t in turned]))
    attack = AttackedTexts(asked, drawn, texts, y, sets)
    shown_ones = examples(ctx, attack, ladder) if shown else []
    still = sum(not t.moved and t.changes is None and x.most > 0 for t, x in zip(turned, texts, strict=True))
    caveats = doubts(asked, texts, similarity, still, ladder[-1]) + of_rows(drawn.y, words > 0, attack.failing)
    return Result((*robust, *random), (table, *shown_ones), (), tuple(caveats))


def _ladder(epsilons: Sequence[float]) -> tuple[int, ...]:
    odd = [e for e in epsilons if e != round(e) or e < 1]
    if odd:
        msg = f"epsilons = {odd[0]:g}: of texts they are numbers of changed words, such as 1, 2, 3, 5, 8"
        raise UsageError(msg)
    return tuple(sorted({int(e) for e in epsilons})) or NUMBERS


def _row(k: int, m: Measure, noise: float | None) -> tuple[Scalar, ...]:
    return (k, m.value, m.low, m.high, noise, m.n)


# ---- what is attacked --------------------------------------------------------------------------------------------
def _attackable(ctx: Context, model: Model, drawn: Data, similarity: float) -> tuple[TextModel, list[Changeable]]:
    """The model as texts are put to it, and what may be changed in each of the texts drawn."""
    if drawn.texts is None or drawn.words is None or drawn.vocabulary is None:
        msg = "it is not known how a changed text becomes what the model reads"
        raise NotApplicable(msg)
    rows = np.arange(len(drawn))
    texts, words = drawn.texts(rows), drawn.words(rows)
    asked = text_model(model, drawn.vocabulary, drawn.read(rows[:1]), ctx.batch_size)
    known = drawn.vocabulary.words()
    if asked.embedded is None:
        near = Neighbours({}, frozenset(known.values()), uncased=False)
    else:
        near = word_neighbours(asked.embedded, known, sorted({w for t in words for w in t.words}), similarity)
    return asked, [changeable(text, held, near) for text, held in zip(texts, words, strict=True)]


def _with_noise(
    model: TextModel, texts: Sequence[Changeable], y: Tensor, sets: Sequence[Changes | None], ladder: Sequence[int],
    seed: int,
) -> tuple[list[Changes | None], dict[int, Flags]]:  # fmt: skip
    """The smallest sets, random ones among them, and (N,) by number of words which right texts stand a random change.

    The words of each text are drawn in one order, so that what changes two changes the same one and another.
    """
    generator = np.random.default_rng(seed)
    orders = [_random(t, generator) for t in texts]
    smallest, stands = list(sets), {}
    for k in ladder:
        tried = [order[: min(k, t.most)] for order, t in zip(orders, texts, strict=True)]
        wrong = _after_random(model, texts, tried, y)
        stands[k] = ~wrong & np.array([c != () for c in sets])
        for i in np.flatnonzero(wrong):
            held = smallest[i]
            if held is None or len(tried[i]) < len(held):
                smallest[i] = tried[i]
    return smallest, stands


def _after_random(model: TextModel, texts: Sequence[Changeable], tried: list[Changes], y: Tensor) -> Flags:
    """(N,) whether the changed texts are answered wrongly; sets that change a text too much lose their last change."""
    wrong, left = np.zeros(len(texts), np.bool_), list(range(len(texts)))
    while left:
        answers = judged(model, [texts[i] for i in left], [tried[i] for i in left], y[torch.tensor(left)])
        outside = [i for i, a in zip(left, answers, strict=True) if not a.inside]
        wrong[left] = [a.wrong for a in answers]
        for i in outside:
            tried[i] = tried[i][:-1]
        left = outside
    return wrong


def _random(text: Changeable, generator: np.random.Generator) -> Changes:
    """One random change of each word that may change, in random order."""
    able = [of_word for of_word in text.changes if of_word]
    return tuple(able[i][int(generator.integers(len(able[i])))] for i in generator.permutation(len(able)))
