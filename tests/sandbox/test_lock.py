"""A process that locked itself computes and does nothing else; one that did not shows that the tries are real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from auditor.sandbox.attempts import ATTEMPTS
from auditor.sandbox.isolation import available
from auditor.sandbox.limits import GB, Limits
from auditor.sandbox.lock import can_lock
from auditor.sandbox.reach import files_of_python
from tests.sandbox.models import needs_lock

SMALL = Limits(memory=4 * GB, seconds=60, disk=1 << 20)

LOCKED = """
import ctypes, fcntl, json, os, resource, sys
from pathlib import Path
from auditor.sandbox.limits import Limits
from auditor.sandbox.lock import lock
job = json.loads(sys.argv[1])
out = Path(job["out"])
lock(map(Path, job["readable"]), [out], Limits(**job["limits"]))
def called(name, *arguments):
    result = getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result
def tried(do):
    try:
        return f"done {do()}"
    except BaseException as e:
        return f"{type(e).__name__} {getattr(e, 'errno', '')}".strip()
"""


def locked(code: str, out: Path, limits: Limits = SMALL) -> list[str]:
    """What `code` prints in a fresh process that may read Python, write to `out`, and was locked."""
    root = str(Path(__file__).parents[2])
    job = {"readable": [*map(str, files_of_python()), root], "out": str(out), "limits": asdict(limits)}
    done = subprocess.run(
        [sys.executable, "-c", LOCKED + code, json.dumps(job)], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@needs_lock
def test_nothing_that_is_tried_goes_through_a_lock(tmp_path: Path) -> None:
    found = locked("from auditor.sandbox.attempts import escapes\nprint(json.dumps(escapes(out)))", tmp_path)

    assert json.loads(found[-1]) == []


def test_without_a_lock_everything_that_is_tried_goes_through(tmp_path: Path) -> None:
    code = "import sys\nfrom pathlib import Path\nfrom auditor.sandbox.attempts import escapes\n"
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", f"{code}print(*escapes(Path({str(out)!r})), sep=chr(10))"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip

    assert done.stdout.splitlines() == list(ATTEMPTS)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"] and not any(out.iterdir())


@needs_lock
@pytest.mark.parametrize(
    ("tried", "answer"),
    [
        ("os.chmod(sys.executable, 0o777)", "PermissionError 1"),
        ("os.utime(sys.executable)", "PermissionError 1"),
        ("os.kill(os.getpid(), 0)", "done None"),
        ("os.kill(1, 0)", "PermissionError 1"),
        ("os.listdir('/proc/1')", "PermissionError 13"),
        ("open('/proc/1/environ').read()", "PermissionError 13"),
        ("os.listdir('/root')", "PermissionError 13"),
        ("os.link(sys.executable, out / 'python')", "PermissionError 13"),
        ("os.mkfifo(out / 'pipe')", "PermissionError 13"),
        ("os.truncate(sys.executable, 0)", "PermissionError 1"),
        ("os.setuid(12345)", "PermissionError 1"),
        ("os.memfd_create('x')", "PermissionError 1"),
        ("os.sched_setaffinity(os.getppid(), {0})", "PermissionError 1"),
        ("os.sched_setaffinity(0, {0})", "done None"),
        ("fcntl.fcntl(os.pipe()[0], 8, os.getppid())", "PermissionError 1"),
        ("called('prctl', 1, 0, 0, 0, 0)", "PermissionError 1"),
        ("called('prctl', 4, 1, 0, 0, 0)", "PermissionError 1"),
        ("called('prctl', 15, b'name', 0, 0, 0)", "done 0"),
        ("called('inotify_init1', 0)", "PermissionError 1"),
        ("called('prlimit64', os.getppid(), 7, ctypes.c_uint64(1 << 32), None)", "PermissionError 1"),
        ("resource.setrlimit(resource.RLIMIT_AS, (1 << 50, 1 << 50))", "ValueError"),
        ("resource.getrlimit(resource.RLIMIT_CORE)", "done (0, 0)"),
        ("(out / 'x').write_bytes(bytes(10))", "done 10"),
        ("(out / 'x').write_bytes(bytes(2 << 20))", "OSError 27"),
        ("len(bytearray(8 << 30))", "MemoryError"),
        ("len(bytearray(1 << 20))", "done 1048576"),
        ("__import__('threading').Thread(target=int).start()", "done None"),
    ],
)
def test_what_a_locked_process_can_do(tmp_path: Path, tried: str, answer: str) -> None:
    assert locked(f"print(tried(lambda: {tried}))", tmp_path) == [answer]


@needs_lock
def test_threads_that_start_later_are_held_too(tmp_path: Path) -> None:
    code = """
import threading
def look():
    print(tried(lambda: open('/etc/passwd').read()))
t = threading.Thread(target=look); t.start(); t.join()
"""
    assert locked(code, tmp_path) == ["PermissionError 13"]


@needs_lock
def test_a_process_that_has_threads_already_is_not_locked(tmp_path: Path) -> None:
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(1,)).start()\n"
    code += "print(tried(lambda: lock([], [], Limits(None))))"

    assert locked(code, tmp_path) == ["RuntimeError"]


@needs_lock
def test_cpu_time_ends_a_loop(tmp_path: Path) -> None:
    code = LOCKED + "\nwhile True: pass"
    limits = replace(SMALL, seconds=0.1)
    job = {"readable": [*map(str, files_of_python()), str(Path(__file__).parents[2])], "out": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps({**job, "limits": asdict(limits)})],
        capture_output=True, check=False, cwd=Path(__file__).parents[2], timeout=60,
    )  # fmt: skip

    assert done.returncode < 0


def test_the_isolation_is_what_this_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available() in {"bwrap+lock", "lock"} or not can_lock()

    monkeypatch.setattr("auditor.sandbox.isolation.can_wrap", lambda: False)
    assert available() == "lock" or not can_lock()

    monkeypatch.setattr("auditor.sandbox.isolation.can_lock", lambda: False)
    assert available() == "none"

    monkeypatch.setitem(os.environ, "AUDITOR_CONTAINER", "1")
    assert available() == "container"


def test_the_limits_of_a_machine_leave_some_of_it_to_others() -> None:
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    assert Limits.of_this_machine().memory == max(4 * GB, whole * 9 // 10)
    assert Limits.of_this_machine("cuda").memory is None
