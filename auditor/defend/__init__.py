"""Defences, one file each: f(model, training data, ...) returns a NEW module; the given one is never edited.

A defence is a function of the name of its file; its keyword-only arguments are its settings ([defend.NAME]).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from auditor.errors import UsageError
from auditor.training.watch import Hardened

__all__ = ["DEFENCES", "defence"]

DEFENCES = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def defence(name: str) -> Callable[..., Hardened]:
    """The defence `name`; UsageError that lists those there are."""
    if name not in DEFENCES:
        msg = f"no defence {name!r}; known: {', '.join(DEFENCES)}"
        raise UsageError(msg)
    found: Any = getattr(importlib.import_module(f"{__name__}.{name}"), name)
    return found  # type: ignore[no-any-return]
