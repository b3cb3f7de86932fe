"""Text of models and data that can only be read: nothing in it turns a line round, breaks it, or goes unseen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar, cast

from auditor.characters import is_unreadable

__all__ = ["legible"]

T = TypeVar("T")
INSTEAD = "\N{REPLACEMENT CHARACTER}"


def legible(thing: T) -> T:
    """`thing`, an audit or any part of one, with a mark in place of every character of its texts that is none to read.

    Joiners stay, since Persian or Hindi cannot be written without; so do tabs and line feeds.
    """
    return cast("T", _legible(thing))


def _legible(thing: Any) -> Any:
    match thing:
        case str() if not isinstance(thing, Enum):
            return thing if thing.isprintable() else "".join(map(_character, thing))
        case tuple() | list():
            return type(thing)(map(_legible, thing))
        case Mapping():
            return {_legible(k): _legible(v) for k, v in thing.items()}
        case _ if is_dataclass(thing) and not isinstance(thing, type):
            return replace(thing, **{f.name: _legible(getattr(thing, f.name)) for f in fields(thing)})
    return thing


def _character(c: str) -> str:
    return INSTEAD if c not in "\t\n" and is_unreadable(c) else c
