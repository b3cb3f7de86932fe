"""Audit <-> folder: audit.json, run.json, environment.json and the evidence arrays."""

from __future__ import annotations

import json
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from auditor.clock import moment
from auditor.errors import LoadError
from auditor.schema import audit_from_json, audit_to_json, canonical
from auditor.types import Audit

__all__ = ["Record", "load", "save"]

Array = np.ndarray[Any, Any]
NUMBERS = "uifb"
WHOLE = "give the whole folder that `auditor run` wrote, or run the audit anew"
DAMAGED = (  # what numpy, zipfile and zlib raise over bytes that are none of theirs
    OSError, EOFError, ValueError, RuntimeError, MemoryError, TypeError, zipfile.BadZipFile, zlib.error,
    tokenize.TokenError,
)  # fmt: skip


@dataclass(frozen=True)
class Record:
    """An audit with what stays out of audit.json.

    `arrays` are the evidence by name (`CHECK/KEY`); `run` is run.json: when it ran, and each check's seconds and peak
    memory. `installed` is environment.json: the version of every distribution that was installed, by its name.
    """

    audit: Audit
    arrays: Mapping[str, Array] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    installed: Mapping[str, str] = field(default_factory=dict)

    def array(self, name: str) -> Array:
        """The array of the evidence with that name; LoadError, which names its file, where it cannot be read."""
        try:
            return self.arrays[name]
        except KeyError:
            check, _, key = name.partition("/")
            msg = f"evidence/{check}.npz has no {key!r:.80} that can be read: it is missing or damaged; {WHOLE}"
            raise LoadError(msg) from None

    def picture(self, name: str) -> Array:
        """The same, of which a picture is drawn: (H, W) or (H, W, 3) numbers; LoadError where it is none."""
        array = self.array(name)
        if array.dtype.kind not in NUMBERS or array.ndim < 2 or not array.size or array.shape[2:] not in ((), (3,)):
            check, _, key = name.partition("/")
            msg = f"evidence/{check}.npz has a {key!r:.80} of shape {array.shape}, which is no picture; {WHOLE}"
            raise LoadError(msg)
        return array


def save(record: Record, folder: Path) -> None:
    """Write audit.json, run.json, environment.json and evidence/CHECK.npz into `folder`, which exists.

    LoadError for a stored record whose evidence cannot be read.
    """
    (folder / "audit.json").write_bytes(audit_to_json(record.audit))
    (folder / "run.json").write_bytes(canonical(record.run))
    (folder / "environment.json").write_bytes(canonical(record.installed))
    by_check: dict[str, dict[str, Array]] = {}
    for name in record.arrays:
        check, _, key = name.partition("/")
        by_check.setdefault(check, {})[key] = record.array(name)
    (folder / "evidence").mkdir(exist_ok=True)
    for check, arrays in sorted(by_check.items()):
        np.savez_compressed(folder / "evidence" / f"{check}.npz", allow_pickle=False, **arrays)


def load(folder: Path) -> Record:
    """The record that `save` wrote; its arrays are read when asked for. LoadError when it is none."""
    try:
        audit = audit_from_json((folder / "audit.json").read_bytes())
        run = json.loads((folder / "run.json").read_bytes())
        listed = folder / "environment.json"
        installed = json.loads(listed.read_bytes()) if listed.exists() else {}  # older audits have none
    except (OSError, ValueError) as e:
        found = (e.strerror or "").lower() if isinstance(e, OSError) else "its run.json or environment.json is no JSON"
        msg = f"{str(folder)!r:.200} holds no audit ({found}); give a folder that `auditor run` wrote"
        raise LoadError(msg) from None
    except LoadError as e:
        msg = f"{e} (in {str(folder / 'audit.json')!r:.200}); give a folder that `auditor run` wrote"
        raise LoadError(msg) from None
    for name, held in (("run.json", run), ("environment.json", installed)):
        if not isinstance(held, dict):
            msg = f"{folder.name!r} holds no audit ({name} has no keys); give a folder that `auditor run` wrote"
            raise LoadError(msg)
    _need_date(folder, run)
    return Record(audit, _Arrays(folder / "evidence"), run, installed)


def _need_date(folder: Path, run: Mapping[str, Any]) -> None:
    """LoadError for an audit that began at no moment; older ones may not say it."""
    try:
        moment(run.get("started", "1970-01-01"))
    except (TypeError, ValueError):
        msg = f"{folder.name!r} holds no audit (run.json: it started {run['started']!r:.40}, which is no date and time)"
        raise LoadError(msg) from None


class _Arrays(Mapping[str, Array]):
    """The arrays of an evidence folder, each read when asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> Array:
        check, _, key = name.partition("/")
        path = self._folder / f"{Path(check).name}.npz"
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return np.asarray(arrays[key])
        except DAMAGED:
            raise KeyError(name) from None  # missing, or damaged

    def __iter__(self) -> Iterator[str]:
        for path in sorted(self._folder.glob("*.npz")):
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                    keys = tuple(arrays.files)
            except DAMAGED:
                msg = f"evidence/{path.name} cannot be read: it is damaged; {WHOLE}"
                raise LoadError(msg) from None
            yield from (f"{path.stem}/{key}" for key in keys)

    def __len__(self) -> int:
        return sum(1 for _ in self)
