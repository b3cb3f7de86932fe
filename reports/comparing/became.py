"""What became of the findings of two audits: new, worse, better, unchanged, fixed, or no longer measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from auditor.comparing.baseline import worst_statuses
from auditor.comparing.changes import Change
from auditor.types import Audit, Measure, Status, finding_id
from reports.comparing.naming import change_words, interval_of, n_words, values_words
from reports.findings import Finding, findings
from reports.saying import say

__all__ = ["Became", "FindingChange", "finding_changes"]


class Became(StrEnum):
    """What became of a finding; worse or better only where the 95 % interval of its change leaves 0 out."""

    NEW = "new"
    WORSE = "worse"
    BETTER = "better"
    UNCHANGED = "unchanged"
    FIXED = "fixed"
    OTHERWISE = "not comparable"
    UNMEASURED = "no longer measured"


@dataclass(frozen=True)
class FindingChange:
    """A finding of either audit: `before` and `after` are its figure, `low` and `high` the 95 % interval of `change`.

    `status_before` and `status_after` are by the second audit's policy, None where no limit was judged. `sentence` says
    what was found, `moved` how far its figure moved; figures are None and `moved` is empty where there is no figure.
    """

    id: str
    became: Became
    sentence: str
    moved: str
    status_before: Status | None
    status_after: Status | None
    before: float | None = None
    after: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    paired: bool = False
    doubt: str = ""


@dataclass(frozen=True)
class Side:
    """An audit with its figures and how they came out, by the ids of findings; errors by their check."""

    audit: Audit
    figures: Mapping[str, tuple[str, Measure]]
    statuses: Mapping[str, Status]


def finding_changes(first: Audit, second: Audit, found: Sequence[Change]) -> tuple[FindingChange, ...]:
    """Every finding of either audit, once for a figure; both are judged by one policy, `second` beside `first`."""
    then, now = _worst(first), _worst(second)
    sides = _side(first), _side(second)
    moved = {finding_id(c.check, c.name, c.slice): c for c in found}
    listed = [(_stayed(f, then), f) for f in now.values()]
    listed += [(_gone(f, *sides), f) for key, f in then.items() if key not in now]
    listed.sort(key=lambda row: list(Became).index(row[0]))
    return tuple(_change(became, f, sides, moved.get(f.id)) for became, f in listed)


def _worst(audit: Audit) -> dict[str, Finding]:
    """The worst finding of each figure, in their order; none of a limit that only waits for a baseline."""
    by_id: dict[str, Finding] = {}
    for f in findings(audit):
        if f.judgement or not (f.limit_of and f.limit_of.is_of_change):
            by_id.setdefault(f.id, f)
    return by_id


def _side(audit: Audit) -> Side:
    figures = {finding_id(o.check, m.name, m.slice): (o.check, m) for o in audit.outcomes for m in o.measures}
    statuses = {finding_id(*key): status for key, status in worst_statuses(audit).items()}
    errors = {o.check: o.status for o in audit.outcomes if o.status is Status.ERROR}
    return Side(audit, figures, statuses | errors)


def _stayed(f: Finding, then: Mapping[str, Finding]) -> Became:
    """Of a finding of the second audit; one without a figure, such as an error, is new or unchanged."""
    return Became(f.state) if f.state else Became.UNCHANGED if f.id in then else Became.NEW


def _gone(f: Finding, first: Side, second: Side) -> Became:
    """Of a finding of the first audit alone: fixed only where the second looked alike and found that it is none."""
    baseline, m = second.audit.baseline, f.measure
    shift = baseline.shift(f.check, m.name, m.slice) if baseline and m else None
    if shift and shift.differs_otherwise:
        return Became.OTHERWISE
    outcome = second.audit.outcome(f.check)
    looked = f.id in second.statuses if f.id in first.figures else outcome is not None and outcome.result is not None
    return Became.FIXED if looked else Became.UNMEASURED


def _change(became: Became, f: Finding, sides: tuple[Side, Side], c: Change | None) -> FindingChange:
    first, second = sides
    statuses = (first.statuses.get(f.id), second.statuses.get(f.id))
    sentence = say(second.audit, *second.figures[f.id]) if f.id in second.figures else f.sentence
    if c is None:
        return FindingChange(f.id, became, sentence, "", *statuses)
    low, high = c.ends or (None, None)
    return FindingChange(
        f.id, became, sentence, _moved_words(c), *statuses, c.before, c.after, c.value, low, high, c.paired, c.doubt
    )


def _moved_words(c: Change) -> str:
    """`It went from 0.94 to 0.69, by -0.25 (95 % interval -0.31 to -0.19; n = 500, paired).`"""
    before, after = values_words(c)
    if c.value is None:
        return f"Before: {before}; after: {after}."
    beside = "; ".join(words for words in (n_words(c), c.doubt) if words)
    interval = f"95 % interval {interval_of(c)}; " if c.ends else ""
    return f"It went from {before} to {after}, by {change_words(c)} ({interval}{beside})."
