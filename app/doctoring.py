"""What this machine offers an audit: how it would be held, and which optional packages there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import metadata

from auditor.config import KNOWN_CODE
from auditor.sandbox.attempts import ATTEMPTS
from auditor.sandbox.isolation import MEANING, Isolation
from auditor.sandbox.limits import GB, HOUR, Limits

__all__ = ["in_words"]

BETTER = {
    "bwrap+lock": "",
    "lock": "For namespaces too, install bubblewrap (bwrap) and allow user namespaces.",
    "container": "For a lock by the kernel, Linux 5.13 with Landlock and seccomp is needed, on x86_64 or aarch64.",
    "none": "To audit programs and code, Linux 5.13 with Landlock and seccomp is needed, or a container that says "
    "AUDITOR_CONTAINER=1.",
}


def in_words(isolation: Isolation, denied: Sequence[str]) -> str:
    """Every line that `auditor doctor` prints."""
    return "\n".join(_lines(isolation, denied))


def _lines(isolation: Isolation, denied: Sequence[str]) -> Iterator[str]:
    yield f"auditor {metadata.version('torch-auditor')}, torch {metadata.version('torch')}"
    yield f"isolation: {isolation}: {MEANING[isolation]}"
    yield f"tried in it and denied: {', '.join(denied) or 'nothing'}"
    if open_ways := [name for name in ATTEMPTS if name not in denied]:
        yield f"tried in it and not denied: {', '.join(open_ways)}"
    if BETTER[isolation]:
        yield BETTER[isolation]
    limits = Limits.of_this_machine()
    memory = f"{limits.memory / GB:.3g} GB of memory" if limits.memory else "all memory"
    yield f"limits of one audit: {memory}, {limits.seconds / HOUR:.3g} hours, {limits.disk / GB:.3g} GB of disk"
    yield f"for architectures by name, tried when they are asked for: {', '.join(map(_package, KNOWN_CODE[2:]))}"


def _package(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name} (not installed)"
