"""How well a process can be held on this machine, found out by trying."""

from __future__ import annotations

import os
from typing import Literal

from auditor.errors import UsageError
from auditor.sandbox.bubblewrap import can_wrap
from auditor.sandbox.lock import can_lock

__all__ = ["LOCKED", "MEANING", "Isolation", "available", "need_isolation"]

Isolation = Literal["bwrap+lock", "lock", "container", "none"]
LOCKED: tuple[Isolation, ...] = ("bwrap+lock", "lock")
CONTAINER = "AUDITOR_CONTAINER"  # the container image says so of itself
MEANING = {
    "bwrap+lock": "namespaces of its own (bubblewrap), and a lock by the kernel on files and calls (Landlock, seccomp)",
    "lock": "a lock by the kernel on files and calls (Landlock, seccomp); bubblewrap would add namespaces of its own",
    "container": "a process of its own in a container, which is what holds it",
    "none": "a process of its own that nothing holds; only weights in known architectures are audited",
}


def available() -> Isolation:
    """The best that there is here."""
    if can_lock():
        return "bwrap+lock" if can_wrap() else "lock"
    return "container" if os.environ.get(CONTAINER) == "1" else "none"


def need_isolation(isolation: Isolation, what: str) -> None:
    """UsageError where nothing would hold the code that `what` brings."""
    if isolation == "none":
        msg = (
            f"{what} can run code, and nothing on this machine would hold it (`auditor doctor` says what is missing); "
            "give weights in a known architecture, or --no-sandbox to trust it"
        )
        raise UsageError(msg)
