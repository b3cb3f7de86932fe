"""The lock that a process puts on itself before it imports anything that could be turned against us."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from auditor.sandbox.landlock import landlock_version, restrict_files
from auditor.sandbox.limits import Limits, restrict_resources
from auditor.sandbox.seccomp import has_seccomp, restrict_calls

__all__ = ["can_lock", "lock"]

NO_NEW_PRIVILEGES, DUMPABLE, DROP_FROM_BOUNDING_SET = 38, 4, 24
CAPSET = {"x86_64": 126, "aarch64": 91}
CAPABILITIES = 64

_libc = ctypes.CDLL(None, use_errno=True)


def can_lock() -> bool:
    """Whether this machine has what `lock` needs: Linux with Landlock (5.13) and seccomp."""
    return os.name == "posix" and has_seccomp() and landlock_version() > 0


def lock(readable: Iterable[Path], writable: Iterable[Path], limits: Limits) -> None:
    """Leave this process nothing but those files, `limits`, and calls that compute; OSError where that cannot be done.

    Irreversible. RuntimeError when there is more than one thread: the others would stay free.
    """
    if (threads := len(list(Path("/proc/self/task").iterdir()))) > 1:
        msg = f"{threads} threads run already; the lock comes before whatever starts them"
        raise RuntimeError(msg)
    if _libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    _libc.prctl(DUMPABLE, 0, 0, 0, 0)  # other processes of the same user cannot look into this one
    restrict_resources(limits)
    restrict_files(readable, writable)
    _drop_capabilities()
    restrict_calls()


def _drop_capabilities() -> None:
    """What root may do beyond others; without effect for anybody else."""
    for capability in range(CAPABILITIES):
        _libc.prctl(DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if _libc.syscall(CAPSET[os.uname().machine], header, nothing):
        raise OSError(ctypes.get_errno(), "capset")
