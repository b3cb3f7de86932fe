"""What a locked process can still do: tried, not believed. Imports nothing that the lock is meant to hold."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["escapes"]


def escapes(writable: Path) -> tuple[str, ...]:
    """What was tried and went through: empty in a process that the lock holds, every name of ATTEMPTS without one."""
    return tuple(name for name, attempt in ATTEMPTS.items() if _went_through(attempt, writable))


def _went_through(attempt: Callable[[Path], object], writable: Path) -> bool:
    try:
        attempt(writable)
    except OSError:
        return False
    return True


def _read_outside(_: Path) -> None:
    Path("/etc/passwd").read_bytes()


def _write_outside(writable: Path) -> None:
    target = writable.parent / "outside"
    target.write_bytes(b"")
    target.unlink()


def _link(writable: Path) -> None:
    link = writable / "link"
    link.symlink_to("/etc/passwd")
    link.unlink()


def _connect(_: Path) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()


def _talk(_: Path) -> None:
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).close()


def _start_process(_: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _start_program(_: Path) -> None:
    os.posix_spawn("/bin/true", ["true"], {})


def _signal(_: Path) -> None:
    os.kill(os.getppid(), 0)


ATTEMPTS: Mapping[str, Callable[[Path], object]] = {
    "read a file outside": _read_outside,
    "write a file outside": _write_outside,
    "make a link to a file outside": _link,
    "open a network connection": _connect,
    "talk to another program": _talk,
    "start a process": _start_process,
    "start a program": _start_program,
    "signal another process": _signal,
}
