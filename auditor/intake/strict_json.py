"""JSON that means one thing: no name twice, no NaN and no infinity, which readers take in different ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from auditor.errors import LoadError

__all__ = ["TwinError", "read_object", "strict_json"]


class TwinError(ValueError):
    """a name stands in it twice"""


def strict_json(text: bytes) -> Any:
    """What `text` says; ValueError or RecursionError where it is no JSON, TwinError where a name stands in it twice."""
    return json.loads(text, object_pairs_hook=_without_twins, parse_constant=_no_constant)


def read_object(path: Path, most: int = 1 << 20) -> dict[str, Any]:
    """The object in the file at `path` of at most `most` bytes; LoadError, in one line, where there is none."""
    try:
        size = path.stat().st_size
        found = strict_json(path.read_bytes()) if size <= most else None
    except (OSError, ValueError, RecursionError) as e:
        reason = TwinError.__doc__ if isinstance(e, TwinError) else type(e).__name__
        msg = f"{path.name!r} is no sound JSON ({reason})"
        raise LoadError(msg) from None
    if not isinstance(found, dict):
        said = f"has {size:,} bytes" if size > most else f"holds {type(found).__name__}"
        msg = f"{path.name!r} {said}; expected a JSON object of at most {most:,} bytes"
        raise LoadError(msg)
    return found


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise TwinError
    return found


def _no_constant(text: str) -> None:
    raise ValueError(text)
