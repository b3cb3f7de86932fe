"""Audits that the dashboard was asked for, a folder each. It writes what is wanted, the worker what came of it.

HOME/jobs/ID/  upload/         the files as they came, under plain names
               job.json        the audit's name, when it was asked for, which of the files is the audit file
               cancel          there when the dashboard wants it stopped
               state.json      what became of it; written by the worker alone
               progress.jsonl  the checks that run, and a line for each that started or finished; the audit's process
               error.txt       why it was refused or failed, one line; the audit's process
               log.txt         what the audit's process printed
               audit/          the finished audit; whole or not there

HOME is the folder AUDITOR_HOME, or ~/.local/share/torch-auditor. A folder is renamed into place when it is complete.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from app.uploads import checked

__all__ = ["OPEN", "Job", "Progress", "every", "find", "home", "progress", "queue", "set_state", "waiting"]

State = Literal["queued", "running", "done", "refused", "failed", "cancelled", "interrupted"]
OPEN: tuple[State, ...] = ("queued", "running")


@dataclass(frozen=True)
class Job:
    """An audit that was asked for. `line` says why it has no result, `verdict` how a written audit ended."""

    id: str
    folder: Path
    name: str
    created: str
    audit_file: str
    state: State = "queued"
    line: str = ""
    verdict: str = ""

    @property
    def audit(self) -> Path:
        """Where the finished audit lies; there is one when `verdict` is not empty."""
        return self.folder / "audit"

    @property
    def wanted(self) -> bool:
        """False when it was asked to stop."""
        return not (self.folder / "cancel").exists()

    def cancel(self) -> None:
        """Ask the worker to stop it."""
        (self.folder / "cancel").touch()


@dataclass(frozen=True)
class Progress:
    """How far an audit is: its checks in order, those that finished, and the one that runs."""

    checks: tuple[str, ...] = ()
    finished: tuple[str, ...] = ()
    running: str = ""


def home() -> Path:
    """The folder that holds everything the dashboard keeps."""
    return Path(os.environ.get("AUDITOR_HOME") or Path.home() / ".local" / "share" / "torch-auditor")


def queue(files: Mapping[str, bytes | memoryview], audit_file: str) -> Job:
    """A new job of these files, `audit_file` being the one that says what to do; UsageError when it does not fit."""
    place = home() / "jobs"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    job_id = secrets.token_hex(16)
    fresh = place / f".{job_id}"
    try:
        (fresh / "upload").mkdir(parents=True)
        for name, content in files.items():
            (fresh / "upload" / name).write_bytes(content)
        subject = checked(fresh / "upload" / audit_file, files)
        created = datetime.now(UTC).isoformat(timespec="microseconds")
        _write(fresh / "job.json", {"name": subject, "created": created, "audit_file": audit_file})
        fresh.rename(place / job_id)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return Job(job_id, place / job_id, subject, created, audit_file)


def every() -> list[Job]:
    """Every job, newest first."""
    return _newest_first(_folders())


def waiting() -> list[Job]:
    """The queued jobs, newest first; cheap, however many jobs there are."""
    return _newest_first(p for p in _folders() if not (p / "state.json").exists())


def _folders() -> Iterator[Path]:
    place = home() / "jobs"
    yield from place.iterdir() if place.is_dir() else ()


def _newest_first(folders: Iterable[Path]) -> list[Job]:
    found = [job for p in folders if (job := find(p.name)) is not None]
    return sorted(found, key=lambda j: (j.created, j.id), reverse=True)


def find(job_id: str) -> Job | None:
    """The job of that id, None when there is none."""
    if not re.fullmatch(r"[0-9a-f]{32}", job_id):
        return None
    folder = home() / "jobs" / job_id
    try:
        return Job(id=job_id, folder=folder, **_read(folder / "job.json"), **_read(folder / "state.json", {}))
    except (OSError, ValueError, TypeError):
        return None


def progress(job: Job) -> Progress:
    """How far the job is; empty until its files are read."""
    try:
        lines = (job.folder / "progress.jsonl").read_text("utf-8").splitlines(keepends=True)
    except OSError:
        return Progress()
    events = [json.loads(line) for line in lines if line.endswith("\n")]  # the last one may be half written
    finished = tuple(e["finished"] for e in events if "finished" in e)
    started = [e["started"] for e in events if "started" in e]
    running = started[-1] if started and started[-1] not in finished else ""
    return Progress(tuple(events[0]["checks"]) if events else (), finished, running)


def set_state(job: Job, state: State, line: str = "", verdict: str = "") -> None:
    """Say what became of the job; for the worker."""
    _write(job.folder / "state.json", {"state": state, "line": line, "verdict": verdict})


def _read(path: Path, absent: dict[str, Any] | None = None) -> dict[str, Any]:
    if absent is not None and not path.exists():
        return absent
    return dict(json.loads(path.read_bytes()))


def _write(path: Path, value: object) -> None:
    """Whole or not at all."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(json.dumps(value), "utf-8")
    fresh.replace(path)
