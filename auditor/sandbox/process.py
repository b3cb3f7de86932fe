"""Starts the process of a job, hears what it says, and ends it: when it is done, and when it reaches a limit."""

from __future__ import annotations

import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from auditor.config import AuditFile
from auditor.errors import LoadError, UsageError, one_line
from auditor.folders import remove
from auditor.sandbox import messages
from auditor.sandbox.bubblewrap import wrapped
from auditor.sandbox.child import CHECKPOINT, JOB, OUT, SCRATCH
from auditor.sandbox.isolation import LOCKED, Isolation
from auditor.sandbox.limits import GB, HOUR, Limits
from auditor.sandbox.reach import devices, files_of_audit, files_of_python

__all__ = ["Process", "SandboxError", "Stopped", "process"]

BEAT, LAST_SECONDS = 0.2, 5.0  # between looks at clock and disk; to end after the last word
MOST_ENTRIES, DEEPEST = 20_000, 12
MOST_TOLD = 4 << 20
START = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from pathlib import Path; "
START += "from auditor.sandbox.child import main; main(Path(sys.argv[2]))"
LOG = "log"  # what the process prints as it dies
NUMBERS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES")  # handed on


class SandboxError(RuntimeError):
    """The auditor failed in the process of a job, or that process is not held as it must be."""


class Stopped(Exception):  # noqa: N818 - it may be what was wanted
    """The process ended before it was done; says why."""


@dataclass(frozen=True)
class Process:
    """The running process, its folder and its limits."""

    popen: subprocess.Popen[bytes]
    folder: Path
    limits: Limits
    must_hold: bool

    @property
    def out(self) -> Path:
        return self.folder / OUT

    def messages(self) -> Iterator[messages.Message]:
        """What it says until it is done; Stopped when it ends before, LoadError or UsageError when it refuses."""
        for text in self._lines():
            message = messages.parsed(text)
            match message:
                case messages.Tested(escapes) if self.must_hold and escapes:
                    msg = f"the sandbox does not hold: it could {', '.join(escapes)}; nothing was loaded"
                    raise SandboxError(msg)
                case messages.Refused(said, usage):
                    raise UsageError(said) if usage else LoadError(said)
                case messages.Failed(said):
                    raise SandboxError(said)
                case messages.Done():
                    return  # what it still does to end is of no use to anybody
            yield message
        try:
            code = self.popen.wait(LAST_SECONDS)
        except subprocess.TimeoutExpired:  # it says nothing any more and goes on
            why = "its process closed its only way to say anything"
            raise Stopped(why) from None
        raise Stopped(_how(code, self.limits, self.folder / LOG))

    def _lines(self) -> Iterator[bytes]:
        """Its lines as they come, watching the limits meanwhile."""
        assert self.popen.stdout is not None  # noqa: S101 - see process
        pipe, held, told = self.popen.stdout.fileno(), b"", 0
        deadline = time.monotonic() + self.limits.seconds
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            beyond = ""
            while True:
                ready, before = selector.select(BEAT), beyond
                beyond = self._beyond(told, deadline)
                if beyond and (before or not ready):  # what it said until then is heard first
                    raise Stopped(beyond)
                if ready:
                    got = os.read(pipe, 1 << 16)
                    if not got:
                        return
                    told += len(got)
                    *whole, held = (held + got).split(b"\n")
                    yield from whole

    def _beyond(self, told: int, deadline: float) -> str:
        """The limit that it has passed, "" when none."""
        if time.monotonic() > deadline:
            return f"it took longer than {_duration(self.limits.seconds)}"
        if told > MOST_TOLD:
            return "its process said more than an audit has to say"
        size, entries = _held_in(self.folder)
        if size > self.limits.disk or entries > MOST_ENTRIES:
            return f"it wrote more than {self.limits.disk / GB:.3g} GB, or {MOST_ENTRIES:,} files"
        return ""


