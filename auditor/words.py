"""The words of texts, and how any text becomes the input of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from auditor.integers import Integers

__all__ = ["Vocabulary", "Words"]


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one text in reading order, as they stand in it.

    `of_token` (T,) is the index of the word that each token position is a piece of, -1 for special tokens and behind
    the end. Of a text that was cut, the words behind the cut are not there.
    """

    words: tuple[str, ...]
    of_token: Integers


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How any text becomes the input of a model, as the texts of the data do.

    `ids` gives the token ids (k, T) of k texts, -1 behind the end; `words` the words that are one token each inside a
    text, by that token's id: letters alone, no special tokens.
    """

    ids: Callable[[Sequence[str]], Tensor]
    words: Callable[[], Mapping[int, str]]
