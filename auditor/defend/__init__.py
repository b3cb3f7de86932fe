"""Defences, one file each: f(model, training data, ...) gives a NEW module or a Wrapping; the given model stays.

A defence is a function of the name of its file; its keyword-only arguments are its settings ([defend.NAME]).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from auditor.errors import UsageError
from auditor.training.watch import Hardened
from auditor.wrapped.wrapping import Wrapping

__all__ = ["DEFENCES", "defence"]

DEFENCES = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def defence(name: str) -> Callable[..., Hardened | Wrapping]:
    """The defence `name`; UsageError that lists those there are."""
    if name not in DEFENCES:
        msg = f"no defence {name!r}; known: {', '.join(DEFENCES)}"
        raise UsageError(msg)
    found: Any = getattr(importlib.import_module(f"{__name__}.{name}"), name)
    return found  # type: ignore[no-any-return]
