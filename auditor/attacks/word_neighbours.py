"""The words nearest to a word in a model's own embedding of its tokens, by cosine.

Jin et al. 2020, arXiv:1907.11932 (TextFooler), 3.1, takes them from word vectors that were trained apart; an audit has
no others than the model's own, in which antonyms are neighbours, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Neighbours", "word_neighbours"]

MOST, SPARE, PART = 8, 24, 4096  # neighbours of a word; more, of which some are the word again; rows of a table at once
Near = tuple[str, int, float]


@dataclass(frozen=True)
class Neighbours:
    """`near` are the neighbours of words by the word as the vocabulary has it: each with its token and its cosine.

    `words` are the vocabulary's; `uncased` says that it has no capital letters, so that it reads all words in small.
    """

    near: Mapping[str, Sequence[Near]]
    words: frozenset[str]
    uncased: bool

    def of(self, word: str) -> list[Near]:
        """Neighbours of `word`, nearest first, in the same pattern of capitals; none where it is not one token."""
        if not self.uncased:
            return [n for n in self.near.get(word, ()) if _pattern(n[0]) == _pattern(word)]
        return [(_like(word, w), token, cosine) for w, token, cosine in self.near.get(word.lower(), ())]

    def knows(self, word: str) -> bool:
        """Whether `word`, in whatever capitals, is one of the vocabulary."""
        return word in self.words or word.lower() in self.words


def word_neighbours(
    embedded: Callable[[Tensor], Tensor], vocabulary: Mapping[int, str], words: Sequence[str], cosine: float
) -> Neighbours:
    """At most 8 neighbours of each of `words` whose cosine is at least `cosine`, nearest first.

    `embedded` gives the embeddings (k, D) of token ids (k,); `vocabulary` are the words that are one token, by its id.
    What differs from a word in capitals alone is none of its neighbours.
    """
    uncased = all(w == w.lower() for w in vocabulary.values())
    by_word = {w: i for i, w in sorted(vocabulary.items(), reverse=True)}
    asked = sorted({w.lower() if uncased else w for w in words} & by_word.keys())
    near: dict[str, list[Near]] = {w: [] for w in asked}
    ids = torch.tensor(sorted(vocabulary))
    if asked and len(ids) > 1:
        own = functional.normalize(embedded(torch.tensor([by_word[w] for w in asked])), dim=1)
        for part in ids.split(PART):
            each = own @ functional.normalize(embedded(part), dim=1).T
            values, places = each.topk(min(SPARE, len(part)), dim=1)
            for word, row, tokens in zip(asked, values.tolist(), part[places].tolist(), strict=True):
                alike = ((i, min(1.0, v)) for i, v in zip(tokens, row, strict=True) if v >= cosine)
                near[word] += [(vocabulary[i], i, v) for i, v in alike if vocabulary[i].casefold() != word.casefold()]
    nearest = {w: sorted(found, key=lambda n: (-n[2], n[1]))[:MOST] for w, found in near.items()}
    return Neighbours(nearest, frozenset(vocabulary.values()), uncased)


# ---- capitals ----------------------------------------------------------------------------------------------------
def _pattern(word: str) -> str:
    if word == word.lower():
        return "small"
    if word == word.upper():
        return "capitals"
    return "first" if word == word[0].upper() + word[1:].lower() else "mixed"


def _like(word: str, other: str) -> str:
    """`other` in the pattern of capitals of `word`; in small letters where that has none of its own."""
    if len(word) > 1 and _pattern(word) == "capitals":
        return other.upper()
    return other[0].upper() + other[1:] if word[0] != word[0].lower() else other
