"""What the process of an audit leaves behind, taken as a stranger's: checked before any of it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auditor.config import AuditFile, Grade
from auditor.cost import Cost
from auditor.errors import LoadError
from auditor.intake.recognise import recognise
from auditor.policy import INTERRUPTED, STOPPED, judge, load_policy
from auditor.progress import Finished, Listener
from auditor.sandbox import messages
from auditor.sandbox.attempts import ATTEMPTS
from auditor.sandbox.evidence import read_arrays, read_text
from auditor.sandbox.isolation import Isolation
from auditor.sandbox.process import Process, SandboxError, Stopped
from auditor.schema import audit_from_json, outcome_from_json
from auditor.store import Record
from auditor.types import Audit, Status

__all__ = ["record_of"]

PROGRAMS = ("torchscript", "torch.export")


def record_of(running: Process, file: AuditFile, folder: Path, isolation: Isolation, tell: Listener) -> Record:
    """The audit that the process makes of `file`, judged here; incomplete where it is stopped, by a limit or by Ctrl-C.

    LoadError or UsageError when it could not be opened; SandboxError when the auditor failed.
    """
    policy, started, found = load_policy(file.policy.path, folder), _now(), _Found()
    try:
        for message in running.messages():
            _take(found, message, running.out, tell)
    except Stopped as stopped:
        found.stop(str(stopped))
    except KeyboardInterrupt:
        if found.audit is None:
            raise
    if found.audit is None:
        msg = "the audit's own process ended without an audit"
        raise SandboxError(msg)
    refused = [name for name in ATTEMPTS if name not in found.escapes]
    held = {"isolation": isolation, "tried in it and denied": ", ".join(refused) or "nothing"}
    audit = replace(
        found.audit,
        subject=_with_grade(found.audit.subject, file, folder),
        statements=dict(file.statements),
        environment={**found.audit.environment, **held},
        seed=file.checks.seed,
    )
    return Record(judge(audit, policy), found.arrays, {"started": started, "finished": _now(), "checks": found.costs})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class _Found:
    """What the process has left so far."""

    audit: Audit | None = None
    running: str = ""

    def __post_init__(self) -> None:
        self.arrays: dict[str, Any] = {}
        self.costs: dict[str, Any] = {}
        self.escapes: tuple[str, ...] = tuple(ATTEMPTS)

    def stop(self, reason: str) -> None:
        """The check that ran has failed with that reason; LoadError when none had begun."""
        if self.audit is None:
            msg = f"the model and data could not be opened: {reason}"
            raise LoadError(msg)
        outcome = self.audit.outcome(self.running)
        if outcome is not None:
            self.audit = self.audit.with_outcome(replace(outcome, status=Status.ERROR, reason=f"{STOPPED}{reason}"))


def _take(found: _Found, message: messages.Message, out: Path, tell: Listener) -> None:
    match message:
        case messages.Tested(escapes):
            found.escapes = escapes
        case messages.Begun():
            found.audit = audit_from_json(read_text(out / "begun.json"))
            tell.begun(found.audit)
        case messages.Started(check):
            found.running = check
            tell.started(check)
        case messages.Ended(check, seconds, peak_mb, per_sample):
            finished = _finished(found, check, Cost(seconds, peak_mb, per_sample), out)
            assert found.audit is not None  # noqa: S101 - see _finished
            found.audit = found.audit.with_outcome(finished.outcome)
            found.arrays |= finished.arrays
            found.costs[check] = asdict(finished.cost)
            found.running = ""
            tell.finished(finished)
        case _:
            pass


def _finished(found: _Found, check: str, cost: Cost, out: Path) -> Finished:
    """The outcome that the process left for `check`, which must be one of those that are to run."""
    planned = found.audit.outcome(check) if found.audit else None
    if planned is None or planned.reason != INTERRUPTED:
        msg = f"the audit's own process says that {check!r} has finished, which was not to run; its audit is not used"
        raise LoadError(msg)
    outcome = outcome_from_json(read_text(out / f"{check}.json"))
    if outcome.check != check or outcome.judgements:
        msg = f"the audit's own process left an outcome of {outcome.check!r} for {check!r}; its audit is not used"
        raise LoadError(msg)
    return Finished(outcome, cost, read_arrays(out / f"{check}.npz"))


def _with_grade(subject: Mapping[str, Any], file: AuditFile, folder: Path) -> dict[str, Any]:
    """The subject with the evidence grade that follows from the files themselves, whatever the process says of it."""
    if file.model is None or not isinstance(subject.get("model"), dict):
        return dict(subject)
    grade: Grade = file.grade
    path = folder / file.model.path
    if grade == "program" and path.is_file() and recognise(path) not in PROGRAMS:
        grade = "data"
    return {**subject, "model": {**subject["model"], "evidence_grade": grade}}
