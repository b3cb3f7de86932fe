"""What the auditor itself is: its source, the commit it runs from, and everything installed beside it. No torch."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

from auditor.schema import canonical

__all__ = ["COMMIT", "LISTED", "SOURCE", "commit", "distributions", "installation", "machine", "source_sha256"]

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("app", "auditor", "reports")
OURS = {".css", ".j2", ".json", ".py", ".toml"}  # what a wheel holds, and no more than it
SOURCE, COMMIT, LISTED = "auditor source sha256", "auditor commit", "environment.json sha256"
GIT_SECONDS = 10


def installation() -> dict[str, str]:
    """What an audit's environment says of the auditor: digests of its source and of environment.json, its commit."""
    known = {SOURCE: source_sha256(), LISTED: hashlib.sha256(canonical(distributions())).hexdigest()}
    return {**known, COMMIT: commit()} if commit() else known


def machine() -> dict[str, str]:
    """What an audit's environment says of the machine: Python, and the kinds of system and processor."""
    return {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}


@cache
def distributions() -> dict[str, str]:
    """The version of every installed distribution by its name, as package indexes spell it: environment.json."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "").lower()
        if name:
            found.setdefault(name, distribution.version)  # the first on the path is the one that is imported
    return dict(sorted(found.items()))


@cache
def source_sha256() -> str:
    r"""The sha256 of the lines `DIGEST  PATH` of every file of ours, in the order of their paths.

    By hand: `find app auditor reports -type f | grep -E '\.(css|j2|json|py|toml)$' | LC_ALL=C sort | xargs sha256sum |
    sha256sum`.
    """
    files = {p.relative_to(ROOT).as_posix(): p for name in PACKAGES for p in (ROOT / name).rglob("*")}
    ours = sorted((name, path) for name, path in files.items() if path.suffix in OURS and path.is_file())
    lines = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in ours)
    return hashlib.sha256(lines.encode()).hexdigest()


@cache
def commit() -> str:
    """The git commit that the auditor runs from, ` with changes` where its files are others; "" outside a checkout."""
    if not (ROOT / ".git").exists():
        return ""
    try:
        return _git("rev-parse", "HEAD") + (" with changes" if _git("status", "--porcelain", "--", *PACKAGES) else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(*arguments: str) -> str:
    found = subprocess.run(  # noqa: S603 - fixed arguments
        ["git", "-C", str(ROOT), "-c", "core.fsmonitor=false", *arguments],  # noqa: S607 - whichever git there is
        env={"PATH": os.environ.get("PATH", os.defpath)}, capture_output=True, text=True, check=True,
        timeout=GIT_SECONDS,
    )  # fmt: skip
    return found.stdout.strip()
