"""The process in which one audit runs: it locks itself, then imports the engine, and leaves files for its parent.

Nothing here may import a library before the lock: threads that a library starts would stay free.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.errors import AuditError, UsageError, one_line
from auditor.sandbox.attempts import escapes
from auditor.sandbox.limits import Limits, restrict_resources
from auditor.sandbox.lock import lock

if TYPE_CHECKING:
    from auditor.progress import Finished, Listener
    from auditor.sandbox.messages import Message
    from auditor.types import Audit

__all__ = ["main"]

DIE_WITH_PARENT = 1
OUT, SCRATCH, JOB = "out", "scratch", "job.json"  # in the folder of a job
HARDENED, WRAPPER, CHECKPOINT = "hardened.safetensors", "wrapper.json", "checkpoint.pt"  # of a defence, in OUT


def main(folder: Path) -> None:
    """Do the job in `folder` and say how it goes on standard output; what a model prints there goes nowhere."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    job = json.loads((folder / JOB).read_bytes())
    told = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    limits = Limits(**job["limits"])
    readable, writable = (list(map(Path, job[name])) for name in ("readable", "writable"))
    if job["locked"]:
        lock(readable, writable, limits)
    else:
        restrict_resources(limits)
    free = escapes(folder / OUT)
    from auditor.sandbox import messages

    def tell(message: Message) -> None:
        os.write(told, messages.line(message))

    tell(messages.Tested(free))
    try:
        _do(job, folder / OUT, tell)
    except AuditError as e:
        tell(messages.Refused(str(e), isinstance(e, UsageError)))
    except (Exception, SystemExit) as e:  # noqa: BLE001 - the last resort: one line
        tell(messages.Failed(f"{type(e).__name__}: {one_line(str(e))}"))
    else:
        tell(messages.Done())


def _do(job: dict[str, Any], out: Path, tell: Any) -> None:
    if job["file"] is None:  # the lock alone was to be tried
        return
    from auditor import performing
    from auditor.config import AuditFile
    from auditor.intake.wrapper import KINDS
    from auditor.sandbox.messages import Noted, Trained

    file, folder = AuditFile.model_validate_json(json.dumps(job["file"])), Path(job["folder"])
    if job["method"] is None:
        performing.audit(file, folder, _listener(out, tell), uploaded=job["uploaded"])
    else:
        to = out / (WRAPPER if job["method"] in KINDS else HARDENED)
        notes = performing.harden(
            file, folder, job["method"], to,
            on_epoch=lambda done, of: tell(Trained(done, of)), checkpoint=out / CHECKPOINT,
        )  # fmt: skip
        for note in notes:
            tell(Noted(note))


def _listener(out: Path, tell: Any) -> Listener:
    """Writes what the audit tells: subject.json, and CHECK.json with CHECK.npz for every check that has finished."""
    from auditor.progress import Listener
    from auditor.sandbox.evidence import write_arrays, write_text
    from auditor.sandbox.messages import Begun, Ended, Planned, Started
    from auditor.schema import audit_to_json, canonical, outcome_to_json

    def begun(audit: Audit) -> None:
        write_text(out / "subject.json", canonical(audit.subject))
        tell(Begun())

    def finished(f: Finished) -> None:
        check = f.outcome.check
        write_text(out / f"{check}.json", outcome_to_json(f.outcome))
        write_arrays(out / f"{check}.npz", f.arrays)
        tell(Ended(check, f.cost.seconds, f.cost.peak_mb, f.cost.seconds_per_sample))

    def planned(audit: Audit) -> None:  # in the message itself: nothing that runs later can reach it
        tell(Planned(audit_to_json(audit).decode()))

    return Listener(planned, begun, lambda check: tell(Started(check)), finished)
