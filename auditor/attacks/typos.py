"""Words as a person mistypes them: one edit inside the word (Pruthi et al. 2019, arXiv:1905.11268, section 3)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import zip_longest

__all__ = ["LEAST", "is_latin", "typos"]

LEAST, MOST = 4, 12  # letters of a word that is mistyped, and ways to mistype it
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")  # of a QWERTY keyboard
BESIDE = {c: row[max(0, i - 1) : i] + row[i + 1 : i + 2] for row in ROWS for i, c in enumerate(row)}


def typos(word: str) -> tuple[str, ...]:
    """At most 12 misspellings of a word of four or more Latin letters, always the same ones in the same order.

    Each is one edit: two letters swapped, one left out, one doubled, or the key beside it hit. The first letter and
    the last stay where they are, as people read by them; edits in the middle of the word come first. None of a word
    with other characters, such as digits, hyphens or other scripts.
    """
    if len(word) < LEAST or not is_latin(word):
        return ()
    middle = sorted(range(1, len(word) - 1), key=lambda i: (abs(2 * i - len(word) + 1), i))
    kinds = (
        (word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in middle if i + 2 < len(word)),
        (word[:i] + word[i + 1 :] for i in middle),
        (word[: i + 1] + word[i:] for i in middle),
        (word[:i] + key + word[i + 1 :] for i in middle for key in _beside(word[i])),
    )
    turns = (w for turn in zip_longest(*kinds) for w in turn if w is not None and w != word)
    return tuple(dict.fromkeys(turns))[:MOST]


def is_latin(word: str) -> bool:
    """Whether `word` is of letters of the Latin script alone."""
    return word.isalpha() and all(unicodedata.name(c, "").startswith("LATIN") for c in word)


def _beside(letter: str) -> Iterator[str]:
    for key in BESIDE.get(letter.lower(), ""):
        yield key if letter.islower() else key.upper()
