"""The worker: runs the queued audits one at a time, oldest first, each in a process of its own.

python -m app.worker           waits for jobs until its standard input ends
python -m app.worker FOLDER    the process of one audit

Both end with the process that started them, even when that is killed: they hold the far end of a pipe from it. So a
dashboard that ends takes the running audit with it; the next worker finds that audit `running` and calls it
interrupted. Queued audits wait for the next worker.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import replace
from functools import partial
from pathlib import Path

from app.jobs import Job, State, every, find, home, progress, set_state, waiting
from auditor.errors import AuditError, UsageError, one_line
from auditor.folders import remove

__all__ = ["next_job", "recover", "run", "run_job", "work"]

BEAT, GRACE = 0.2, 30.0  # seconds; a busy machine needs some to write the report
MOST_HOURS = 2
DONE, REFUSED, FAILED, STOPPED = 0, 3, 4, 130


def work() -> None:
    """Run jobs for ever, as the only worker of this home folder."""
    _end_with_parent()
    home().mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home() / "worker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second dashboard's worker waits here until the first has gone
        recover()
        while True:
            job = next_job()
            if job is None:
                time.sleep(BEAT)
            else:
                run_job(job)


def recover() -> None:
    """Jobs that a dead worker left running are interrupted."""
    for job in every():
        if job.state == "running":
            set_state(job, "interrupted", f"The dashboard ended while this audit ran. {_finished(job)}")


def next_job() -> Job | None:
    """The queued job that has waited longest; those that nobody wants any more are cancelled."""
    for job in reversed(waiting()):
        if job.wanted:
            return job
        set_state(job, "cancelled", "Cancelled before it started.")
    return None


def run_job(job: Job) -> None:
    """Run the job in a process of its own, stop it when it is not wanted any more, and say what became of it."""
    set_state(job, "running")
    with (
        (job.folder / "log.txt").open("wb") as log,
        subprocess.Popen(  # noqa: S603 - our own program, and a folder whose name we made
            [sys.executable, "-P", "-m", "app.worker", str(job.folder)],
            stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "TMPDIR": str(job.folder)},  # what a killed audit leaves is found there
        ) as child,
    ):  # fmt: skip
        deadline = 0.0
        while child.poll() is None:
            time.sleep(BEAT)
            if not job.wanted and not deadline:
                child.send_signal(signal.SIGINT)  # the audit of the checks that have finished is still written
                deadline = time.monotonic() + GRACE
            elif deadline and time.monotonic() > deadline:
                child.kill()
    for left in (*job.folder.glob(".audit-*"), *job.folder.glob("auditor-*")):
        remove(left)
    set_state(job, *_ending(job, child.returncode, stopped=bool(deadline)))


def _ending(job: Job, code: int, *, stopped: bool) -> tuple[State, str, str]:
    """State, line and verdict of a job whose process has ended."""
    verdict = _verdict(job)
    if stopped and verdict in {"", "incomplete"}:
        return "cancelled", f"Cancelled. {_finished(job)}", verdict
    if code == DONE and verdict:
        return "done", "", verdict
    if code == REFUSED:
        return "refused", _error(job), ""
    if code < 0:
        how = f"was ended by signal {-code} ({signal.Signals(-code).name}), often for lack of memory"
        return "failed", f"The audit's process {how}. {_finished(job)}", verdict
    return "failed", _error(job) or f"The audit's process ended with code {code}. {_finished(job)}", verdict


def _verdict(job: Job) -> str:
    try:
        return str(json.loads((job.audit / "audit.json").read_bytes())["verdict"])
    except (OSError, ValueError, KeyError):
        return ""


def _error(job: Job) -> str:
    path = job.folder / "error.txt"
    return one_line(path.read_text("utf-8")) if path.exists() else ""


def _finished(job: Job) -> str:
    found = progress(job)
    return f"{len(found.finished)} of {len(found.checks)} checks had finished." if found.checks else ""


# ---- the process of one audit ------------------------------------------------------------------------------------
def run(folder: Path) -> int:
    """Audit the upload in the job's `folder` and write it to its audit/: 0 done, 3 refused, 4 failed, 130 stopped."""
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a script started in the background
    try:
        _audit(folder)
    except AuditError as e:
        (folder / "error.txt").write_text(str(e), "utf-8")
        return REFUSED
    except KeyboardInterrupt:
        return STOPPED
    except Exception as e:  # noqa: BLE001 - the last resort: one line for the reader, the rest in the log
        traceback.print_exc()
        (folder / "error.txt").write_text(f"internal error: {type(e).__name__}: {one_line(str(e))}", "utf-8")
        return FAILED
    return DONE


def _audit(folder: Path) -> None:
    from app.places import Place
    from app.running import run_to
    from auditor.config import load_audit_file
    from auditor.policy import to_run
    from auditor.progress import Listener
    from auditor.sandbox.limits import HOUR, Limits
    from auditor.sandbox.parent import audit_apart, harden_apart

    job = find(folder.name)
    if job is None or job.folder != folder:
        msg = f"{folder.name!r} is no job of {str(home())!r}"
        raise UsageError(msg)
    file = load_audit_file(folder / "upload" / job.audit_file)
    with (folder / "progress.jsonl").open("w", encoding="utf-8", buffering=1) as out:
        tell = Listener(
            begun=lambda audit: print(json.dumps({"checks": to_run(audit)}), file=out),
            started=lambda check: print(json.dumps({"started": check}), file=out),
            finished=lambda f: print(json.dumps({"finished": f.outcome.check}), file=out),
        )
        limits = replace(Limits.of_this_machine(), seconds=MOST_HOURS * HOUR)
        place = Place(partial(audit_apart, uploaded=True, limits=limits), harden_apart)
        run_to(job.audit, file, folder / "upload", place, tell)


def _end_with_parent() -> None:
    """End this process when its standard input ends, which happens when its parent does."""

    def wait() -> None:
        # os.read, since the lock of a buffered file would abort the interpreter at its end
        while os.read(0, 1):
            pass
        os._exit(STOPPED)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(run(Path(sys.argv[1])))
    work()
