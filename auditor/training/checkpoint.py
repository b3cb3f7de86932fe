"""All that a training needs to go on where it was stopped, as a file that holds tensors and plain values alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from auditor.training.watch import Watch

__all__ = ["is_of_another", "keep", "kept"]


def kept(watch: Watch, phase: str) -> dict[str, Any] | None:
    """What `keep` wrote of the same training and phase; None where there is nothing, or another training's."""
    found = _read(watch.checkpoint)
    return found["phases"].get(phase) if found.get("fingerprint") == watch.fingerprint else None


def is_of_another(watch: Watch) -> bool:
    """Whether there is a checkpoint, and it is not this training's."""
    there = watch.checkpoint is not None and watch.checkpoint.is_file()
    return there and _read(watch.checkpoint).get("fingerprint") != watch.fingerprint


def keep(watch: Watch, phase: str, state: dict[str, Any]) -> None:
    """Write `state` beside those of the other phases of this training, whole or not at all."""
    if watch.checkpoint is None:
        return
    found = _read(watch.checkpoint) if phase else {}  # alone, it has nothing beside it to keep
    phases = found["phases"] if found.get("fingerprint") == watch.fingerprint else {}
    fresh = watch.checkpoint.with_suffix(".fresh")
    torch.save({"fingerprint": watch.fingerprint, "phases": {**phases, phase: state}}, fresh)
    fresh.replace(watch.checkpoint)


def _read(path: Path | None) -> dict[str, Any]:
    """The content of a checkpoint; empty where there is none, or nothing that `keep` wrote."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True) if path is not None else {}
    except Exception:  # noqa: BLE001 - whatever is wrong with it: the training begins anew
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("phases"), dict) else {}
