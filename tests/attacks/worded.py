"""Tiny text models over a vocabulary of real words, whose answers can be counted by hand or by trying everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from auditor.attacked.text_models import text_model
from auditor.attacks.text_changes import Changeable, changeable
from auditor.attacks.text_model import TextModel
from auditor.attacks.word_neighbours import word_neighbours
from auditor.data.words import spans
from auditor.feeds import Tokens
from auditor.integers import Integers
from auditor.subject import Data, Model
from auditor.words import Vocabulary, Words
from tests.zoo import Bag, Case

__all__ = ["LENGTH", "UNKNOWN", "Gru", "attackable", "bag", "texts_of", "worded"]

UNKNOWN, LENGTH = 0, 12  # the id of words that the vocabulary does not have, and tokens of the longest text


class Gru(nn.Module):
    """A recurrent network over the tokens: every word counts by what came before it."""

    def __init__(self, size: int, width: int = 6, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.tokens, self.cell, self.head = nn.Embedding(size, width), nn.GRUCell(width, width), nn.Linear(width, 3)
            for p in self.parameters():
                nn.init.normal_(p)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        state = torch.zeros(len(input_ids), self.cell.hidden_size)
        for ids, there in zip(input_ids.T, attention_mask.T, strict=True):
            state = torch.where(there[:, None] > 0, self.cell(self.tokens(ids), state), state)
        return self.head(state)


class Clamped(Bag):
    """A bag that gives its bias for a text without tokens."""

    def forward(
        self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, inputs_embeds: Tensor | None = None
    ) -> Tensor:
        embedded = self.tokens(input_ids) if inputs_embeds is None else inputs_embeds
        mask = attention_mask[..., None]
        return self.head((embedded * mask).sum(1) / mask.sum(1).clamp_min(1))


def bag(vectors: Sequence[Sequence[float]], weight: Sequence[float], bias: float = 0.0) -> Bag:
    """A bag whose logit of class 1 is weight x the mean of the tokens' vectors + bias, and that of class 0 is 0."""
    module = Clamped()
    module.tokens, module.head = nn.Embedding(len(vectors), len(weight)), nn.Linear(len(weight), 2)
    with torch.no_grad():
        module.tokens.weight.copy_(torch.tensor(vectors))
        module.head.weight.copy_(torch.tensor([[0.0] * len(weight), [*weight]]))
        module.head.bias.copy_(torch.tensor([0.0, bias]))
    return module


def worded(
    module: nn.Module, vocabulary: Mapping[str, int], texts: Sequence[str], y: Sequence[int] | None = None
) -> Case:
    """A model of `texts`, each word a token of its own: in small letters by `vocabulary`, UNKNOWN where it has none.

    The targets are the model's own answers where `y` is not given.
    """

    def words(text: str) -> list[str]:
        return [text[a:b] for a, b in spans(text)]

    def ids(texts: Sequence[str]) -> Tensor:
        rows = [[vocabulary.get(w.lower(), UNKNOWN) for w in words(t)][:LENGTH] for t in texts]
        return torch.tensor([row + [-1] * (LENGTH - len(row)) for row in rows], dtype=torch.int64)

    def held(rows: Integers) -> list[Words]:
        kept = [tuple(words(texts[i])[:LENGTH]) for i in rows.tolist()]
        places = np.arange(LENGTH)
        return [Words(row, np.where(places < len(row), places, -1)) for row in kept]

    names = ("input_ids", "attention_mask", *(["inputs_embeds"] if isinstance(module, Bag) else []))
    classes = ("bad", "good", "other")[: module.head.out_features]
    model = Model(module, classes, bounds=(-1.0, float(max(vocabulary.values()))), feed=Tokens(0, names))
    x = ids(texts)
    with torch.no_grad():
        own = model(x).argmax(1)
    data = Data.of(x, own if y is None else torch.tensor(y))
    whole = {i: w for w, i in vocabulary.items() if i != UNKNOWN and w.isalpha() and len(w) > 1}
    return Case(
        model,
        replace(
            data, texts=lambda rows: [texts[i] for i in rows], words=held, vocabulary=Vocabulary(ids, lambda: whole)
        ),
    )


def texts_of(case: Case) -> list[str]:
    """All texts of the case."""
    assert case.data.texts is not None
    return case.data.texts(np.arange(len(case.data)))


def attackable(case: Case, cosine: float = 0.5, rows: int = 7) -> tuple[TextModel, list[Changeable], Tensor]:
    """What `smallest_changes` takes: the model, what may be changed in each text, and the classes."""
    assert case.data.words is not None and case.data.vocabulary is not None
    model = text_model(case.model, case.data.vocabulary, case.data.read(np.zeros(1, np.int64)), rows)
    held = case.data.words(np.arange(len(case.data)))
    assert model.embedded is not None
    near = word_neighbours(model.embedded, case.data.vocabulary.words(), [w for t in held for w in t.words], cosine)
    texts = [changeable(text, words, near) for text, words in zip(texts_of(case), held, strict=True)]
    return model, texts, torch.from_numpy(case.data.y)
