"""An audit in a few lines, for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from auditor.errors import one_line

__all__ = ["told"]


def told(audit: Any, folder: Path | None) -> str:
    """The verdict, what did not pass, and where the report is."""
    from auditor.clock import today
    from auditor.types import Verdict
    from reports.findings import findings, in_a_line
    from reports.headline import doubts, headline
    from reports.verdict import why
    from reports.words import VERDICT, subject_name

    lines = [one_line(f"{VERDICT[audit.verdict]}: {subject_name(audit)}")]
    lines += [f"  {one_line(why(audit))}"] if audit.verdict is Verdict.INCOMPLETE else []
    found = findings(audit)
    lines += [f"  {one_line(in_a_line(f))}" for f in found]
    lines += [f"  {one_line(in_a_line(f))}" for f in headline(audit, found) if not f.key]
    lines += [f"  Caveat: {one_line(c)}" for c in doubts(audit, today())]
    lines += [f"report: {folder / 'report.html'}"] if folder is not None else []
    return "\n".join(lines)
