"""For pipelines: the exit code. What else they read is in `reports.formats`."""

from __future__ import annotations

from auditor.types import Audit, Verdict

__all__ = ["exit_code"]

EXIT = {Verdict.PASS: 0, Verdict.CONDITIONS: 0, Verdict.FAIL: 1, Verdict.INCOMPLETE: 2}


def exit_code(audit: Audit) -> int:
    """0 pass or conditions, 1 fail, 2 incomplete."""
    return EXIT[audit.verdict]
