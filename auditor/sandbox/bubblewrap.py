"""The command that starts a process among files of our choosing and nothing else, with bubblewrap (bwrap)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

__all__ = ["can_wrap", "wrapped"]

SCRATCH_BYTES = 64 << 20
LINKS = ("/lib", "/lib64", "/bin")


def wrapped(
    command: Sequence[str], readable: Iterable[Path], writable: Iterable[Path], devices: Iterable[Path] = ()
) -> list[str]:
    """`command` with every file under the name that it has outside, no network, no other process and no privileges."""
    binds = [part for path in _outermost(readable) for part in ("--ro-bind", str(path), str(path))]
    for path in devices:
        binds += ["--dev-bind-try", str(path), str(path)]
    for path in writable:
        binds += ["--bind", str(path), str(path)]
    links = [part for link in LINKS for part in _link(Path(link))]
    return [
        "bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session",
        "--cap-drop", "ALL", *links, "--proc", "/proc", "--dev", "/dev", "--size", str(SCRATCH_BYTES),
        "--tmpfs", "/tmp",  # noqa: S108 - a fresh one inside
        *binds, "--remount-ro", "/", "--chdir", "/", *command,
    ]  # fmt: skip


@cache
def can_wrap() -> bool:
    """Whether bwrap is installed and may make namespaces here, which some containers and systems forbid."""
    if shutil.which("bwrap") is None:
        return False
    usr = [Path("/usr"), *(Path(link) for link in LINKS)]
    command = wrapped(["/usr/bin/true"], usr, [])
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0  # noqa: S603 - ours
    except (OSError, subprocess.TimeoutExpired):
        return False


def _link(path: Path) -> list[str]:
    """Where `/lib` is a link into `/usr`, as on most systems, it is one inside too."""
    return ["--symlink", str(path.readlink()), str(path)] if path.is_symlink() else []


def _is_made(path: Path) -> bool:
    """Whether there is one of its own inside: /proc, /dev, and links into /usr."""
    return path.parts[:2] in {("/", "proc"), ("/", "dev")} or (str(path) in LINKS and path.is_symlink())


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths that exist and lie in no other of them, without what is made afresh inside."""
    present = sorted({p for p in paths if p.exists() and not _is_made(p)})
    kept: list[Path] = []
    for path in present:
        if not any(path.is_relative_to(other) for other in kept if other.is_dir()):
            kept.append(path)
    return kept
