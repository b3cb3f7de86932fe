"""The state dict inside a checkpoint, whatever real training code wrapped it in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from auditor.errors import LoadError, one_line
from auditor.intake.described import Described

__all__ = ["NESTED", "hyper_parameters", "unwrapped"]

NESTED = (
    "state_dict", "model_state_dict", "model", "net", "net_state_dict", "network", "weights", "module", "params",
    "state_dict_ema", "ema_state_dict", "model_ema", "params_ema", "ema", "shadow", "shadow_params", "teacher",
    "student",
)  # fmt: skip
HYPER = "hyper_parameters"  # where Lightning keeps the arguments that a model was built with
MOST_SHOWN, LONGEST, MOST_ITEMS, DEEPEST = 20, 80, 8, 3
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
    if isinstance(loaded, (list, tuple)) and loaded and all(isinstance(v, leaf) for v in loaded):
        msg = f"{file!r} holds {len(loaded)} tensors without names, as averages keep them; save a state_dict of them"
        raise LoadError(msg)
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


def hyper_parameters(checkpoint: Any) -> tuple[str, ...]:
    """What a Lightning checkpoint says of how it was made, a line each; plain values alone, none for other files."""
    if not isinstance(checkpoint, Mapping) or not isinstance(given := checkpoint.get(HYPER), Mapping):
        return ()
    lines = list(islice(_plain(given, "", DEEPEST), MOST_SHOWN + 1))
    more = [f"more hyper-parameters than the {MOST_SHOWN} above"] if len(lines) > MOST_SHOWN else []
    return (*lines[:MOST_SHOWN], *more)


def _plain(given: Mapping[Any, Any], before: str, depth: int) -> Iterator[str]:
    for key, value in given.items():
        name = f"{before}{one_line(str(key), LONGEST)}" if isinstance(key, (str, int)) else f"{before}(odd key)"
        if isinstance(value, Mapping) and value and depth:
            yield from _plain(value, f"{name}.", depth - 1)
        else:
            yield one_line(f"hyper-parameter {name} = {_shown(value)}", 3 * LONGEST)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return repr(one_line(value, LONGEST))
    if value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 1 << 64):
        return str(value)
    if isinstance(value, (list, tuple, set)) and len(value) <= MOST_ITEMS and not any(map(_is_nested, value)):
        return f"[{', '.join(map(_shown, value))}]"
    return "(a tensor)" if isinstance(value, Described) else f"({type(value).__name__})"


def _is_nested(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, Mapping))
