"""The command that starts a process among files of our choosing and nothing else, with bubblewrap (bwrap)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

__all__ = ["can_wrap", "wrapped"]

SCRATCH_BYTES = 64 << 20
MADE = (Path("/proc"), Path("/dev"))  # there is one of its own inside
SYSTEM = (Path("/usr"), Path("/lib"), Path("/lib64"), Path("/bin"))


def wrapped(
    command: Sequence[str], readable: Iterable[Path], writable: Iterable[Path], devices: Iterable[Path] = ()
) -> list[str]:
    """`command` with every file under the name that it has outside, no network, no other process and no privileges.

    Links on the way to a file are there too, so that every name leads where it leads outside.
    """
    folders: dict[Path, None] = {}
    links: dict[Path, str] = {}
    real = _outermost(_followed(p, folders, links) for p in readable if not _inside(p, MADE) and p.exists())
    on_the_way: list[tuple[str, ...]] = [("--dir", str(p)) for p in sorted(folders) if not _inside(p, real)]
    on_the_way += [("--symlink", to, str(at)) for at, to in sorted(links.items()) if not _inside(at.parent, real)]
    binds = [("--ro-bind", str(p), str(p)) for p in real]
    binds += [("--dev-bind-try", str(p), str(p)) for p in devices]
    binds += [("--bind", str(p), str(p)) for p in writable]
    return [
        "bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session",
        "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev", "--size", str(SCRATCH_BYTES),
        "--tmpfs", "/tmp",  # noqa: S108 - a fresh one inside
        *(part for group in (*on_the_way, *binds) for part in group), "--remount-ro", "/", "--chdir", "/", *command,
    ]  # fmt: skip


@cache
def can_wrap() -> bool:
    """Whether bwrap is installed and may make namespaces here, which some containers and systems forbid."""
    if shutil.which("bwrap") is None:
        return False
    try:
        command = wrapped(["/usr/bin/true"], SYSTEM, [])
        done = subprocess.run(command, capture_output=True, timeout=10, check=False)  # noqa: S603 - ours
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _followed(path: Path, folders: dict[Path, None], links: dict[Path, str]) -> Path:
    """The real place of the existing `path`, with the folders and links on the way to it noted."""
    at, rest = Path("/"), list(path.absolute().parts[1:])
    while rest:
        part = rest.pop(0)
        if part == "..":
            at = at.parent
            continue
        at /= part
        if at.is_symlink():
            target = at.readlink()
            links[at] = str(target)
            at = Path("/") if target.is_absolute() else at.parent
            rest = [p for p in target.parts if p != "/"] + rest
        elif rest:
            folders[at] = None
    return at


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths that lie in no other of them."""
    kept: list[Path] = []
    for path in sorted(set(paths)):
        if not _inside(path, kept):
            kept.append(path)
    return kept


def _inside(path: Path, others: Iterable[Path]) -> bool:
    return any(path.is_relative_to(other) for other in others)
