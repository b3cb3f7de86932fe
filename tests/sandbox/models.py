"""Audit files of a small model whose Python a test writes, and what such tests need of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import AuditFile, load_audit_file
from auditor.sandbox.lock import can_lock

__all__ = ["ARCHS", "audit_file", "needs_lock"]

needs_lock = pytest.mark.skipif(not can_lock(), reason="no Landlock and seccomp on this machine")

ARCHS = """
import os, socket, sys, time
from pathlib import Path
import torch
from torch import nn
class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(3, 2))
"""
FILE = """
[model]
path = "w.pt"
architecture = "{architecture}"
trust = "{trust}"
[data]
path = "d.csv"
target = "y"
sensitive = ["g"]
[checks]
profile = "quick"
only = [{only}]
"""


def audit_file(
    folder: Path, code: str = "", *, architecture: str = "mlp:3-2", only: str = '"performance.*"', trust: str = "data"
) -> AuditFile:
    (folder / "archs.py").write_text(ARCHS + code)
    (folder / "audit.toml").write_text(FILE.format(architecture=architecture, only=only, trust=trust))
    return load_audit_file(folder / "audit.toml")
