"""What an audit tells while it runs: that it begins, that a check starts, that one has finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.cost import Cost
from auditor.types import Audit, Outcome

__all__ = ["NOBODY", "Finished", "Listener"]


@dataclass(frozen=True)
class Finished:
    """A check that has ended: its outcome, what it cost, and the arrays it keeps as evidence (by `CHECK/KEY`)."""

    outcome: Outcome
    cost: Cost
    arrays: Mapping[str, Any]


@dataclass(frozen=True)
class Listener:
    """Who is told what: `planned` gets the audit before anything of the model or data is touched, `begun` the same once
    they are open and before the first check, `started` a check's id.
    """

    planned: Callable[[Audit], None] = lambda _: None
    begun: Callable[[Audit], None] = lambda _: None
    started: Callable[[str], None] = lambda _: None
    finished: Callable[[Finished], None] = lambda _: None


NOBODY = Listener()
