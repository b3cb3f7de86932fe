"""What the pillars share: which checks ran, and how one that nobody has written a picture for is shown."""

from __future__ import annotations

from typing import Any

from auditor.types import Audit, Measure, Outcome, Status
from reports.parts import CheckHead, Folded, HeatCell, grid_of, interval_words, measures_grid
from reports.words import number

__all__ = ["FEW", "plain_blocks", "ran", "rate_cell", "status_of"]

NOISY = (Status.FAIL, Status.ERROR, Status.WARN, Status.INCONCLUSIVE)
FEW = 10
TINTS = (0.15, 0.3, 0.5, 0.75)


def ran(audit: Audit, topic: str) -> list[Outcome]:
    """The outcomes of a topic that have a result."""
    return [o for o in audit.outcomes if o.check.partition(".")[0] == topic and o.result is not None]


def status_of(outcome: Outcome, m: Measure) -> str:
    """How a measure was judged: the worst of its judgements, `measured` when none names it."""
    found = [j.status for j in outcome.judgements if (j.measure, j.slice) == (m.name, m.slice)]
    return str(min(found, key=(*NOISY, Status.PASS).index)) if found else str(Status.MEASURED)


def plain_blocks(outcome: Outcome) -> list[Any]:
    """A check as its heading, measures and tables."""
    if outcome.result is None:
        return []
    blocks: list[Any] = [CheckHead.of(outcome)]
    if outcome.result.measures:
        blocks.append(measures_grid(f"Measured by {outcome.check}", outcome.result.measures))
    for table in outcome.result.tables:
        grid = grid_of(table)
        blocks.append(grid if len(grid.rows) <= 12 else Folded(table.title, [grid]))
    return blocks


def rate_cell(m: Measure) -> HeatCell:
    """A rate in a table of tints, the stronger the higher; under FEW rows none."""
    if m.n < FEW or m.value is None:
        return HeatCell("too few", "", f"n {m.n:,}", -1)
    tint = sum(m.value >= t for t in TINTS)
    return HeatCell(number(m.value), interval_words(m, 2), f"n {m.n:,}", tint)
