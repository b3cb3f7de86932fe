"""A model file's inspection in words and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from auditor.errors import one_line
from auditor.intake.inspection import Inspection

__all__ = ["as_json", "in_words"]

MOST = 20
NEEDS = {
    "data": "It holds data alone.",
    "program": "It brings code of its own: allow it with [model] trust = 'program'.",
}


def in_words(found: Inspection) -> str:
    """What the file is, what it needs, and its first tensors."""
    numbers = sum(t.numbers for t in found.tensors.values())
    needs = NEEDS[found.trust]
    if found.needs_architecture:
        needs += " Say what the weights belong to with [model] architecture."
    lines = [
        f"{found.file}: {found.format}, {found.size:,} bytes, {len(found.tensors):,} tensors of {numbers:,} numbers",
        f"sha256 {found.sha256}",
        needs,
        *(f"Note: {note}." for note in found.notes),
        *(f"  {name}: {t.dtype}, {_shape(t.shape)}" for name, t in list(found.tensors.items())[:MOST]),
    ]
    if len(found.tensors) > MOST:
        lines.append(f"  and {len(found.tensors) - MOST:,} more; --json lists them")
    return "\n".join(map(_line, lines))


def as_json(found: Inspection) -> str:
    """Every field, every tensor with its bytes."""
    tensors = {name: {**asdict(t), "bytes": t.bytes} for name, t in found.tensors.items()}
    return json.dumps({**asdict(found), "tensors": tensors}, indent=1)


def _line(text: str) -> str:
    """One line, whatever names from the file are in it; the indent stays."""
    return " " * (len(text) - len(text.lstrip(" "))) + one_line(text)


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
