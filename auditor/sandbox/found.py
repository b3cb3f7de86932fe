"""What the process of an audit leaves behind, taken as a stranger's: checked before any of it is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auditor.config import AuditFile
from auditor.cost import Cost
from auditor.errors import LoadError
from auditor.installed import distributions, installation
from auditor.policy import STOPPED, judge, load_policy, to_run
from auditor.progress import Finished, Listener
from auditor.sandbox import messages
from auditor.sandbox.attempts import ATTEMPTS
from auditor.sandbox.evidence import MOST_ARRAYS, need_pictures, read_arrays, read_text
from auditor.sandbox.isolation import Isolation
from auditor.sandbox.process import Process, SandboxError, Stopped
from auditor.sandbox.subject import subject_of
from auditor.schema import audit_from_json, audit_to_json, outcome_from_json
from auditor.store import Record
from auditor.types import Audit, Status

__all__ = ["record_of"]

MOST_MEASURES = 20_000


def record_of(running: Process, file: AuditFile, folder: Path, isolation: Isolation, tell: Listener) -> Record:
    """The audit that the process makes of `file`, judged here; incomplete where it is stopped, by a limit or by Ctrl-C.

    LoadError or UsageError when it could not be opened, or left what no audit of ours is made of; SandboxError when the
    auditor failed.
    """
    policy, started, found = load_policy(file.policy.path, folder), _now(), _Found()
    try:
        for message in running.messages():
            _take(found, message, running.out, tell, subject=lambda: subject_of(running.out, file, folder))
    except Stopped as stopped:
        found.stop(str(stopped))
    except KeyboardInterrupt:
        if not found.begun:
            raise
    if not found.begun:
        msg = "the audit's own process ended without an audit"
        raise SandboxError(msg)
    refused = [name for name in ATTEMPTS if name not in (found.escapes or ())]
    held = {"isolation": isolation, "tried in it and denied": ", ".join(refused) or "nothing"}
    audit = replace(
        found.audit,
        statements=dict(file.statements),
        environment={**found.audit.environment, **installation(), **held},
        seed=file.checks.seed,
    )
    try:
        judged = judge(audit, policy)
        audit_to_json(judged)
    except Exception as e:  # noqa: BLE001 - figures that are none of ours
        msg = f"the audit's own process left what cannot be judged ({type(e).__name__}); its audit is not used"
        raise LoadError(msg) from None
    run = {"started": started, "finished": _now(), "checks": found.costs}
    return Record(judged, found.arrays, run, distributions())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class _Found:
    """What the process has left so far."""

    def __init__(self) -> None:
        self.planned: Audit | None = None
        self.begun = False
        self.running = ""
        self.room = MOST_ARRAYS
        self.arrays: dict[str, Any] = {}
        self.costs: dict[str, Any] = {}
        self.escapes: tuple[str, ...] | None = None

    @property
    def audit(self) -> Audit:
        """The audit as far as it has come."""
        if self.planned is None:
            msg = "the audit's own process ended without an audit"
            raise SandboxError(msg)
        return self.planned

    def next(self) -> str:
        """The check that is to start now, "" when none is."""
        late = to_run(self.audit) if self.begun and not self.running else []
        return late[0] if late else ""

    def stop(self, reason: str) -> None:
        """The check that ran, or was to run next, has failed with that reason; LoadError when none had begun."""
        if not self.begun:
            msg = f"the model and data could not be opened: {reason}"
            raise LoadError(msg)
        outcome = self.audit.outcome(self.running or self.next())
        if outcome is not None:
            self.planned = self.audit.with_outcome(replace(outcome, status=Status.ERROR, reason=f"{STOPPED}{reason}"))


def _take(
    found: _Found, message: messages.Message, out: Path, tell: Listener, *, subject: Callable[[], dict[str, Any]]
) -> None:
    """Go one step on; LoadError for a message out of turn."""
    match message:
        case messages.Tested(escapes) if found.escapes is None:
            found.escapes = escapes
        case messages.Planned(audit) if found.escapes is not None and found.planned is None:
            found.planned = audit_from_json(audit.encode())
        case messages.Begun() if found.planned is not None and not found.begun:
            found.planned, found.begun = replace(found.audit, subject=subject()), True
            tell.begun(found.audit)
        case messages.Started(check) if check == found.next():
            found.running = check
            tell.started(check)
        case messages.Ended(check, seconds, peak_mb, per_sample) if check == found.running:
            finished = _finished(found, check, Cost(seconds, peak_mb, per_sample), out)
            found.planned = found.audit.with_outcome(finished.outcome)
            found.arrays |= finished.arrays
            found.costs[check] = asdict(finished.cost)
            found.running = ""
            tell.finished(finished)
        case _:
            msg = f"the audit's own process says {message.kind!r} out of turn; its audit is not used"
            raise LoadError(msg)


def _finished(found: _Found, check: str, cost: Cost, out: Path) -> Finished:
    """The outcome that the process left for `check`, named as planned."""
    planned = found.audit.outcome(check)
    outcome = outcome_from_json(read_text(out / f"{check}.json"))
    ended = outcome.status in {Status.MEASURED, Status.NOT_APPLICABLE, Status.ERROR} and not outcome.judgements
    if planned is None or outcome.check != check or not ended or len(outcome.measures) > MOST_MEASURES:
        msg = f"the audit's own process left an outcome of {check!r} that no check gives; its audit is not used"
        raise LoadError(msg)
    arrays = read_arrays(out / f"{check}.npz", check, found.room)
    found.room -= sum(a.nbytes for a in arrays.values())
    need_pictures(outcome, found.arrays | arrays)
    named = replace(outcome, title=planned.title, source=planned.source, params=planned.params)
    return Finished(named, cost, arrays)
