"""What the pillars share: which checks ran, and how one that nobody has written a picture for is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditor.types import Audit, Measure, Outcome, Status
from reports.parts import CheckHead, Folded, HeatCell, Prose, grid_of, interval_words, measures_grid
from reports.words import counted, figure, figure_words, number, slice_words

__all__ = ["FEW", "in_short", "plain_blocks", "ran", "rate_cell", "status_of"]

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
    """A check as its heading, a sentence, and its measures and tables behind clicks."""
    if outcome.result is None:
        return []
    blocks: list[Any] = [CheckHead.of(outcome), *in_short(outcome)]
    if outcome.result.measures:
        caption = f"Measured by {outcome.check}"
        blocks.append(Folded(caption, [measures_grid(caption, outcome.result.measures)]))
    return [*blocks, *(Folded(t.title, [grid_of(t)]) for t in outcome.result.tables)]


def in_short(outcome: Outcome, name: str = "") -> list[Prose]:
    """A figure of a check in a sentence, its first or that of the `name`: from the lowest to the highest of several.

    Slices of under FEW are left out: a figure of a row or two is no headline.
    """
    known = [m for m in outcome.measures if m.value is not None and name in ("", m.name)]
    every = [m for m in known if m.name == known[0].name]
    own = sorted((m for m in every if m.n >= FEW or not m.slice or len(every) == 1), key=lambda m: m.value or 0.0)
    if not own:
        return []
    what = figure_words(own[0].name)
    what = f"{what[0].upper()}{what[1:]}"
    if len(own) == 1:
        about = f" of {slice_words(own[0].slice)}" if own[0].slice else ""
        return [Prose(f"{what}{about}: {figure(own[0])}.")]
    ends = [number(m.value) for m in (own[0], own[-1])]
    if ends[0] == ends[1]:
        return [Prose(f"{what}: {_everywhere(own)}.")]
    said = (f"{value} ({_about(m)})" for value, m in zip(ends, (own[0], own[-1]), strict=True))
    return [Prose(f"{what}: from {' to '.join(said)}.")]


def _about(m: Measure) -> str:
    """What a figure is of, and of how many: rows, units, whatever its check counts."""
    return f"{slice_words(m.slice) or 'overall'}; n = {m.n:,}"


def _everywhere(own: Sequence[Measure]) -> str:
    """One value that all of the measures have."""
    whole = next((m for m in own if not m.slice), None)
    if whole is None:
        return f"{number(own[0].value)} in each of {len(own):,} figures"
    return f"{figure(whole)}, and the same in {counted(len(own) - 1, 'further figure')}"


def rate_cell(m: Measure) -> HeatCell:
    """A rate in a table of tints, the stronger the higher; under FEW rows none."""
    if m.n < FEW or m.value is None:
        return HeatCell("too few", "", f"n {m.n:,}", -1)
    tint = sum(m.value >= t for t in TINTS)
    return HeatCell(number(m.value), interval_words(m, 2), f"n {m.n:,}", tint)
