"""The packages of the extra `zoos`, or a skip that says why."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from types import ModuleType

import pytest

from tests.shared import SHARED, module_at

__all__ = ["installed"]

SHIM = SHARED.parent / "spikes" / "torchvision_on_cpu.py"  # for a torchvision whose wheel was built for CUDA


@cache
def _with_operators() -> None:
    """torchvision's operators declared, where its wheel misses them; before torchvision is imported by anybody."""
    if SHIM.is_file() and "torchvision" not in sys.modules and importlib.util.find_spec("torchvision"):
        module_at(SHIM)


def installed(zoo: str) -> ModuleType:
    """The package, or a skip that says why."""
    _with_operators()
    found = pytest.importorskip(zoo, reason="the extra `zoos` is not installed", exc_type=(ImportError, RuntimeError))
    if zoo == "transformers":
        found.utils.logging.set_verbosity_error()
        found.utils.logging.disable_progress_bar()
    return found
