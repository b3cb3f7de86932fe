"""Every check as data: what the dashboard's widgets, `auditor checks` and the reference pages are made from.

python -m auditor.catalogue        prints it as JSON; run in a child process, since it loads every check
"""

from __future__ import annotations

import json
import sys
from typing import Any

import auditor.checks  # noqa: F401 - importing registers every check
from auditor.registry import CHECKS
from auditor.settings import json_schema

__all__ = ["catalogue"]


def catalogue() -> list[dict[str, Any]]:
    """Id, title, source, documentation, measures and settings (JSON Schema with defaults) of every check, by id."""
    return [
        {
            "id": c.id, "title": c.title, "source": c.source, "doc": c.doc, "measures": c.measures,
            "settings": json_schema(c.run),
        }
        for c in sorted(CHECKS.values(), key=lambda c: c.id)
    ]  # fmt: skip


if __name__ == "__main__":
    json.dump(catalogue(), sys.stdout, indent=1)
