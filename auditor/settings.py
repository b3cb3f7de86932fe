"""Settings are keyword-only arguments: their names, types and defaults are read from the signature."""

from __future__ import annotations

import inspect
import json
import math
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from auditor.errors import UsageError, one_line
from auditor.nearest import did_you_mean
from auditor.types import Setting

__all__ = ["Profile", "Sizes", "defaults", "json_schema", "sizes", "unstorable", "validated"]

Profile = Literal["quick", "standard", "deep"]
Function = Callable[..., Any]
SAFE = 2**53 - 1  # JSON has no exact whole numbers beyond (RFC 7493)


@dataclass(frozen=True, slots=True)
class Sizes:
    """A default that depends on the profile; 0 means every row."""

    quick: int
    standard: int
    deep: int

    def of(self, profile: Profile) -> int:
        """The size at `profile`."""
        return int(getattr(self, profile))


def sizes(quick: int, standard: int, deep: int) -> Any:
    """Default of a setting that the profile picks from."""
    return Sizes(quick, standard, deep)


def defaults(function: Function, profile: Profile = "standard") -> dict[str, Setting]:
    """Every setting of `function` with its default at `profile`."""
    return {n: d.of(profile) if isinstance(d, Sizes) else d for n, d in _given(function).items()}


def validated(
    function: Function, given: Mapping[str, Any], owner: str, profile: Profile = "standard"
) -> dict[str, Setting]:
    """Defaults overridden by `given`; UsageError, in one line, for an unknown name or an illegal value.

    `owner` is what the settings belong to, for the message.
    """
    types, values = _types(function), defaults(function, profile)
    for name, value in given.items():
        if name not in types:
            msg = f"{owner} has no setting {name!r}; {did_you_mean(name, types)}it has: {', '.join(types) or 'none'}"
            raise UsageError(msg)
        try:
            # strictly, as JSON: true is no number, and a list may be a tuple
            values[name] = types[name].validate_json(json.dumps(value, default=str), strict=True)
        except ValidationError as e:
            first = e.errors(include_url=False)[0]
            said = f"{first['msg'][0].lower()}{first['msg'][1:]}"
            if first["type"] in {"tuple_type", "list_type"}:
                said = f"expected a list, such as [{value}]"
            msg = f"{owner}.{name} = {one_line(repr(value), 200)}: {said}"
            raise UsageError(msg) from None
        if why := unstorable(values[name]):
            msg = f"{owner}.{name} = {one_line(repr(value), 200)}: {why}"
            raise UsageError(msg)
    return values


def unstorable(value: Setting) -> str:
    """Why audit.json cannot hold a setting: a number, or one in a list, that JSON has no word for; "" where it can."""
    for part in value if isinstance(value, tuple) else (value,):
        if isinstance(part, float) and not math.isfinite(part):
            return "expected a finite number"
        if isinstance(part, int) and abs(part) > SAFE:
            return f"expected a whole number of at most {SAFE:,}"
    return ""


def json_schema(function: Function) -> dict[str, dict[str, Any]]:
    """JSON Schema of every setting; its default, one a profile where they differ."""
    found = {}
    given = _given(function)
    for name, adapter in _types(function).items():
        d = given[name]
        shown = {"quick": d.quick, "standard": d.standard, "deep": d.deep} if isinstance(d, Sizes) else d
        found[name] = {**adapter.json_schema(), "default": shown}
    return found


def _given(function: Function) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def _types(function: Function) -> dict[str, TypeAdapter[Any]]:
    hints = typing.get_type_hints(function, include_extras=True)
    found = {}
    for name, default in _given(function).items():
        hint = hints[name]
        # a bound of its own stays: pydantic would let a second one take its place
        found[name] = TypeAdapter(Annotated[hint, Field(ge=0)] if isinstance(default, Sizes) and hint is int else hint)
    return found
