"""Audit files whose model is a wrapper."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

__all__ = ["SQUEEZING", "wrapper_file"]

SQUEEZING = {"bits": 3, "median": False, "low": [-4.0], "high": [4.0]}


def wrapper_file(folder: Path, around: str = "m.safetensors", /, **changed: Any) -> Path:
    """A wrapper around the file `around` in `folder`, with some keys changed; None leaves one out."""
    known = around in {p.name for p in folder.iterdir()}
    digest = hashlib.sha256((folder / around).read_bytes()).hexdigest() if known else "0" * 64
    text = {
        "format": "auditor-wrapper-v1", "kind": "feature_squeezing", "settings": SQUEEZING, "model": around,
        "model_sha256": digest,
    } | changed  # fmt: skip
    path = folder / "squeezed.json"
    path.write_text(json.dumps({k: v for k, v in text.items() if v is not None}))
    return path
