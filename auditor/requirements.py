"""What laws, guidance and standards ask for, and which checks are evidence for it: the data file requirements.toml.

Nothing here judges: `reports.crosswalk` says of one audit how far each requirement is evidenced.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property
from importlib import resources

from pydantic import ConfigDict, TypeAdapter

from auditor.errors import UsageError, one_line
from auditor.nearest import nearest

__all__ = ["Catalogue", "Framework", "Requirement", "catalogue", "need_known", "requirement"]

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Framework:
    """A law, guidance or standard: its `edition`, how it stood on `as_of` (`status`), and where that was read."""

    __pydantic_config__ = STRICT

    id: str
    title: str
    edition: str
    status: str
    source: str
    note: str
    as_of: date


@dataclass(frozen=True)
class Requirement:
    """One thing that a framework asks for, in our words: `source` is where it stands there, as read on `as_of`.

    It is evidenced when all of `checks` have a result, having run with these `settings`; `further` checks are evidence
    too, where they apply. `scope` is the part of it that an audit can say. `statement`: only people can say it.
    `not_by_us`: why no figure can. Exactly one of the three is there.
    """

    __pydantic_config__ = STRICT

    id: str
    title: str
    source: str
    as_of: date
    checks: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    scope: str = ""
    statement: bool = False
    not_by_us: str = ""

    def __post_init__(self) -> None:
        """ValueError for an entry that contradicts itself."""
        if [bool(self.checks), self.statement, bool(self.not_by_us)].count(True) != 1:
            msg = f"{self.id} has not exactly one of checks, statement and not_by_us"
            raise ValueError(msg)
        if not self.checks and (self.further or self.settings or self.scope):
            msg = f"{self.id} has further, settings or scope without checks"
            raise ValueError(msg)
        if twice := _twice((*self.checks, *self.further)):
            msg = f"{self.id} names the check {twice} twice"
            raise ValueError(msg)

    @property
    def framework(self) -> str:
        """The id of its framework: what stands before the colon."""
        return self.id.partition(":")[0]


@dataclass(frozen=True)
class Catalogue:
    """All requirements, in the order of their texts, as they stood on `as_of`; `note` is what they are evidence of."""

    __pydantic_config__ = STRICT

    version: str
    as_of: date
    note: str
    framework: tuple[Framework, ...]
    requirement: tuple[Requirement, ...]

    def __post_init__(self) -> None:
        """ValueError for an id that stands there twice, one of no framework, and a date after that of the catalogue."""
        if twice := _twice([f.id for f in self.framework]) or _twice([r.id for r in self.requirement]):
            msg = f"{twice} stands in the catalogue twice"
            raise ValueError(msg)
        known = [f.id for f in self.framework]
        if lone := next((r.id for r in self.requirement if r.framework not in known), ""):
            msg = f"{lone} is of no framework; known: {', '.join(known)}"
            raise ValueError(msg)
        entries: tuple[Framework | Requirement, ...] = (*self.framework, *self.requirement)
        if late := next((e for e in entries if e.as_of > self.as_of), None):
            msg = f"{late.id} was read on {late.as_of}, after the catalogue's own date {self.as_of}"
            raise ValueError(msg)

    @cached_property
    def by_id(self) -> dict[str, Requirement]:
        """Every requirement by its id."""
        return {r.id: r for r in self.requirement}

    def of(self, framework: str) -> list[Requirement]:
        """The requirements of the framework with that id."""
        return [r for r in self.requirement if r.framework == framework]


@cache
def catalogue() -> Catalogue:
    """The catalogue of this version; ValueError where the data file contradicts itself."""
    text = (resources.files("auditor") / "requirements.toml").read_text("utf-8")
    return TypeAdapter(Catalogue).validate_python(tomllib.loads(text))


def requirement(id: str) -> Requirement:  # noqa: A002
    """The requirement with that id; UsageError, with ids near to it, where there is none."""
    found = catalogue().by_id.get(id)
    if found is None:
        raise UsageError(_unknown(id))
    return found


def need_known(ids: Iterable[str], where: str) -> None:
    """UsageError that begins with `where` for the first of `ids` that is no requirement."""
    for given in ids:
        if given not in catalogue().by_id:
            msg = f"{where}: {_unknown(given)}"
            raise UsageError(msg)


def _unknown(given: str) -> str:
    near = nearest(given, catalogue().by_id)
    prefixes = ", ".join(f"{f.id}:" for f in catalogue().framework)
    known = f"near it: {', '.join(near)}" if near else f"ids begin with {prefixes}"
    return f"there is no requirement {one_line(given, 80)!r} in the catalogue of {catalogue().as_of}; {known}"


def _twice(ids: Iterable[str]) -> str:
    return next((i for i, times in Counter(ids).items() if times > 1), "")
