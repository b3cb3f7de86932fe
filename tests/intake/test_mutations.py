"""What the benchmark of mutated files would notice: each way in which a file could end otherwise than it may."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from auditor.sandbox.lock import can_lock
from auditor.sandbox.reach import files_of_python
from benchmarks import mutations
from benchmarks.mutations import CLEAN, LOADED, REFUSED_BY_LOADER, REFUSED_BY_LOOK, Case, case_of, run, tried

pytestmark = pytest.mark.skipif(not can_lock(), reason="this machine has no Landlock and seccomp")


def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instead: Callable[..., Any]) -> tuple[str, str]:
    """How a case ends whose look and load are `instead`."""
    monkeypatch.setattr(mutations, "tried", instead)
    monkeypatch.setattr(mutations, "SECONDS", 1)
    (tmp_path / "files").mkdir()
    (tmp_path / "scratch").mkdir()
    case = Case(0, "safetensors", "bits", b"x")
    found = run(case, tmp_path / "files", tmp_path / "scratch", files_of_python(), {})
    return found.outcome, found.said


def leaving(*_: Any) -> tuple[str, str]:
    Path("marker").write_text("x", "utf-8")
    return LOADED, ""


def reaching_out(*_: Any) -> tuple[str, str]:
    (Path(__file__).parent / "marker").write_text("x", "utf-8")
    return LOADED, ""


@pytest.mark.parametrize(
    ("instead", "outcome", "said"),
    [
        (lambda *_: (LOADED, "well"), LOADED, "well"),
        (lambda *_: (REFUSED_BY_LOOK, "one line"), REFUSED_BY_LOOK, "one line"),
        (lambda *_: (REFUSED_BY_LOOK, "two\nlines"), "refused in several lines", "two"),
        (lambda *_: os.kill(os.getpid(), signal.SIGKILL), "crashed", "signal SIGKILL"),
        (lambda *_: 1 // 0, "crashed", "ZeroDivisionError"),
        (lambda *_: time.sleep(30), "no end", "signal SIGKILL"),
        (leaving, "left a file behind", "marker"),
        (reaching_out, "crashed", "PermissionError"),
    ],
)
def test_how_a_file_ends_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instead: Callable[..., Any], outcome: str, said: str
) -> None:
    found, words = ended(tmp_path, monkeypatch, instead)

    assert found == outcome
    assert said in words


def test_what_is_loaded_must_be_what_was_described_and_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {"w": torch.ones(3)}
    path = tmp_path / "w.safetensors"
    save_file(weights, path)

    def reads(tensors: dict[str, Tensor]) -> str:
        monkeypatch.setattr(mutations, "read_weights", lambda *_: tensors)
        return tried(path, weights)[0]

    assert reads(weights) == LOADED
    assert reads({"w": torch.ones(4)}) == "loaded something else than was described"
    assert reads({"w": torch.ones(3).double()}) == "loaded something else than was described"
    assert reads({"v": torch.ones(3)}) == "loaded something else than was described"
    assert reads({"w": torch.zeros(3)}) == "loaded other numbers past a checksum"
    path.write_bytes(b"x")
    assert tried(path, None)[0] == REFUSED_BY_LOOK


def test_a_case_is_the_same_whenever_it_is_drawn() -> None:
    contents = {"safetensors": bytes(8) + b"{}" * 40}

    assert case_of(7, contents) == case_of(7, contents)
    assert case_of(7, contents).content != case_of(8, contents).content


@pytest.mark.slow
def test_mutated_files_end_as_they_may() -> None:
    numbers = [str(n) for n in range(60)]
    found = subprocess.run(
        [sys.executable, "-m", "benchmarks.mutations", *numbers], capture_output=True, text=True, check=False
    )

    assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-2000:]
    assert sum(any(f": {outcome}: " in line for outcome in CLEAN) for line in found.stdout.splitlines()) == 60
    assert all(outcome in found.stdout for outcome in (REFUSED_BY_LOOK, REFUSED_BY_LOADER, LOADED))
