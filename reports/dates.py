"""When an audit was made, and until when its report may be relied on."""

from __future__ import annotations

from datetime import datetime

from auditor.clock import fixed, moment
from auditor.policy import accepted_until
from auditor.store import Record

__all__ = ["measured_at", "measured_on", "valid_until"]

YEARS = 1


def measured_at(record: Record) -> datetime | None:
    """The moment the audit was made; that of SOURCE_DATE_EPOCH where it is set, None where nothing says it."""
    if at := fixed():
        return at
    started = str(record.run.get("started", ""))
    return moment(started) if started else None


def measured_on(record: Record) -> str:
    """The day and minute the audit was made; "" where nothing says it."""
    at = measured_at(record)
    return f"{at:%-d %b %Y, %H:%M} UTC" if at else ""


def valid_until(record: Record) -> str:
    """The day by which an audit is to be made or judged again, and why; "" where nothing says when it was made.

    That is a year later, 28 February for the 29th, or the day on which an acceptance ends that the verdict rests on.
    """
    at = measured_at(record)
    if at is None:
        return ""
    day = 28 if (at.month, at.day) == (2, 29) else at.day
    later, accepted = at.replace(year=at.year + YEARS, day=day).date(), accepted_until(record.audit)
    if accepted and accepted < later:
        return f"{accepted:%-d %b %Y}, when an acceptance ends"
    return f"{later:%-d %b %Y} by policy of one year"
