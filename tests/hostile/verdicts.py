"""What became of an input, against what its list asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["entries", "need_verdict"]

LEGAL = {"refuse": {3}, "limit": {2, 3}}  # anything else: audited, whatever the audit says of it


def entries(hostile: Path, *groups: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every input of `groups` that was made (some need a package that is not installed), with its line of the list."""
    for row in json.loads((hostile / "MANIFEST.json").read_text()):
        if row["group"] in groups and (hostile / row["file"]).exists():
            yield hostile / row["file"], row


def need_verdict(row: dict[str, Any], code: int, err: str) -> None:
    """Fails unless the exit code is one that the verdict allows, and a refusal is one line without a traceback."""
    assert code in LEGAL.get(row["verdict"], {0, 1, 2}), (row, err)
    assert err.count("\n") == (code == 3) and "Traceback" not in err and len(err) < 600, (row, err)
