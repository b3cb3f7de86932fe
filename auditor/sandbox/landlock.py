"""Which files a process can still reach, by Linux's Landlock: everything else is gone for it, until it ends.

It binds the calling thread and what that thread starts later, so it comes before any library that starts threads.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

__all__ = ["landlock_version", "restrict_files"]

CREATE, ADD, RESTRICT = 444, 445, 446  # the same numbers on every architecture
VERSION, PATH_BENEATH = 1, 1
EXECUTE, WRITE, READ, LIST, TRUNCATE, DEVICE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
SPECIAL = 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12  # making devices, sockets, pipes and symbolic links
OF_FILES = EXECUTE | WRITE | READ | TRUNCATE | DEVICE
TCP, SIGNALS_AND_SOCKETS = 0b11, 0b11

_libc = ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """The kernel's version of Landlock, 0 where there is none."""
    return max(0, int(_libc.syscall(CREATE, None, ctypes.c_size_t(0), VERSION)))


def restrict_files(readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Leave `readable` and `writable` files and folders and no others, for good; OSError where there is no Landlock.

    From version 4 on no TCP either, from 6 on no signals to other processes.
    """
    version = landlock_version()
    if not version:
        raise _failed("Landlock")
    rights = (1 << 13) - 1
    rights |= 1 << 13 if version >= 2 else 0
    rights |= TRUNCATE if version >= 3 else 0
    rights |= DEVICE if version >= 5 else 0
    handled = struct.pack("QQQ", rights, TCP, SIGNALS_AND_SOCKETS)[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = _libc.syscall(CREATE, ctypes.c_char_p(handled), ctypes.c_size_t(len(handled)), 0)
    if rules < 0:
        raise _failed("landlock_create_ruleset")
    for path in readable:
        _allow(rules, path, rights & (EXECUTE | READ | LIST))
    for path in writable:
        _allow(rules, path, rights & ~SPECIAL & ~EXECUTE)
    if _libc.syscall(RESTRICT, rules, 0):
        raise _failed("landlock_restrict_self")
    os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # what is not there needs no rule
        return
    try:
        rights &= -1 if path.is_dir() else OF_FILES
        rule = struct.pack("=Qi", rights, opened)
        if _libc.syscall(ADD, rules, PATH_BENEATH, ctypes.c_char_p(rule), 0):
            raise _failed("landlock_add_rule")
    finally:
        os.close(opened)


def _failed(what: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, f"{what}: {os.strerror(code)}")
