"""The words of a text as a reader sees them, and which of them each token of a tokenizer belongs to."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from auditor.characters import is_unspaced
from auditor.integers import Integers
from auditor.words import Words

__all__ = ["sentences", "spans", "words_of"]

Span = tuple[int, int]
SPACE, LETTER, SINGLE, POINT, EMOJI, MARK = "space", "letter", "single", "point", "emoji", "mark"
JOINER, APOSTROPHES, HYPHENS = "\u200d", "'\u2019\u02bc\u05f3\u05f4", "-\u2010\u2011"
CLITIC = re.compile(r"['\u2019](?:s|t|d|m|re|ve|ll)(?!\w)", re.IGNORECASE)
PICTURES = re.compile("[\u2600-\u27bf\u2b00-\u2bff\u231a-\u23ff\U0001f000-\U0001faff]")
STOPS = ".!?\u2026\u3002\uff01\uff1f\u0964\u06d4\u061f"
FLAGS = ("\U0001f1e6", "\U0001f1ff")


# ---- where words are ---------------------------------------------------------------------------------------------
def spans(text: str) -> list[Span]:
    """Where each word of `text` starts and ends, in reading order; spaces are in none.

    Letters and digits make a word, with the apostrophes, hyphens and decimal points inside it; so do signs that stand
    together (`...`, `:-)`), and an emoji of several characters. Scripts without spaces give a word a character.
    """
    found: list[Span] = []
    last = SPACE
    for i in range(len(text)):
        kind = _kind(text, i)
        if last != SPACE and (kind == MARK or _goes_on(text, i, found[-1][0], kind, last)):
            found[-1] = (found[-1][0], i + 1)
            kind = last if kind == MARK else kind
        elif kind != SPACE:
            found.append((i, i + 1))
        last = LETTER if kind == MARK else kind
    return found


def _kind(text: str, i: int) -> str:
    c = text[i]
    category = unicodedata.category(c)
    if c.isspace() or category in {"Cc", "Zs", "Zl", "Zp"}:
        return SPACE
    if category[0] == "M" or category == "Cf" or "\U0001f3fb" <= c <= "\U0001f3ff":
        return MARK
    if is_unspaced(c):
        return SINGLE
    if PICTURES.match(c):
        return EMOJI
    if category[0] in "LN" or category == "Pc" or _is_inside(text, i):
        return LETTER
    return POINT


def _is_inside(text: str, i: int) -> bool:
    """Whether the sign at `i` belongs to the word around it."""
    c, before, after = text[i], text[i - 1 : i], text[i + 1 : i + 2]
    if c in APOSTROPHES:
        return (before.isalnum() and after.isalpha()) or (not before.strip() and CLITIC.match(text, i) is not None)
    if c in HYPHENS:
        return before.isalnum() and after.isalnum()
    if c == "." and before.isalpha() and after.isalpha():  # U.S., e.g.; but not the end of a sentence without a space
        return not text[i - 2 : i - 1].isalpha() or not text[i + 2 : i + 3].isalpha()
    return c in ".,:/" and before.isdigit() and after.isdigit()


def _goes_on(text: str, i: int, start: int, kind: str, last: str) -> bool:
    """Whether the character at `i` continues the word that began at `start`, whose last character came just before."""
    if kind == EMOJI:
        is_flag = FLAGS[0] <= text[i] <= FLAGS[1] and FLAGS[0] <= text[start] <= FLAGS[1]
        return last == EMOJI and (text[i - 1] == JOINER or (is_flag and i - start == 1))
    return kind == last and kind in {LETTER, POINT}


def sentences(words: Sequence[str]) -> tuple[tuple[str, ...], Integers]:
    """The sentences that `words` make, and which of them each word belongs to; closing quotes and brackets go along."""
    of_word, number, ended = [], 0, False
    for word in words:
        closes = all(unicodedata.category(c) in {"Pe", "Pf", "Po"} for c in word)
        number += ended and not closes
        ended = word[-1] in STOPS or (ended and closes)
        of_word.append(number)
    held = np.array(of_word, np.int64)
    return tuple(" ".join(w for w, n in zip(words, of_word, strict=True) if n == i) for i in range(number + 1)), held


# ---- which word a token belongs to -------------------------------------------------------------------------------
def words_of(text: str, tokens: Sequence[Span | None], length: int, *, cut: bool = False) -> Words:
    """The words of `text` and the word of each of `length` token positions, -1 where there is none.

    `tokens` are where each token stands in the text, None for special ones. A token that reaches into several words
    makes them one. With `cut`, only the part of the text from the first token to the last is there.
    """
    held = [_trimmed(text, *t) for t in tokens if t is not None]
    real = [t for t in held if t is not None]
    first, last = (min(a for a, _ in real), max(b for _, b in real)) if real and cut else (0, len(text))
    found = [(a + first, b + first) for a, b in spans(text[first:last])] if real or not cut else []
    starts = [a for a, _ in found]
    of_token: list[int] = []
    joined = np.zeros(len(found), np.bool_)  # with the word before
    for token in tokens:
        place = None if token is None else _trimmed(text, *token)
        index = -1 if place is None else bisect_right(starts, place[0]) - 1
        of_token.append(index)
        if place is not None:
            joined[max(index, 0) + 1 : bisect_right(starts, place[1] - 1)] = True
    numbers = np.cumsum(~joined) - 1
    begin = [i for i in range(len(found)) if not joined[i]]
    words = [text[found[a][0] : found[b - 1][1]] for a, b in pairwise([*begin, len(found)])]
    indices = np.full(length, -1)
    indices[: len(of_token)] = [numbers[i] if i >= 0 else -1 for i in of_token]
    return Words(tuple(words), indices)


def _trimmed(text: str, start: int, stop: int) -> Span | None:
    """The part of a token's place that is no space; None where nothing is left."""
    while start < stop and _kind(text, start) == SPACE:
        start += 1
    while start < stop and _kind(text, stop - 1) == SPACE:
        stop -= 1
    return (start, stop) if start < stop else None
