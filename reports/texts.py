"""A text as running words that speak for the class or against it: how strongly each, and which part of a long one."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from auditor.characters import is_unspaced
from auditor.types import Scalar, Table
from reports.parts import Chart

__all__ = [
    "SPECIAL", "Running", "Word", "excerpt", "figure_in", "parts_of", "plain", "short", "strongest", "words_of",
]  # fmt: skip

SPECIAL = "(special tokens)"  # the last row of a table of words, where there are any
STEPS = (0.1, 0.3, 0.55, 0.8)  # of the strongest word: from where on a word is tinted, and how
MOST_WHOLE, STRONGEST, AROUND, NEAR = 150, 10, 6, 3
LONGEST = 60  # characters of one word
NOT = ("n't", "n\u2019t")  # which some data sets hold apart from its verb
CLOSING, QUOTES = ".,;:!?\u2026%\u060c\u061b\u061f", {"'": "'", '"': '"', "`": "'", "``": "''"}


@dataclass(frozen=True)
class Word:
    """A word of a text, or in its place how many were left out.

    `strength` is from -4, speaks against most, to 4, speaks for most; `spaced` says that a space stands before it.
    """

    text: str
    strength: int = 0
    spaced: bool = True
    left_out: int = 0


@dataclass(frozen=True)
class Running:
    """A text as one method sees it.

    `words` are what is seen at once, `whole` the text behind a click where that is longer, without its last `more`
    words; `signs` are what a screen reader says behind words that speak for and against; `rest` says what is no word;
    `strongest` draws the words that matter most.
    """

    kind: ClassVar[str] = "running"
    method: str
    answer: str
    words: Sequence[Word]
    whole: Sequence[Word]
    more: int
    signs: tuple[str, str]
    rest: str
    strongest: Chart


def parts_of(table: Table) -> tuple[list[str], list[float], float | None]:
    """The words of a table of words, their shares, and the share of what is no word; None where all of it is."""
    rows = list(table.rows)
    special = figure_in(rows.pop()[1]) if rows and rows[-1][0] == SPECIAL else None
    return [str(row[0]) or " " for row in rows], [figure_in(row[1]) for row in rows], special


def figure_in(value: Scalar) -> float:
    """A figure of a table; 0 where it cannot be said."""
    found = float(value or 0.0)
    return found if math.isfinite(found) else 0.0


def words_of(texts: Sequence[str], shares: Sequence[float]) -> list[Word]:
    """Words with their strength, measured against the strongest of them."""
    top = max(map(abs, shares), default=0.0)
    spaced = _spaced(texts)
    return [Word(short(t), _step(v, top), s) for t, v, s in zip(texts, shares, spaced, strict=True)]


def excerpt(words: Sequence[Word], shares: Sequence[float]) -> list[Word]:
    """The words around the strongest ones; all of a text that is not long."""
    if len(words) <= MOST_WHOLE:
        return list(words)
    found: list[Word] = []
    end = 0
    for i in sorted(strongest(shares)):
        start = max(end, i - AROUND)
        start = end if start - end <= NEAR else start
        if start > end:
            found.append(Word("", left_out=start - end))
        stop = min(len(words), max(end, i + AROUND + 1))
        shown = list(words[start:stop])
        found += [replace(shown[0], spaced=True), *shown[1:]] if start > end else shown
        end = stop
    left = len(words) - end
    return [*found, *([Word("", left_out=left)] if left else [])]


def plain(words: Sequence[Word]) -> str:
    """The words as one line of text."""
    shown = (f"\u2026 {w.left_out:,} words \u2026" if w.left_out else w.text for w in words)
    return "".join(f" {t}" if w.spaced else t for w, t in zip(words, shown, strict=True)).strip()


def strongest(shares: Sequence[float]) -> list[int]:
    """The places of the words that matter most, the strongest first; the first word's where none matters."""
    order = sorted(range(len(shares)), key=lambda i: -abs(shares[i]))[:STRONGEST]
    return [i for i in order if shares[i]] or order[:1]


def short(word: str) -> str:
    """A word of at most LONGEST characters."""
    return word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def _step(value: float, top: float) -> int:
    """How strongly a word is tinted, from -4 to 4."""
    strength = sum(abs(value) >= s * top for s in STEPS) if top > 0 else 0
    return strength if value > 0 else -strength


# ---- spaces ------------------------------------------------------------------------------------------------------
def _spaced(texts: Sequence[str]) -> list[bool]:
    """Whether a space stands before each word: a table of words holds none, so they are set as print sets them."""
    found: list[bool] = []
    before, opened = "", ""
    for text in texts:
        closes = bool(opened) and opened == text
        opens = not closes and text in QUOTES
        found.append(bool(before) and not closes and not _are_joined(before, text))
        opened = "" if closes else QUOTES[text] if opens else opened
        before = "(" if opens else text  # what follows an opening quote stands as behind an opening bracket
    return found


def _are_joined(before: str, after: str) -> bool:
    if "/" in {before[-1], after[0]}:
        return True
    if is_unspaced(before[-1]) and is_unspaced(after[0]):
        return True
    if any("\u3000" <= c <= "\u303f" or "\uff00" <= c <= "\uff20" for c in (before[-1], after[0])):
        return True  # full-width signs bring their own space
    if unicodedata.category(before[-1]) in {"Ps", "Pi"}:
        return True
    first = unicodedata.category(after[0])
    is_sign = all(unicodedata.category(c)[0] in "PS" for c in after)
    closes = is_sign and (first in {"Pe", "Pf"} or all(c in CLOSING or c in QUOTES for c in after))
    clitic = (after[0] in "'\u2019" and len(after) > 1 and after[1].isalpha()) or after.lower() in NOT
    return clitic or (closes and after not in QUOTES)
