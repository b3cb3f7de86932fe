"""Names that somebody may have meant: for one that does not exist, the nearest of those that do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

__all__ = ["did_you_mean", "nearest"]

LONGEST = 120  # characters of a name that are compared
AS_NEAR = 0.1  # by how much less like the name than the nearest one may be


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """At most so many of `known` that look like `name` nearly as much as the nearest, which is first.

    Capitals do not count. Of an id with dots what follows the first dot is a name, too, as `accuracy` is of
    `performance.accuracy`.
    """
    called: dict[str, list[str]] = {}
    for k in known:
        for alias in dict.fromkeys((k, k.partition(".")[2] or k)):
            called.setdefault(alias.casefold()[:LONGEST], []).append(k)
    wanted = name.casefold()[:LONGEST]
    found = get_close_matches(wanted, called, n=most)
    alike = [SequenceMatcher(None, alias, wanted).ratio() for alias in found]
    near = [alias for alias, like in zip(found, alike, strict=True) if like >= alike[0] - AS_NEAR]
    return list(dict.fromkeys(k for alias in near for k in called[alias]))[:most]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean a or b? `, to stand before what is known; "" where nothing is near."""
    near = nearest(name, known)
    return f"did you mean {' or '.join(near)}? " if near else ""
