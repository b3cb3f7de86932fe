"""When something that is written says it was written."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from auditor.errors import UsageError

__all__ = ["EPOCH", "now", "source_date"]

EPOCH = "SOURCE_DATE_EPOCH"  # https://reproducible-builds.org/specs/source-date-epoch/


def source_date() -> datetime | None:
    """The instant that SOURCE_DATE_EPOCH names, None where it is not set. UsageError where it names none."""
    given = os.environ.get(EPOCH)
    if not given:
        return None
    try:
        return datetime.fromtimestamp(int(given), UTC)
    except (ValueError, OverflowError, OSError):
        msg = f"{EPOCH} is {given!r:.60}; it must be a number of seconds since 1970"
        raise UsageError(msg) from None


def now() -> datetime:
    """This instant, or that of SOURCE_DATE_EPOCH, to the second."""
    return source_date() or datetime.now(UTC).replace(microsecond=0)
