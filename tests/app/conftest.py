"""What tests of the command line begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.files import table_audit


@pytest.fixture
def audit_file(tmp_path: Path) -> Path:
    """A small model with its data and audit file."""
    return table_audit(tmp_path)
