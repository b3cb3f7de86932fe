"""What may be changed in a text: other words in the places of its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from auditor.attacks.typos import typos
from auditor.attacks.word_neighbours import Neighbours
from auditor.data.words import spans
from auditor.integers import Integers
from auditor.words import Words

__all__ = ["MOST_OF_A_TEXT", "Change", "Changeable", "applied", "changeable", "places_of"]

MOST_OF_A_TEXT = 3  # a third of the words


@dataclass(frozen=True, slots=True)
class Change:
    """Another word at [start, stop) of a text, where its word number `word` stands.

    Of a neighbour `token` is its id and `cosine` how alike the two embeddings are; None for a typo.
    """

    word: int
    start: int
    stop: int
    before: str
    after: str
    kind: Literal["neighbour", "typo", "left out"]
    token: int | None = None
    cosine: float | None = None


@dataclass(frozen=True)
class Changeable:
    """A text and what may be changed in it: `changes` by word, none for words that stay; at most `most` words.

    `whole` says whether the model reads all of it; `of_token` (T,) which word each of its tokens is a piece of, -1 for
    none.
    """

    text: str
    of_token: Integers
    changes: tuple[tuple[Change, ...], ...]
    most: int
    whole: bool


def changeable(text: str, words: Words, neighbours: Neighbours) -> Changeable:
    """What may be changed in `text`, whose words up to where it is cut are `words`.

    Neighbours of a word, and its misspellings unless they are words of the vocabulary: those say something else. At
    most a third of the words with letters or digits may change, in short texts one.
    """
    places = places_of(text, words)
    count = sum(any(c.isalnum() for c in word) for word in words.words)
    changes = tuple(_of_word(i, text, place, neighbours) for i, place in enumerate(places))
    able = sum(bool(c) for c in changes)
    end = max((p[1] for p in places if p is not None), default=0)
    whole = None in places or not spans(text[end:])
    return Changeable(text, words.of_token, changes, min(able, max(1, count // MOST_OF_A_TEXT)), whole)


def places_of(text: str, words: Words) -> list[tuple[int, int] | None]:
    """Where each of `words` stands in `text`; None where it does not, as a tokenizer spells it otherwise."""
    found: list[tuple[int, int] | None] = []
    end = 0
    for word in words.words:
        start = text.find(word, end) if word else -1
        found.append(None if start < 0 else (start, start + len(word)))
        end = end if start < 0 else start + len(word)
    return found


def _of_word(number: int, text: str, place: tuple[int, int] | None, neighbours: Neighbours) -> tuple[Change, ...]:
    if place is None:
        return ()
    word = text[slice(*place)]
    near = [Change(number, *place, word, w, "neighbour", token, cosine) for w, token, cosine in neighbours.of(word)]
    wrong = [Change(number, *place, word, w, "typo") for w in typos(word) if not neighbours.knows(w)]
    return (*near, *wrong)


def applied(text: str, changes: Sequence[Change]) -> str:
    """`text` after `changes`, of which no two are of the same word."""
    for c in sorted(changes, key=lambda c: -c.start):
        text = text[: c.start] + c.after + text[c.stop :]
    return text
