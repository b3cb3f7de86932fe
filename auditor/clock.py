"""The time as reports and policies may know it: SOURCE_DATE_EPOCH where that is set, so that two runs are alike."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime

from auditor.errors import UsageError

__all__ = ["fixed", "moment", "today"]

FIRST_YEAR, LAST_YEAR = 1970, 9000  # what holds for a year or for days must end within the calendar


def fixed() -> datetime | None:
    """The moment that SOURCE_DATE_EPOCH names, in UTC; None where it is not set. UsageError where it is no number."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return None
    try:
        return _known(datetime.fromtimestamp(int(epoch if epoch.isascii() and epoch.isdigit() else ""), UTC))
    except (ValueError, OverflowError, OSError):
        msg = f"SOURCE_DATE_EPOCH is {epoch!r:.40}; expected the seconds since 1970 as a whole number"
        raise UsageError(msg) from None


def moment(text: str) -> datetime:
    """The moment that `text` names by ISO 8601, in UTC. ValueError for what is none from 1970 on."""
    return _known(datetime.fromisoformat(text)).astimezone(UTC)


def today() -> date:
    """The day it is, in UTC; the one that SOURCE_DATE_EPOCH names where that is set."""
    return (fixed() or datetime.now(UTC)).date()


def _known(at: datetime) -> datetime:
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        msg = f"{at.year} lies outside of {FIRST_YEAR} to {LAST_YEAR}"
        raise ValueError(msg)
    return at