@contextmanager
def process(
    file: AuditFile | None, folder: Path, isolation: Isolation, limits: Limits | None, *,
    uploaded: bool = False, method: str | None = None, checkpoint: Path | None = None,
) -> Iterator[Process]:  # fmt: skip
    """A process that does the job among the files it needs; it is gone on leaving, with all that it left.

    A defence goes on from `checkpoint`, where there is such a file.
    """
    device = file.checks.device if file else "cpu"
    limits = limits or Limits.of_this_machine(device)
    readable = files_of_python() + (files_of_audit(file, folder, uploaded=uploaded) if file else [])
    place = Path(tempfile.mkdtemp(prefix="auditor-"))
    try:
        for name in (OUT, SCRATCH):
            (place / name).mkdir()
        if checkpoint is not None and checkpoint.is_file():
            shutil.copyfile(checkpoint, place / OUT / CHECKPOINT)
        writable = [place / OUT, place / SCRATCH]
        own = [Path("/dev/null"), Path("/proc/self/clear_refs"), *devices(device)]
        job = {
            "file": file.model_dump(mode="json", exclude_unset=True) if file else None,
            "folder": str(folder.absolute()), "uploaded": uploaded, "method": method,
            "locked": isolation in LOCKED, "limits": asdict(limits),
            "readable": [*map(str, readable), str(place)], "writable": [*map(str, [*writable, *own])],
        }  # fmt: skip
        (place / JOB).write_text(json.dumps(job), "utf-8")
        command = [sys.executable, "-I", "-B", "-c", START, json.dumps(sys.path), str(place)]
        if isolation == "bwrap+lock":
            command = wrapped(command, [*readable, place / JOB], writable, devices(device))
        with (place / LOG).open("wb") as log:
            popen = subprocess.Popen(  # noqa: S603 - ourselves
                command, env=_environment(place / SCRATCH), cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            yield Process(popen, place, limits, isolation in LOCKED)
        finally:
            _end(popen)
    finally:
        remove(place)


def _end(popen: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it started."""
    with suppress(ProcessLookupError):
        os.killpg(popen.pid, signal.SIGKILL)
    popen.wait()
    if popen.stdout is not None:
        popen.stdout.close()


def _environment(scratch: Path) -> dict[str, str]:
    """All that the process learns of ours: how many threads and which GPUs it may use."""
    given = {name: os.environ[name] for name in NUMBERS if re.fullmatch(r"[\d,]{1,40}", os.environ.get(name, ""))}
    places = ("HOME", "TMPDIR", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
    return given | dict.fromkeys(places, str(scratch)) | {
        "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "USER": "auditor", "LOGNAME": "auditor", "MPLBACKEND": "Agg",
        "GIT_PYTHON_REFRESH": "quiet", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip


def _how(code: int, limits: Limits, log: Path) -> str:
    """Why a process ended: bwrap adds 128 to a signal, Python makes it negative."""
    number = -code if code < 0 else code - 128
    if number in (signal.SIGXCPU, signal.SIGKILL):
        hint = f"it needed more than {_duration(limits.seconds)} of every core, or the machine's memory"
        return f"its process was killed ({signal.Signals(number).name}): {hint}"
    if number in list(signal.Signals):
        return f"its process was ended by {signal.Signals(number).name}"
    with log.open("rb") as f:
        f.seek(max(0, f.seek(0, os.SEEK_END) - 4096))
        lines = f.read(4096).decode("utf-8", "replace").splitlines() or ["it said nothing"]
    return f"its process ended with code {code} ({one_line(lines[-1], 200)})"


def _duration(seconds: float) -> str:
    return f"{seconds / HOUR:.3g} hours" if seconds >= HOUR else f"{seconds:.3g} seconds"


def _held_in(folder: Path) -> tuple[int, int]:
    """Bytes and entries below `folder`; whichever is larger counts of a file with holes.

    One more entry than there may be where it is nested deeper than any cache is.
    """
    size = entries = 0
    inside = [(str(folder), 0)]
    while inside and entries <= MOST_ENTRIES:
        path, depth = inside.pop()
        if depth > DEEPEST:
            return size, MOST_ENTRIES + 1
        with suppress(OSError), os.scandir(path) as found:  # what goes while it is looked at
            for entry in found:
                held = entry.stat(follow_symlinks=False)
                size += max(held.st_size, held.st_blocks * 512)
                entries += 1
                if entry.is_dir(follow_symlinks=False):
                    inside.append((entry.path, depth + 1))
    return size, entries
