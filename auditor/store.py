"""Audit <-> folder: audit.json, run.json and the evidence arrays.

A folder is written beside its place and moved there when complete, so that nobody finds half an audit.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from auditor.errors import LoadError, UsageError
from auditor.schema import audit_from_json, audit_to_json, canonical
from auditor.types import Audit

__all__ = ["COMPARISON", "MANIFEST", "Record", "holds_audit", "load", "may_replace", "replacing", "save"]

Array = np.ndarray[Any, Any]
SIGNATURE = "attestation.dsse.json"
MANIFEST = "manifest.json"
PARTS = ("", "before", "after")  # a folder holds one audit, or two side by side with their comparison
COMPARISON = "compare.html"


@dataclass(frozen=True)
class Record:
    """An audit with what stays out of audit.json.

    `arrays` are the evidence by name (`CHECK/KEY`); `run` is run.json: when it ran, and each check's seconds and peak
    memory.
    """

    audit: Audit
    arrays: Mapping[str, Array] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)


def save(record: Record, folder: Path) -> None:
    """Write audit.json, run.json and evidence/CHECK.npz into `folder`, which exists."""
    (folder / "audit.json").write_bytes(audit_to_json(record.audit))
    (folder / "run.json").write_bytes(canonical(record.run))
    by_check: dict[str, dict[str, Array]] = {}
    for name, array in record.arrays.items():
        check, _, key = name.partition("/")
        by_check.setdefault(check, {})[key] = array
    (folder / "evidence").mkdir(exist_ok=True)
    for check, arrays in sorted(by_check.items()):
        np.savez_compressed(folder / "evidence" / f"{check}.npz", allow_pickle=False, **arrays)


def load(folder: Path) -> Record:
    """The record that `save` wrote; its arrays are read when asked for. LoadError when it is none."""
    try:
        audit = audit_from_json((folder / "audit.json").read_bytes())
        run = json.loads((folder / "run.json").read_bytes())
    except (OSError, json.JSONDecodeError) as e:
        msg = f"{folder.name!r} holds no audit ({type(e).__name__}); give a folder that `auditor run` wrote"
        raise LoadError(msg) from None
    return Record(audit, _Arrays(folder / "evidence"), run)


class _Arrays(Mapping[str, Array]):
    """The arrays of an evidence folder, each read when asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> Array:
        check, _, key = name.partition("/")
        path = self._folder / f"{Path(check).name}.npz"
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return np.asarray(arrays[key])
        except (OSError, ValueError, zipfile.BadZipFile):
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        for path in sorted(self._folder.glob("*.npz")):
            with np.load(path, allow_pickle=False) as arrays:
                yield from (f"{path.stem}/{key}" for key in arrays.files)

    def __len__(self) -> int:
        return sum(1 for _ in self)


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
    if not folder.exists():
        return
    if not folder.is_dir():
        msg = f"{name!r} is a file; give a folder to write the audit to"
        raise UsageError(msg)
    if any((folder / part / SIGNATURE).exists() for part in PARTS):
        msg = f"{name!r} holds a signed audit, which is never replaced; give another folder with --out"
        raise UsageError(msg)
    if foreign := _foreign(folder):
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        msg = f"{name!r} holds {foreign[0]!r}{more}, which no audit left there; give an empty or new folder with --out"
        raise UsageError(msg)


def holds_audit(folder: Path) -> bool:
    """Whether there is an audit in `folder`."""
    return (folder / "audit.json").is_file()


def _hidden_beside(folder: Path, parent: Path) -> Path:
    """A new folder in `parent`, named after `folder` and hidden."""
    return Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=parent))


def _foreign(folder: Path) -> list[str]:
    """The files of `folder` that no manifest in it lists."""
    known = {COMPARISON}
    for part in PARTS:
        try:
            listed = json.loads((folder / part / MANIFEST).read_bytes())
        except (OSError, ValueError):
            continue
        known |= {f"{part}/{name}".lstrip("/") for name in (MANIFEST, *listed)}
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    return sorted(present - known)
