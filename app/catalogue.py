"""The catalogue of checks without loading them here: made in a child process, cached until checks change."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from auditor.errors import AuditError

__all__ = ["load"]


def load() -> list[dict[str, Any]]:
    """Every check: id, title, source, doc, settings."""
    path = _cache() / f"catalogue-{_state()}.json"
    try:
        return list(json.loads(path.read_bytes()))
    except (OSError, json.JSONDecodeError):
        made = _made()
        _keep(path, made)
        return list(json.loads(made))


def _made() -> bytes:
    child = subprocess.run([sys.executable, "-P", "-m", "auditor.catalogue"], capture_output=True, check=False)
    if child.returncode:
        lines = child.stderr.decode("utf-8", "replace").splitlines()
        msg = f"the checks cannot be listed: {lines[-1] if lines else f'exit code {child.returncode}'}"
        raise AuditError(msg)
    return child.stdout


def _keep(path: Path, made: bytes) -> None:
    """Store it for the next time; a folder that cannot be written only costs time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(made)
        fresh.replace(path)
    except OSError:
        return


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "torch-auditor"


def _state() -> str:
    """A digest that changes with the version, the installed checks of others, and our own files."""
    checks = Path(str(resources.files("auditor"))) / "checks"
    parts = [metadata.version("torch-auditor")]
    parts += sorted(
        f"{e.value} {e.dist.version if e.dist else ''}" for e in metadata.entry_points(group="auditor.checks")
    )
    parts += [f"{p.name} {p.stat().st_mtime_ns} {p.stat().st_size}" for p in sorted(checks.glob("*.py"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
