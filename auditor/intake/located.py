"""Where the files lie that an audit file names."""

from __future__ import annotations

import importlib.util
from pathlib import Path, PurePath

from auditor.errors import LoadError, UsageError

__all__ = ["locate"]


def locate(name: str, folder: Path, what: str, *, uploaded: bool = False) -> Path:
    """The existing file or folder `name`: relative to `folder`, or package:NAME/FILE inside an installed package.

    With `uploaded` only plain names inside `folder` are accepted.
    """
    if uploaded and (name.startswith("package:") or PurePath(name).is_absolute() or ".." in PurePath(name).parts):
        msg = f"{what} {name!r} lies outside the upload; name an uploaded file"
        raise UsageError(msg)
    path = _in_package(name) if name.startswith("package:") else folder / name
    try:
        found = path.exists()
    except (OSError, ValueError):  # no name that a file could have
        found = False
    if not found:
        msg = f"{what} {name!r:.100} does not exist; paths are relative to the audit file"
        raise LoadError(msg)
    return path


def _in_package(name: str) -> Path:
    package, _, inner = name.removeprefix("package:").partition("/")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        msg = f"{name!r}: no package {package!r} is installed"
        raise LoadError(msg)
    return Path(next(iter(spec.submodule_search_locations))) / inner
