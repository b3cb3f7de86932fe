"""Folders that hold audits: what may be replaced, and by what.

A folder is written beside its place and moved there when complete, so that nobody finds half an audit.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditor.errors import LoadError, UsageError

__all__ = [
    "ATTESTATION", "COMPARISON", "COMPARISON_JSON", "MANIFEST", "SIGNATURES", "SIGNOFF", "holds_audit", "may_replace",
    "need_audit", "need_outside", "remove", "replacing",
]  # fmt: skip

ATTESTATION, SIGNOFF = SIGNATURES = "attestation.dsse.json", "signoff.dsse.json"
MANIFEST = "manifest.json"
PARTS = ("", "before", "after")  # a folder holds one audit, or two side by side with their comparison
COMPARISON = "compare.html"
COMPARISON_JSON = "compare.json"


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder to fill, which takes the place of `folder` on leaving without an error.

    What stood there is replaced only then. UsageError when that is a signed audit, or anything but an audit.
    """
    may_replace(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = _hidden_beside(folder, folder.parent)
    try:
        yield fresh
        fresh.chmod(0o755)
        may_replace(folder)
        old = fresh.with_name(f"{fresh.name}-old")
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def may_replace(folder: Path) -> None:
    """UsageError when no audit can be written to `folder`, or may not take the place of what it holds."""
    name = str(folder)
    try:
        nearest = next(f for f in (folder, *folder.absolute().parents) if f.exists())
        _hidden_beside(folder, nearest if nearest != folder else folder.absolute().parent).rmdir()
    except (OSError, ValueError) as e:
        reason = getattr(e, "strerror", None) or str(e)
        msg = f"{name!r:.200} cannot be written ({reason}); give a folder that can with --out"
        raise UsageError(msg) from None
    need_outside(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        msg = f"{name!r} is a file; give a folder to write the audit to"
        raise UsageError(msg)
    if any((folder / part / name).exists() for part in PARTS for name in SIGNATURES):
        msg = f"{name!r} holds a signed audit, which is never replaced; give another folder with --out"
        raise UsageError(msg)
    if foreign := _foreign(folder):
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        msg = f"{name!r} holds {foreign[0]!r}{more}, which no audit left there; give an empty or new folder with --out"
        raise UsageError(msg)


def holds_audit(folder: Path) -> bool:
    """Whether there is an audit in `folder`."""
    return (folder / "audit.json").is_file()


def need_audit(folder: Path) -> None:
    """LoadError where there is no audit in `folder`."""
    if not holds_audit(folder):
        msg = f"{str(folder)!r:.200} holds no audit; give a folder that `auditor run` wrote"
        raise LoadError(msg)


def need_outside(folder: Path) -> None:
    """UsageError where `folder` lies in that of an audit, however deep: it would no longer be as it was written."""
    try:
        around = next((p for p in folder.resolve().parents if holds_audit(p)), None)
    except (OSError, ValueError, RuntimeError) as e:  # a link to itself
        msg = f"{str(folder)!r:.200} cannot be written ({getattr(e, 'strerror', None) or e}); give another folder"
        raise UsageError(msg) from None
    if around is not None:
        where = f"{str(folder)!r:.200} lies in the audit {around.name!r:.80}"
        msg = f"{where}, to which nothing is added; give a folder outside of it with --out"
        raise UsageError(msg)


def remove(folder: Path) -> None:
    """Remove all of `folder`, nested deeper than Python can follow or not."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        subprocess.run(["/bin/rm", "-rf", "--", str(folder)], check=False)  # noqa: S603 - a folder of our own making


def _hidden_beside(folder: Path, parent: Path) -> Path:
    """A new folder in `parent`, named after `folder` and hidden."""
    return Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=parent))


def _foreign(folder: Path) -> list[str]:
    """The files of `folder` that no manifest in it lists."""
    known = {COMPARISON, COMPARISON_JSON}
    for part in PARTS:
        try:
            listed = json.loads((folder / part / MANIFEST).read_bytes())
        except (OSError, ValueError):
            continue
        known |= {f"{part}/{name}".lstrip("/") for name in (MANIFEST, *listed)}
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    return sorted(present - known)
