"""What comes from a browser: names and audit files become such as the auditor takes, and a form an audit file."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from auditor.config import load_audit_file
from auditor.errors import UsageError

__all__ = ["audit_text", "checked", "named", "safe_name"]

LONGEST = 100


def safe_name(given: str) -> str:
    """A plain file name made of the last part of `given`: letters, digits, dot, dash and underscore."""
    last = PurePosixPath(given.replace("\\", "/")).name
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", last).lstrip(".")
    if not name.strip("_-."):
        msg = f"a file is called {given!r}; give it a name of letters, digits, dots, dashes and underscores"
        raise UsageError(msg)
    return name[-LONGEST:].lstrip(".")


def named(files: Iterable[tuple[str, memoryview]]) -> dict[str, memoryview]:
    """The files by their plain names; UsageError when two would have the same."""
    found: dict[str, memoryview] = {}
    for given, content in files:
        name = safe_name(given)
        if name in found:
            msg = f"two files would be called {name!r}; rename one of them"
            raise UsageError(msg)
        found[name] = content
    return found


def checked(path: Path, uploaded: Collection[str]) -> str:
    """The name of what the audit file at `path` audits; UsageError when it names anything but uploaded files."""
    file = load_audit_file(path)
    for key, name in file.files():
        if name not in uploaded and not (key == "[data] path" and name == "."):
            listed = ", ".join(n for n in uploaded if n != path.name) or "no file"
            msg = f"{path.name!r} names {key} {name!r}, which was not uploaded; uploaded: {listed}"
            raise UsageError(msg)
    return file.subject.name or (file.model.path if file.model else file.data.path)


def audit_text(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """An audit file of these sections; what is empty is left out."""
    blocks = []
    for section, values in sections.items():
        lines = [f"{key} = {_value(value)}" for key, value in values.items() if value not in ("", [], None)]
        if lines:
            blocks.append("\n".join([f"[{section}]", *lines]))
    return "\n\n".join(blocks) + "\n"


def _value(value: Any) -> str:
    """A value as TOML: for text, numbers, booleans and lists of them JSON is the same, but for one character."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("\x7f", "\\u007f")
