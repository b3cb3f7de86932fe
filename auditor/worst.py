"""The worst of several ends of limits."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

from auditor.types import Status

__all__ = ["WORST_FIRST", "worst_of"]

WORST_FIRST = (Status.FAIL, Status.WARN, Status.INCONCLUSIVE, Status.PASS)
Key = TypeVar("Key", bound=Hashable)


def worst_of(found: Iterable[tuple[Key, Status]]) -> dict[Key, Status]:
    """The worst status of each key, in the order in which the keys come first."""
    worst: dict[Key, Status] = {}
    for key, status in found:
        worst[key] = min((worst.get(key, status), status), key=WORST_FIRST.index)
    return worst
