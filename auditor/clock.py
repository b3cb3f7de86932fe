"""The time as reports and policies may know it: SOURCE_DATE_EPOCH where that is set, so that two runs are alike."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime

from auditor.errors import UsageError

__all__ = ["fixed", "today"]


def fixed() -> datetime | None:
    """The moment that SOURCE_DATE_EPOCH names, in UTC; None where it is not set. UsageError where it is no number."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return None
    try:
        return datetime.fromtimestamp(int(epoch if epoch.isascii() and epoch.isdigit() else ""), UTC)
    except (ValueError, OverflowError, OSError):
        msg = f"SOURCE_DATE_EPOCH is {epoch!r:.40}; expected the seconds since 1970 as a whole number"
        raise UsageError(msg) from None


def today() -> date:
    """The day it is, in UTC; the one that SOURCE_DATE_EPOCH names where that is set."""
    return (fixed() or datetime.now(UTC)).date()
