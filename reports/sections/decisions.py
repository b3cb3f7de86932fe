"""Findings: the worst in full, those behind the first few folded on a phone, all others a line each by check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from auditor.types import Audit
from reports.findings import Finding, judged
from reports.parts import Folded, Grid, Section
from reports.saying import WARNS
from reports.words import STATUS, counted

__all__ = ["decisions"]

OPEN, IN_FULL = 3, 20
COLUMNS = ("finding", "verdict", "in words", "measured", "limit", "id")


@dataclass(frozen=True)
class Decisions:
    """Findings in full; the `later` ones are behind a click where the page is narrow."""

    kind: ClassVar[str] = "decisions"
    first: Sequence[Finding]
    later: Sequence[Finding]


def decisions(audit: Audit, found: Sequence[Finding]) -> Section:
    """The section; a sentence alone where nothing was found."""
    if not found:
        met = "every limit that was judged is met" if any(judged(audit)) else "no limit of the policy was judged"
        return Section("findings", "Findings", f"Nothing needs a decision here: {met}.", [], "0")
    answer = (
        f"{counted(len(found), 'finding')}, worst first. In each picture the dot is the estimate, the bar its 95 % "
        "interval, the dashed line the limit; the tinted side does not pass."
    )
    blocks: list[Any] = [Decisions(found[:OPEN], found[OPEN:IN_FULL])]
    if further := found[IN_FULL:]:
        answer += f" The worst {IN_FULL} stand in full, the others by check."
        blocks += [_of_check(check, further) for check in dict.fromkeys(f.check for f in further)]
    return Section("findings", "Findings that need a decision", answer, blocks, str(len(found)))


def _of_check(check: str, further: Sequence[Finding]) -> Folded:
    """The further findings of one check, a line each."""
    own = [f for f in further if f.check == check]
    statuses = [f.status for f in own]
    listed = ", ".join(f"{statuses.count(s)} {STATUS[s].lower()}" for s in dict.fromkeys(statuses))
    said = f"{check}: {counted(len(own), 'further finding')} ({listed})"
    rows = [[f.key, _verdict(f), f.sentence, f"{f.value}{f.interval}", f.limit, f.id] for f in own]
    return Folded(said, [Grid(f"Further findings of {check}", COLUMNS, rows)])


def _verdict(f: Finding) -> str:
    """How it came out by its rows, and what it counts as where somebody has accepted it."""
    return f"{STATUS[f.status]}, {WARNS}" if f.accepted and not f.expired else STATUS[f.status]
