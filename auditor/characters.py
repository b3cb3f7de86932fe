"""Characters that cannot be read as what they are, or that stand without spaces between words."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["is_unreadable", "is_unspaced", "unreadable"]

BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# controls, surrogates, line and paragraph separators, and what is no character at all (so that XML can hold the rest)
CATEGORIES = {"Cc", "Cs", "Zl", "Zp", "Cn"}
UNSPACED = re.compile(  # Thai, Lao, Myanmar, Khmer, ideographs, kana
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff]"
)


def is_unreadable(c: str) -> bool:
    """Whether `c` turns a line round, breaks it (line feeds and tabs do), or goes unseen.

    Joiners do not count: Persian and Hindi need them.
    """
    return c in BIDI or unicodedata.category(c) in CATEGORIES


def unreadable(text: str) -> str:
    """The first unreadable character of `text`, as `U+202E`; "" when there is none."""
    return "" if text.isprintable() else next((f"U+{ord(c):04X}" for c in text if is_unreadable(c)), "")


def is_unspaced(c: str) -> bool:
    """Whether `c` is of a script that puts no space between words."""
    return UNSPACED.match(c) is not None
