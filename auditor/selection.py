"""Which checks an audit runs, how large, and with which settings of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import auditor.checks  # noqa: F401 - importing registers every check
from auditor.errors import UsageError
from auditor.nearest import did_you_mean
from auditor.registry import CHECKS, Check
from auditor.settings import Profile
from auditor.types import Setting

__all__ = ["PREFLIGHT", "Selection", "choose", "in_order"]

PREFLIGHT = "intake.preflight"


@dataclass(frozen=True)
class Selection:
    """Which checks run, how large, with which settings of their own (by check id)."""

    profile: Profile = "standard"
    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    settings: Mapping[str, Mapping[str, Any]] | None = None


def choose(selection: Selection) -> tuple[list[Check], dict[str, dict[str, Setting]]]:
    """The checks that run, in order, and the validated settings of all; UsageError for what does not exist."""
    for pattern in (*selection.only, *selection.skip):
        if not any(fnmatchcase(known, pattern) for known in CHECKS):
            topics = dict.fromkeys(f"{c.topic}.*" for c in CHECKS.values())
            msg = f"no check matches {pattern!r}; {did_you_mean(pattern, (*topics, *CHECKS))}known: {_known()}"
            raise UsageError(msg)
    for check in selection.settings or {}:
        if check not in CHECKS:
            msg = f"settings for {check!r}, which is no check; {did_you_mean(check, CHECKS)}known: {_known()}"
            raise UsageError(msg)
    given = selection.settings or {}
    chosen = [c for c in in_order() if c.id == PREFLIGHT or _selected(c.id, selection)]
    return chosen, {c.id: c.params(given.get(c.id, {}), selection.profile) for c in in_order()}


def _known() -> str:
    """The ids of all checks by their topics, short enough for one line: `fairness.(groups, impact_ratio)`."""
    topics: dict[str, list[str]] = {}
    for id in sorted(CHECKS):  # noqa: A001
        topics.setdefault(CHECKS[id].topic, []).append(id.partition(".")[2])
    several = {topic: f"({', '.join(names)})" if len(names) > 1 else names[0] for topic, names in topics.items()}
    return ", ".join(f"{topic}.{names}" for topic, names in several.items())


def _selected(id: str, selection: Selection) -> bool:  # noqa: A002
    wanted = not selection.only or any(fnmatchcase(id, p) for p in selection.only)
    return wanted and not any(fnmatchcase(id, p) for p in selection.skip)


def in_order() -> Iterator[Check]:
    """Every check as it runs and is listed: the preflight, then by id, at last those that read what others keep.

    See `Check.reads`. What comes out of a process of its own is expected in the order of this list.
    """
    yield from sorted(CHECKS.values(), key=lambda c: (c.id != PREFLIGHT, bool(c.reads), c.id))
