"""What a worker does with an audit file: audit its model, or harden it. Both run the model's code in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from auditor.audit import plan, run
from auditor.config import AuditFile
from auditor.defend import defence
from auditor.errors import UsageError
from auditor.intake.unwrapping import unwrapped, write_wrapper
from auditor.intake.weights import write_weights
from auditor.opening import open_audit
from auditor.progress import Listener
from auditor.selection import Selection
from auditor.settings import validated
from auditor.types import Audit
from auditor.wrapped.wrapping import Wrapping

__all__ = ["audit", "harden"]


def audit(file: AuditFile, folder: Path, tell: Listener, *, uploaded: bool = False) -> Audit:
    """The audit that `file` asks for; its paths are relative to `folder`.

    What checks and defences cannot do is refused before the model is loaded. With `uploaded` nothing that brings Python
    of its own is accepted.
    """
    checks = file.checks
    planned = plan(Selection(checks.profile, checks.only, checks.skip, checks.settings), checks.seed, checks.device)
    for method, given in file.defend.items():
        validated(defence(method), given, f"defend.{method}")
    tell.planned(planned)
    opened = open_audit(file, folder, uploaded=uploaded)
    return run(
        opened.model, opened.data, reference=opened.reference, selection=opened.selection, policy=opened.policy,
        subject=opened.subject, statements=opened.statements, seed=opened.seed, tell=tell,
    )  # fmt: skip


def harden(file: AuditFile, folder: Path, method: str, to: Path, progress: Callable[[int, int], None]) -> None:
    """Write to `to` (safetensors) the weights of the model that the defence `method` trained on [data] reference.

    Of a defence that needs no training, the wrapper (JSON) that it gives. `progress` is told how many steps of how many
    are done. UsageError for settings that the defence does not have, for reference data that is the audited data, and
    for a model behind a wrapper.
    """
    function = defence(method)
    settings = validated(function, file.defend.get(method, {}), f"defend.{method}")
    _need_bare(file, folder)
    opened = open_audit(file, folder)
    if opened.model is None or opened.reference is None:
        msg = "a defence needs [model] and [data] reference"
        raise UsageError(msg)
    data = opened.subject["data"]
    if data["sha256"] == data["reference_sha256"]:
        msg = f"[data] reference is {data['reference']!r}, the audited data; a defence never trains on the audited rows"
        raise UsageError(msg)
    made = function(opened.model, opened.reference, opened.seed, progress, **settings)
    if isinstance(made, Wrapping):
        write_wrapper(to, made.kind, made.settings, file, folder)
    else:
        write_weights(made, to)


def _need_bare(file: AuditFile, folder: Path) -> None:
    """UsageError for a model behind a wrapper: what would be trained or wrapped is not the file that is named."""
    _, wrapper = unwrapped(file, folder)
    if wrapper is not None:
        msg = f"[model] path is a wrapper ({wrapper.kind}); a defence needs the model itself, {wrapper.model!r:.100}"
        raise UsageError(msg)
