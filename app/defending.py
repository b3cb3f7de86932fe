"""Harden a model and audit it before and after."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from app.hardened import as_audited, laid_out, need_place
from app.places import Place
from app.running import overridden
from auditor.config import AuditFile, load_audit_file
from auditor.errors import UsageError
from auditor.folders import COMPARISON, replacing
from auditor.policy import was_interrupted
from auditor.store import Record
from auditor.types import Audit
from reports.bundle import write
from reports.compare import write as write_comparison

__all__ = ["Defended", "defend_file"]


@dataclass(frozen=True)
class Defended:
    """The audits before and after, their comparison, and what must be known of the training, a sentence each."""

    before: Audit
    after: Audit
    comparison: Path
    notes: tuple[str, ...]


def defend_file(
    audit_file: Path, method: str, out: Path, report: Path | None = None, *,
    place: Place, profile: str | None = None,
) -> Defended:  # fmt: skip
    """Train a hardened copy of the audit file's model with the defence `method`, settings from its [defend.METHOD].

    Writes the new weights to `out` (safetensors, a new directory where the model is one; JSON for a wrapper, which
    trains nothing), and to `report` (`out` without its ending and -report, where None) the folders before and after,
    two ordinary audits, with their comparison. While it trains, its state is kept beside `out` (OUT.checkpoint), from
    which the same call goes on after it was stopped.
    """
    file, folder = overridden(load_audit_file(audit_file), profile=profile), audit_file.parent
    _need_defensible(file, folder)
    need_place(file, folder, method, out)
    report = report or out.with_name(f"{out.stem}-report")
    checkpoint = out.with_name(f"{out.name}.checkpoint")
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        _saying(checkpoint),
        replacing(report) as fresh,
        tempfile.TemporaryDirectory(dir=out.parent, prefix=".hardened-") as beside,
    ):
        made = Path(beside) / "made"
        notes = _trained(file, folder, method, made, checkpoint, place)
        made = laid_out(file, folder, method, made, out)
        before = _written(place.audit(file, folder), fresh / "before")
        after = _written(_of_hardened(file, made, out, folder, place), fresh / "after")
        write_comparison(before, after, fresh, notes=notes)
        made.replace(out)
    checkpoint.unlink(missing_ok=True)
    return Defended(before.audit, after.audit, report / COMPARISON, notes)


def _need_defensible(file: AuditFile, folder: Path) -> None:
    """UsageError for what no defence can be trained on."""
    if file.model is None:
        msg = "a defence needs [model]; this audit file has predictions only"
        raise UsageError(msg)
    if file.data.reference is None:
        msg = "a defence trains on [data] reference, which the audit file does not name; never on the audited rows"
        raise UsageError(msg)
    if (folder / file.data.path).resolve() == (folder / file.data.reference).resolve():
        msg = (
            f"[data] reference is {file.data.reference!r}, the audited data; a defence never trains on the audited rows"
        )
        raise UsageError(msg)


def _trained(
    file: AuditFile, folder: Path, method: str, weights: Path, checkpoint: Path, place: Place
) -> tuple[str, ...]:
    with Progress(console=Console(stderr=True), disable=not os.isatty(2), transient=True) as bar:
        task = bar.add_task("training", total=None)
        return place.harden(
            file, folder, method, weights,
            on_epoch=lambda done, of: bar.update(task, completed=done, total=of), checkpoint=checkpoint,
        )  # fmt: skip


@contextmanager
def _saying(checkpoint: Path) -> Iterator[None]:
    """Whoever stops it is told that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint.is_file():
            said = f"the training so far is kept in {checkpoint.name}; the same command goes on with it"
            Console(stderr=True, soft_wrap=True).print(said, markup=False, highlight=False)
        raise


def _written(record: Record, folder: Path) -> Record:
    if was_interrupted(record.audit):
        raise KeyboardInterrupt
    folder.mkdir()
    write(record, folder)
    return record


def _of_hardened(file: AuditFile, made: Path, out: Path, folder: Path, place: Place) -> Record:
    """The audit of what was `made`, described as it will stand when it is moved to `out`."""
    record = place.audit(as_audited(file, made, folder), folder)
    settled = {"audit_file_sha256": as_audited(file, out, folder).digest()}
    return replace(record, audit=replace(record.audit, subject=record.audit.subject | settled))
