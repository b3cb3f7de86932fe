"""What was not measured: checks without a result by why, what these rows are too few for, and what no check reaches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from auditor.lists import listed
from auditor.policy import INTERRUPTED, NOT_SELECTED
from auditor.types import Audit, Outcome, Status
from auditor.unanswered import is_awaited, unanswered
from reports.parts import Facts, Folded, Grid, Heading, Prose, Section
from reports.pillars.common import FEW
from reports.sections.method import asked
from reports.sections.out_of_reach import AS_OF, OUT_OF_REACH
from reports.words import counted, figure_words, isolated, slice_words

__all__ = ["unmeasured"]

OPEN = 8  # rows of a table in sight
LISTED = 12  # names in a sentence
REFERENCE = "reference"
ERROR, UNFINISHED, NEEDS_REFERENCE, NOT_APPLICABLE, UNSELECTED = (
    "that ended in an error",
    "that did not finish",
    "without the reference data to run on",
    "that did not apply",
    "not selected",
)


def unmeasured(audit: Audit) -> Section:
    """The section."""
    silent = [o for o in audit.outcomes if o.result is None]
    blocks: list[Any] = [*_required(audit)]
    for why in (ERROR, UNFINISHED, NEEDS_REFERENCE, NOT_APPLICABLE, UNSELECTED):
        if own := [o for o in silent if _why(audit, o) == why]:
            blocks += _checks(why, own)
    if too_few := [Prose(said) for said in (*_few_rows(audit), *_no_rows(audit))]:
        blocks += [Heading("What these rows are too few for"), *too_few]
    blocks += [
        Heading("What no check of this audit reaches"),
        Facts([(limit.what, limit.meaning) for limit in OUT_OF_REACH if not _ran(audit, limit.unless)]),
        Prose(f"This list is the tool's own, of {AS_OF}; it holds for every audit.", small=True),
    ]
    said = f"{len(silent)} of {counted(len(audit.outcomes), 'check')} gave no figure. " if silent else ""
    answer = f"{said}Silence about what follows is not good news."
    return Section("gaps", "What was not measured", answer, blocks, str(len(silent)) if silent else "")


def _why(audit: Audit, o: Outcome) -> str:
    """Why a check has no result."""
    if o.status is Status.ERROR:
        return ERROR
    if o.reason == INTERRUPTED:
        return UNFINISHED
    if o.status is Status.SKIPPED or o.reason == NOT_SELECTED:
        return UNSELECTED
    named = bool(audit.subject.get("data", {}).get("reference"))
    return NEEDS_REFERENCE if REFERENCE in o.reason and not named else NOT_APPLICABLE


def _checks(why: str, own: Sequence[Outcome]) -> list[Any]:
    """The checks of one group with their reasons; many behind a click."""
    said = f"{counted(len(own), 'check')} {why}"
    rows = [[o.title, o.reason, o.check] for o in own]
    grid = Grid(said, ("check", "reason", "id"), rows)
    return [grid] if len(own) <= OPEN else [Folded(said, [grid])]


def _required(audit: Audit) -> list[Any]:
    """The limits that nothing was judged by: required, or on what is not there."""
    rows = [
        [figure_words(limit.measure) or "a result", slice_words(limit.slice or ""), asked(limit), f"{why}."]
        for limit, why in unanswered(audit)
        if is_awaited(limit, audit.outcomes)
    ]
    if not rows:
        return []
    caption = (
        "Limits of the policy that nothing was judged by: required ones, and those on a slice that is not there, on a "
        "bound without a value or on a change without a baseline"
    )
    return [Grid(caption, ("measure", "about", "limit", "why"), rows)]


def _few_rows(audit: Audit) -> Iterator[str]:
    """The groups that rates and gaps are not shown of, and where figures of them are."""
    of_groups = [m for m in audit.measures("fairness.groups") if "=" in m.slice and "&class=" not in m.slice]
    sizes: dict[str, int] = {}
    for m in of_groups:
        sizes[m.slice] = max(m.n, sizes.get(m.slice, 0))
    few = [slice_words(about) for about, n in sizes.items() if n < FEW]
    if few:
        more = (
            f"; and {len(few) - LISTED:,} more" if len(few) > LISTED else ""
        )  # crossed groups have commas of their own
        said = f"{counted(len(few), 'group')} of fewer than {FEW} rows"
        yield f"{said}: {'; '.join(few[:LISTED])}{more}. {_few_where(audit)}"


def _few_where(audit: Audit) -> str:
    """What is done with small groups, and where not."""
    o = audit.outcome("fairness.groups")
    smallest = o.params.get("smallest_group", FEW) if o else FEW
    return (
        f"Tables of rates show them as too few, and gaps are between groups of {smallest} rows or more. Other figures "
        "by group, such as calibration, stand with their n: of so few rows they say little."
    )


def _no_rows(audit: Audit) -> Iterator[str]:
    """The classes of which the data hold no row."""
    recalls = {
        m.slice.removeprefix("class="): m.n for m in audit.measures("performance.accuracy") if m.name == "recall"
    }
    classes = [str(c) for c in audit.subject.get("data", {}).get("classes", [])]
    without = [isolated(c) for c in classes if recalls and not recalls.get(c)]
    if without:
        yield f"{len(without):,} of {len(classes):,} classes without a row: {listed(without, LISTED)}."


def _ran(audit: Audit, prefix: str) -> bool:
    return any(o.check.startswith(prefix) and o.result is not None for o in audit.outcomes)
