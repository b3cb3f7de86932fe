"""Characters that cannot be read as what they are: they turn a line round, break it, or go unseen."""

from __future__ import annotations

import unicodedata

__all__ = ["is_unreadable", "unreadable"]

BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# controls, surrogates, line and paragraph separators, and what is no character at all (so that XML can hold the rest)
CATEGORIES = {"Cc", "Cs", "Zl", "Zp", "Cn"}


def is_unreadable(c: str) -> bool:
    """Whether `c` is such a character, line feeds and tabs among them; joiners are not: Persian and Hindi need them."""
    return c in BIDI or unicodedata.category(c) in CATEGORIES


def unreadable(text: str) -> str:
    """The first such character of `text`, as `U+202E`; "" when there is none."""
    return "" if text.isprintable() else next((f"U+{ord(c):04X}" for c in text if is_unreadable(c)), "")
