"""The real models and data beside the checkout, without which tests skip, saying so; and what opening them gives."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from auditor.config import load_audit_file
from auditor.opening import Opened, open_audit
from auditor.subject import Model
from tests.zoo import Case

__all__ = ["AUDITS", "SHARED", "model_of", "module_at", "needs_shared", "real"]

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
AUDITS = SHARED / "audits"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the real models and data are absent ({SHARED})")


def module_at(path: Path) -> ModuleType:
    """The Python file at `path` as a module, which `import` would not find."""
    module = sys.modules[path.stem] = ModuleType(path.stem)
    SourceFileLoader(path.stem, str(path)).exec_module(module)
    return module


def real(name: str) -> Case:
    """The model and the data of the real audit file `name`."""
    opened = open_audit(load_audit_file(AUDITS / f"{name}.toml"), AUDITS)
    return Case(model_of(opened), opened.data)


def model_of(opened: Opened) -> Model:
    """The model of an opened audit; fails where there is none."""
    if opened.model is None:
        pytest.fail("the audit file names no model")
    return opened.model
