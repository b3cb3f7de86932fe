"""Hugging Face directories of every kind with data for them, opened as an audit opens them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from auditor.config import parse_audit_file
from auditor.intake.outputs import settle
from auditor.opening import Opened, open_audit
from tests.shared import model_of

__all__ = ["CORPUS", "LABELS", "opened"]

CORPUS = [
    f"{a} {b} {c}" for a in ("a good", "the bad", "one") for b in ("film", "plot") for c in ("indeed", "not at all")
]
LABELS = {"id2label": {0: "no", 1: "yes"}, "label2id": {"no": 0, "yes": 1}}


def opened(folder: Path, path: str, data: dict[str, Any], **more: Any) -> Opened:
    """The directory `path` in `folder` with this data, its model as it must be driven."""
    model = more.pop("model", {})
    found = open_audit(parse_audit_file({"model": {"path": path, **model}, "data": data, **more}), folder)
    return replace(found, model=settle(model_of(found), found.data)[0])
