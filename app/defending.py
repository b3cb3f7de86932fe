"""Harden a model and audit it before and after."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from app.running import execute, overridden
from auditor.config import AuditFile, load_audit_file
from auditor.defend import defence
from auditor.errors import UsageError
from auditor.intake.weights import write_weights
from auditor.opening import Opened, digest, open_audit
from auditor.policy import was_interrupted
from auditor.settings import validated
from auditor.store import COMPARISON, Record, replacing
from auditor.types import Audit
from reports.bundle import write
from reports.compare import render

if TYPE_CHECKING:
    from torch import nn

__all__ = ["defend_file"]


def defend_file(
    audit_file: Path, method: str, out: Path, report: Path | None = None, *, profile: str | None = None
) -> tuple[Audit, Audit, Path]:
    """Train a hardened copy of the audit file's model with the defence `method`, settings from its [defend.METHOD].

    Writes the new weights to `out` (safetensors), and to `report` (`out` without its ending and -report, where None)
    the folders before and after, two ordinary audits, with their comparison. Gives the two audits and the comparison.
    """
    function = defence(method)
    file = overridden(load_audit_file(audit_file), profile=profile)
    settings = validated(function, file.defend.get(method, {}), f"defend.{method}")
    if file.model is None:
        msg = "a defence needs [model]; this audit file has predictions only"
        raise UsageError(msg)
    if file.data.reference is None:
        msg = "a defence trains on [data] reference, which the audit file does not name; never on the audited rows"
        raise UsageError(msg)
    if out.suffix != ".safetensors" or out.is_dir():
        msg = f"--out {str(out)!r} must be a file that ends in .safetensors"
        raise UsageError(msg)
    if out.resolve() == (audit_file.parent / file.model.path).resolve():
        msg = f"--out {str(out)!r} is the model itself, which is never overwritten; give another file"
        raise UsageError(msg)
    report = report or out.with_name(f"{out.stem}-report")
    opened = open_audit(file, audit_file.parent)
    data = opened.subject["data"]
    same = (audit_file.parent / file.data.path).resolve() == (audit_file.parent / file.data.reference).resolve()
    if same or data["sha256"] == data["reference_sha256"]:
        msg = f"[data] reference is {data['reference']!r}, the audited data; a defence never trains on the audited rows"
        raise UsageError(msg)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(report) as fresh, tempfile.TemporaryDirectory(dir=out.parent, prefix=".hardened-") as folder:
        weights = Path(folder) / out.name
        write_weights(_trained(opened, function, settings), weights)
        before = _audited(opened, fresh / "before")
        after = _audited(_opened_hardened(file, weights, out, audit_file.parent), fresh / "after")
        (fresh / COMPARISON).write_text(render(before, after), "utf-8")
        weights.replace(out)
    return before.audit, after.audit, report / COMPARISON


def _audited(opened: Opened, folder: Path) -> Record:
    record = execute(opened)
    if was_interrupted(record.audit):
        raise KeyboardInterrupt
    folder.mkdir()
    write(record, folder)
    return record


def _trained(opened: Opened, function: object, settings: Mapping[str, object]) -> nn.Module:
    """The hardened copy of the model."""
    assert opened.model is not None and opened.reference is not None and callable(function)  # noqa: S101, PT018 - see defend_file
    with Progress(console=Console(stderr=True), disable=not os.isatty(2), transient=True) as bar:
        task = bar.add_task("training", total=None)
        module: nn.Module = function(
            opened.model, opened.reference, opened.seed,
            lambda done, of: bar.update(task, completed=done, total=of), **settings,
        )  # fmt: skip
    return module


def _opened_hardened(file: AuditFile, weights: Path, out: Path, folder: Path) -> Opened:
    """The subject with the new `weights`, described as it will stand when they are moved to `out`."""
    opened = open_audit(_hardened(file, weights, folder), folder)
    settled = digest(_hardened(file, out, folder))
    return replace(opened, subject=opened.subject | {"audit_file_sha256": settled})


def _hardened(file: AuditFile, out: Path, folder: Path) -> AuditFile:
    """The same audit file with the new weights."""
    assert file.model is not None  # noqa: S101 - see defend_file
    version = f"{file.subject.version}, hardened".removeprefix(", ")
    return file.model_copy(
        update={
            "model": file.model.model_copy(
                update={"path": os.path.relpath(out.resolve(), folder.resolve()), "trust": "data"}
            ),
            "subject": file.subject.model_copy(update={"version": version}),
        }
    )
