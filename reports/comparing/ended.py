"""How each check ended in both audits, what is the same on both sides folded or left out."""

from __future__ import annotations

from typing import Any

from auditor.types import Audit, Outcome, Status
from reports.parts import Folded, Grid, Section, tag
from reports.words import STATUS, counted

__all__ = ["ended_section"]


def ended_section(a: Audit, b: Audit, labels: tuple[str, str]) -> Section:
    """The checks that ended differently; those that ended alike are folded, those without a result counted."""
    checks = dict.fromkeys(o.check for o in (*a.outcomes, *b.outcomes))
    sides = {check: (a.outcome(check), b.outcome(check)) for check in checks}
    changed = {check: of for check, of in sides.items() if _status(of[0]) is not _status(of[1])}
    alike = {check: of for check, of in sides.items() if check not in changed and any(o and o.result for o in of)}
    silent = len(sides) - len(changed) - len(alike)
    blocks: list[Any] = []
    if changed:
        blocks.append(_grid("Checks that end differently", changed, labels))
    if alike:
        blocks.append(
            Folded(f"{counted(len(alike), 'check')} with the same end", [_grid("Checks that end alike", alike, labels)])
        )
    said = f"{len(changed)} of {len(sides)} checks end differently." if changed else "Every check ends as before."
    beside = (
        f" {counted(silent, 'check')} {'has' if silent == 1 else 'have'} no result on either side." if silent else ""
    )
    return Section("verdicts", "Verdicts of the checks", f"{said}{beside}", blocks)


def _grid(caption: str, found: dict[str, tuple[Outcome | None, Outcome | None]], labels: tuple[str, str]) -> Grid:
    return Grid(caption, ("check", *labels), [[check, *(_cell(o) for o in of)] for check, of in found.items()])


def _cell(o: Outcome | None) -> Any:
    return tag(o.status) if o else STATUS[Status.SKIPPED]


def _status(o: Outcome | None) -> Status:
    return o.status if o else Status.SKIPPED
