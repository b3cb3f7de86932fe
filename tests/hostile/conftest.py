"""The hostile inputs, made anew once for all workers, and the list of what each must get."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.shared import SHARED

MAKE = SHARED.parent / "hostile" / "make.py"


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of the hostile inputs; MANIFEST.json lies in it."""
    if not MAKE.is_file():
        pytest.skip(f"the hostile inputs are absent ({MAKE})")
    mine = tmp_path_factory.getbasetemp()
    folder = (mine if worker_id == "master" else mine.parent) / "hostile"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            subprocess.run([sys.executable, str(MAKE), "--out", str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(autouse=True)
def _no_marker() -> Iterator[None]:
    """Payloads would leave files there."""
    before = set(Path("/tmp").glob("hostile_marker_*"))
    yield
    assert set(Path("/tmp").glob("hostile_marker_*")) == before
