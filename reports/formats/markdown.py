"""summary.md: for the page of a job and as a comment on a pull request, without a link."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from auditor.policy import acceptance_of
from auditor.store import Record
from auditor.types import Acceptance, Audit, Outcome
from reports.dates import measured_at
from reports.findings import Finding, findings, in_a_line, judged
from reports.formats.inert import code, text
from reports.headline import doubts, most_telling_size
from reports.legible import legible
from reports.since import State, counts_since, fixed_ids
from reports.verdict import coverage, why
from reports.words import STATUS, VERDICT, counted, figure, slice_words, subject_name

__all__ = ["summary"]

MOST_BYTES = 58_000  # GitHub takes 65,536 characters in a comment, and whoever posts it may write above it
OF_FINDINGS = 28_000  # so that there is room for all else, however long its names
MOST, MOST_NAMED = 20, 10  # findings, and ids in a sentence
SOON = timedelta(days=30)


def summary(record: Record) -> str:
    """Markdown of less than 60 kB: the verdict and why, what needs a decision, what ran, and folded every check.

    With a baseline what is new comes first, with how many findings are new, fixed, worse and better. What has no room
    is counted.
    """
    audit = legible(record.audit)
    found = sorted(findings(audit), key=lambda f: f.state != State.NEW)
    head = [f"## {VERDICT[audit.verdict]}: audit of {text(subject_name(audit), 200)}", "", text(why(audit), 1_000), ""]
    head += _since(audit, found)
    listed = _fitting([_line(f) for f in found], OF_FINDINGS, "finding", MOST)
    notes = [
        *listed,
        *(f"- **Caveat** {text(c)}" for c in doubts(audit, _day(record))),
        *_accepted(audit, _day(record)),
    ]
    foot = ["", text(coverage(audit)), "", f"<details><summary>{counted(len(audit.outcomes), 'check')}</summary>", ""]
    foot += ["| check | status | figures |", "| --- | --- | --- |"]
    room = MOST_BYTES - sum(len(line.encode()) + 1 for line in (*head, *notes, *foot))
    rows = _fitting([_row(audit, o) for o in audit.outcomes], room, "check", len(audit.outcomes))
    return "\n".join([*head, *notes, *foot, *rows, "", "</details>", ""])


def _line(f: Finding) -> str:
    state = f" ({f.state})" if f.state else ""
    said = in_a_line(f).removeprefix(STATUS[f.status])
    return f"- **{f.key} {STATUS[f.status]}**{state}{text(said, 600)} {code(f.id)}"


def _since(audit: Audit, found: Sequence[Finding]) -> list[str]:
    """How many findings are new, fixed, worse and better than in the baseline, and which are fixed."""
    if audit.baseline is None:
        return []
    gone, of = fixed_ids(audit), counts_since(audit, ((f.id, f.state) for f in found))
    name = text(audit.baseline.name or "the baseline", 200)
    lines = [f"Since the baseline ({name}, {VERDICT[audit.baseline.verdict].lower()}): {of}.", ""]
    return [*lines, f"Fixed: {_named([code(each, 100) for each in gone])}.", ""] if gone else lines


def _accepted(audit: Audit, day: date | None) -> Iterator[str]:
    """How many findings somebody answers for, and which of these acceptances expire soon."""
    held: dict[str, Acceptance] = {}
    for o, j, _ in judged(audit):
        if j.accepted and (by := acceptance_of(audit.policy, o.check, j)):
            held[by.finding] = by
    if not held:
        return
    soon = [by for by in held.values() if day and by.expires <= day + SOON]
    listed = [f"{code(by.finding, 100)} on {by.expires:%-d %b %Y} ({text(by.owner, 60)})" for by in soon]
    expiring = f" Expiring within {SOON.days} days: {_named(listed)}." if soon else ""
    yield from ("", f"Accepted for now: {counted(len(held), 'finding')}.{expiring}")


def _named(each: Sequence[str]) -> str:
    more = f" and {len(each) - MOST_NAMED} more" if len(each) > MOST_NAMED else ""
    return ", ".join(each[:MOST_NAMED]) + more


def _day(record: Record) -> date | None:
    """The day of the audit; None where nothing says it."""
    at = measured_at(record)
    return at.date() if at else None


def _row(audit: Audit, o: Outcome) -> str:
    check = code(o.check).replace("|", "\\|")
    return f"| {check} | {STATUS[o.status]} | {_figures(audit, o)} |"


def _figures(audit: Audit, o: Outcome) -> str:
    """What was judged of a check, else its first measure, else why there is none."""
    if o.result is None:
        return text(o.reason)
    shown = [m for owner, _, m in judged(audit) if owner is o][:3]
    if not shown:
        telling = most_telling_size([m for m in o.result.measures if m.name == "robust_accuracy"])
        shown = [telling] if telling else list(o.result.measures[:1])
    return "; ".join(text(f"{m.name} {slice_words(m.slice)} {figure(m)}") for m in shown)


def _fitting(lines: Sequence[str], room: int, what: str, most: int) -> list[str]:
    """The first of `lines`, `most` at most, that fit into `room` bytes; then how many are left out."""
    kept: list[str] = []
    for line in lines[:most]:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    left_out = len(lines) - len(kept)
    return [*kept, "", f"{counted(left_out, f'more {what}')}, in report.html."] if left_out else kept
