"""Lines of a TOML file that a person is to read, with whatever text from files in them, and what asks for a person."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditor.errors import UsageError, one_line

__all__ = ["Line", "comment", "few", "named", "plain", "quoted", "setting", "toml", "unset"]

WIDTH, LONGEST = 116, 800
BARE = re.compile(r"[A-Za-z0-9_-]+")
ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file. `needs`: what keeps `auditor run` from working; `look`: what works, and is a guess."""

    text: str = ""
    needs: str = ""
    look: str = ""


def toml(value: Any) -> str:
    """`value` (text, number, truth, or a list or table of them) as TOML on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.9g}" if "." in f"{value:.9g}" or "e" in f"{value:.9g}" else f"{value:.9g}.0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key if BARE.fullmatch(key) else quoted(key)} = {toml(v)}" for key, v in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return f"[{', '.join(map(toml, value))}]"


def quoted(text: str) -> str:
    """`text` as a TOML string in which nothing is unseen: what cannot be printed stands as its number.

    UsageError for half a character, as a file name that is no text brings, which TOML cannot say.
    """
    if any("\ud800" <= c <= "\udfff" for c in text):
        msg = f"{one_line(text.encode('utf-8', 'backslashreplace').decode(), 80)!r} is no text; rename it"
        raise UsageError(msg)
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(c: str) -> str:
    if c in ESCAPED:
        return ESCAPED[c]
    if c.isprintable():
        return c
    return f"\\u{ord(c):04X}" if ord(c) < 1 << 16 else f"\\U{ord(c):08X}"


def setting(key: str, value: Any, *, needs: str = "", look: str = "") -> Line:
    """`key = value`."""
    return Line(f"{key} = {toml(value)}", needs, look)


def unset(key: str, value: Any) -> Line:
    """`key = value` as a comment, to be taken or left."""
    return Line(f"# {key} = {toml(value)}")


def comment(text: str) -> Iterator[Line]:
    """`text` as comments, whatever is in it: it can neither end its line nor turn it round."""
    for line in textwrap.wrap(plain(text), WIDTH, break_on_hyphens=False):
        yield Line(f"# {line}")


def plain(text: str) -> str:
    """`text` as one line of a bounded length."""
    return one_line(text, LONGEST)


def named(name: str) -> str:
    """A name from a file, between quotes and no longer than a sentence bears."""
    return quoted(name if len(name) <= 60 else f"{name[:59]}…")


def few(names: Iterable[str] | Sequence[str], most: int = 12) -> str:
    """The first `most` of the names, between quotes."""
    given = list(names)
    more = f" and {len(given) - most:,} more" if len(given) > most else ""
    return f"{', '.join(map(named, given[:most]))}{more}" if given else "none"
