"""An audit file to a folder: open, run, write. Used by the command line, the demos, the defences and the jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auditor.audit import Finished, run
from auditor.opening import Opened
from auditor.store import Record, replacing
from auditor.types import Audit
from reports.bundle import write

__all__ = ["execute", "run_to"]


def execute(
    opened: Opened,
    on_start: Callable[[str], None] = lambda _: None,
    on_finish: Callable[[Finished], None] = lambda _: None,
) -> Record:
    """Run the audit; what it found, with its evidence arrays and what each check cost."""
    arrays: dict[str, Any] = {}
    costs: dict[str, Any] = {}

    def finished(f: Finished) -> None:
        arrays.update(f.arrays)
        costs[f.outcome.check] = asdict(f.cost)
        on_finish(f)

    started = datetime.now(UTC).isoformat(timespec="seconds")
    audit = run(
        opened.model, opened.data, reference=opened.reference, selection=opened.selection, policy=opened.policy,
        subject=opened.subject, statements=opened.statements, seed=opened.seed, on_start=on_start, on_finish=finished,
    )  # fmt: skip
    ended = datetime.now(UTC).isoformat(timespec="seconds")
    return Record(audit, arrays, {"started": started, "finished": ended, "checks": costs})


def run_to(
    folder: Path,
    opened: Opened,
    on_start: Callable[[str], None] = lambda _: None,
    on_finish: Callable[[Finished], None] = lambda _: None,
) -> Audit:
    """Run the audit and write it to `folder`, which an older audit there leaves only when the new one is complete."""
    with replacing(folder) as fresh:
        record = execute(opened, on_start, on_finish)
        write(record, fresh)
    return record.audit
