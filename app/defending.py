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

from app.places import Place
from app.running import overridden
from auditor.config import AuditFile, load_audit_file
from auditor.errors import UsageError
from auditor.folders import COMPARISON, replacing
from auditor.intake.wrapper import KINDS
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

    Writes the new weights to `out` (safetensors; JSON for a wrapper, which trains nothing), and to `report` (`out`
    without its ending and -report, where None) the folders before and after, two ordinary audits, with their
    comparison. While it trains, its state is kept beside `out` (OUT.checkpoint), from which the same call goes on after
    it was stopped.
    """
    file, folder = overridden(load_audit_file(audit_file), profile=profile), audit_file.parent
    _need_defensible(file, folder, out)
    _need_ending(method, out)
    report = report or out.with_name(f"{out.stem}-report")
    checkpoint = out.with_name(f"{out.name}.checkpoint")
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        _saying(checkpoint),
        replacing(report) as fresh,
        tempfile.TemporaryDirectory(dir=out.parent, prefix=".hardened-") as beside,
    ):
        weights = Path(beside) / out.name
        notes = _trained(file, folder, method, weights, checkpoint, place)
        before = _written(place.audit(file, folder), fresh / "before")
        after = _written(_of_hardened(file, weights, out, folder, place), fresh / "after")
        write_comparison(before, after, fresh)
        weights.replace(out)
    checkpoint.unlink(missing_ok=True)
    return Defended(before.audit, after.audit, report / COMPARISON, notes)


def _need_defensible(file: AuditFile, folder: Path, out: Path) -> None:
    """UsageError for what no defence can be trained on, or written to."""
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
    if out.resolve() == (folder / file.model.path).resolve():
        msg = f"--out {str(out)!r} is the model itself, which is never overwritten; give another file"
        raise UsageError(msg)


def _need_ending(method: str, out: Path) -> None:
    """UsageError for a file that is not called as what the defence gives: weights, or a wrapper."""
    ending = ".json" if method in KINDS else ".safetensors"
    if out.suffix != ending or out.is_dir():
        msg = f"--out {str(out)!r} must be a file that ends in {ending}"
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


def _of_hardened(file: AuditFile, weights: Path, out: Path, folder: Path, place: Place) -> Record:
    """The audit of the new `weights`, described as they will stand when they are moved to `out`."""
    record = place.audit(_hardened(file, weights, folder), folder)
    settled = {"audit_file_sha256": _hardened(file, out, folder).digest()}
    return replace(record, audit=replace(record.audit, subject=record.audit.subject | settled))


def _hardened(file: AuditFile, out: Path, folder: Path) -> AuditFile:
    """The same audit file with the new weights, or with the wrapper, around what it describes."""
    assert file.model is not None  # noqa: S101 - see _need_defensible
    version = f"{file.subject.version}, hardened".removeprefix(", ")
    path = os.path.relpath(out.resolve(), folder.resolve())
    trust = file.model.trust if out.suffix == ".json" else "data"
    return file.model_copy(
        update={
            "model": file.model.model_copy(update={"path": path, "trust": trust}),
            "subject": file.subject.model_copy(update={"version": version}),
        }
    )
