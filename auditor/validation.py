"""What a TOML file holds against what it may hold: the first problem, as one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

__all__ = ["as_json", "first_error"]


def as_json(given: Mapping[str, Any]) -> str:
    """TOML as JSON, for its strict reading: true is no number, "10" no number, and lists may be tuples."""
    return json.dumps(given, default=str)


def first_error(
    error: ValidationError, known_keys: Callable[[list[int | str]], Sequence[str]], given: Mapping[str, Any]
) -> str:
    """Where the first problem is, what was found, what would be accepted.

    `known_keys` gives the keys that the section at a place may have.
    """
    first = error.errors(include_url=False)[0]
    place = _place(first["loc"], given)
    where = _words(place)
    if first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        *parents, key = place
        section = f"[{'.'.join(str(p) for p in parents if not isinstance(p, int))}]" if parents else "the top level"
        return f"unknown key {key!r} in {section}; known: {', '.join(known_keys(parents))}"
    if first["type"] == "value_error":
        text = str(first["ctx"]["error"])
        return f"[{where}] {text}" if where else text
    if first["type"] == "missing" and isinstance(key := first["loc"][-1], str):
        return f"[{where}] has no {key!r}, which it needs" if where else f"there is no section [{key}]; it is needed"
    if first["type"] in {"tuple_type", "list_type"}:
        return f"{where}: expected a list, [{first['input']!r:.80}], found {first['input']!r:.80}"
    message = first["msg"]
    return f"{where}: {message[0].lower()}{message[1:]}, found {first['input']!r:.80}"


def _words(place: Sequence[int | str]) -> str:
    """`limit number 2, confidence`: tables of a list counted from 1, as people do; `data.images` otherwise."""
    words = ""
    for part in place:
        if isinstance(part, int):
            words += f" number {part + 1}"
        else:
            words += (", " if words.rpartition(" number ")[2].isdigit() else "." if words else "") + part
    return words


def _place(loc: Sequence[int | str], given: Any) -> list[int | str]:
    """The keys of `loc` that lead through what was given: pydantic names the types it tried among them."""
    place: list[int | str] = []
    for part in loc:
        is_index = isinstance(given, list) and isinstance(part, int) and part < len(given)
        if is_index or (isinstance(given, Mapping) and part in given):
            place.append(part)
            given = given[part]
    return place
