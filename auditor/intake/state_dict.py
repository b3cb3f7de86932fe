"""The state dict inside a checkpoint, whatever real training code wrapped it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from auditor.errors import LoadError

__all__ = ["NESTED", "unwrapped"]

NESTED = (
    "state_dict", "model_state_dict", "model", "net", "weights", "module", "params", "state_dict_ema", "params_ema",
    "ema", "teacher", "student",
)  # fmt: skip
T = TypeVar("T")


def unwrapped(loaded: Any, file: str, leaf: type[T]) -> tuple[dict[str, T], tuple[str, ...]]:
    """The tensors (`leaf`) by name of a checkpoint, nested under a usual name or alone in a list, and what to note."""
    notes: list[str] = []
    for _ in range(4):
        if isinstance(loaded, (list, tuple)) and len(loaded) == 1:
            loaded = loaded[0]
        elif isinstance(loaded, Mapping) and (key := _nested_key(loaded)) is not None:
            beside = [str(k) for k in loaded if k != key]
            notes += [f"read from {key!r}; beside it and not read: {', '.join(sorted(beside)[:8])}"] if beside else []
            loaded = loaded[key]
        else:
            break
    if not isinstance(loaded, Mapping):
        msg = f"{file!r} holds {type(loaded).__name__}; expected a dict of tensors by name"
        raise LoadError(msg)
    extra = [k for k, v in loaded.items() if v is None and str(k).endswith("_extra_state")]
    loaded = {k: v for k, v in loaded.items() if k not in extra}
    odd = next(((k, v) for k, v in loaded.items() if not isinstance(k, str) or not isinstance(v, leaf)), None)
    if odd is not None:
        msg = f"{file!r}: entry {odd[0]!r:.80} is {type(odd[1]).__name__}; expected tensors by name"
        raise LoadError(msg)
    if not loaded:
        msg = f"{file!r} holds no weights; expected a dict of tensors by name"
        raise LoadError(msg)
    return dict(loaded), tuple(notes)


def _nested_key(checkpoint: Mapping[Any, Any]) -> str | None:
    nested = (list, tuple, Mapping)
    return next((k for k in NESTED if isinstance(checkpoint.get(k), nested)), None)
