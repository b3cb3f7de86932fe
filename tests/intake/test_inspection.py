"""What is said of a model file without running it is what torch finds in it."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.cli import invoke
from auditor.errors import AuditError, LoadError
from auditor.intake.inspection import inspect_model
from auditor.intake.recognise import recognise
from auditor.intake.weights import read_weights
from tests.intake.modelfiles import Small, as_described, as_torch_has_them, need_refused
from tests.intake.test_weights import SHAPES, net
from tests.shared import SHARED, needs_shared


@pytest.mark.parametrize(
    ("name", "kind", "trust", "needs_architecture"),
    [
        ("zip.pt", "state_dict", "data", True),
        ("legacy.pth", "legacy state_dict", "data", True),
        ("s.safetensors", "safetensors", "data", True),
        ("script.pt", "torchscript", "program", False),
        ("trace.pt", "torchscript", "program", False),
        ("e.pt2", "torch.export", "program", False),
    ],
)
def test_every_format_is_described(
    files: dict[str, Path], name: str, kind: str, trust: str, needs_architecture: bool
) -> None:
    found = inspect_model(files[name])

    assert (found.format, found.trust, found.needs_architecture) == (kind, trust, needs_architecture)
    assert as_described(found) == as_torch_has_them(Small().state_dict())
    assert found.size == files[name].stat().st_size
    assert sum(t.bytes for t in found.tensors.values()) == sum(t.nbytes for t in Small().state_dict().values())


BESIDE = {
    "under state_dict", "under model", "in a list under state_dict", "Lightning", "an average beside",
    "an average alone", "an average by name",
}  # fmt: skip


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("shape", SHAPES)
def test_checkpoints_in_every_real_shape(tmp_path: Path, shape: str, legacy: bool) -> None:
    path = tmp_path / "w.pt"
    torch.save(SHAPES[shape](net().state_dict()), path, _use_new_zipfile_serialization=not legacy)

    found = inspect_model(path)

    assert as_described(found) == as_torch_has_them(read_weights(path, recognise(path)))
    assert bool(found.notes) == (shape in BESIDE)


@needs_shared
def test_real_checkpoints_are_described_as_torch_reads_them() -> None:
    paths = sorted(
        p for p in (SHARED / "models").iterdir() if p.suffix in {".pt", ".pth", ".th", ".model", ".safetensors"}
    )
    assert len(paths) >= 5

    for path in paths:
        assert as_described(inspect_model(path)) == as_torch_has_them(read_weights(path, recognise(path)))


@settings(max_examples=60, deadline=None)
@given(st.data())
@pytest.mark.parametrize("name", ["zip.pt", "legacy.pth", "s.safetensors", "script.pt", "e.pt2"])
def test_a_damaged_file_is_refused_or_is_still_the_same_weights(files: dict[str, Path], name: str, data: Any) -> None:
    content = bytearray(files[name].read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "head"]))
    if kind == "cut":
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    for _ in range(data.draw(st.integers(1, 4)) if kind != "cut" else 0):
        place = data.draw(st.integers(0, min(len(content), 600 if kind == "head" else len(content)) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
    path = files[name].with_name(f"mutated-{name}")
    path.write_bytes(content)

    try:
        found = inspect_model(path)
        loaded = read_weights(path, found.format) if found.trust == "data" else None
    except AuditError:  # in one line, as every AuditError is
        return
    assert found.tensors
    assert loaded is None or as_described(found) == as_torch_has_them(loaded)


def test_the_command_says_what_a_file_needs(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["inspect", str(files["zip.pt"])]) == 0
    words = capsys.readouterr().out
    assert "zip.pt: state_dict, " in words and "9 tensors of 67 numbers" in words
    assert "Say what the weights belong to with [model] architecture." in words
    assert "  conv.weight: float32, 4 x 1 x 3 x 3\n" in words
    assert "  norm.num_batches_tracked: int64, a single number\n" in words

    assert invoke(["inspect", str(files["e.pt2"]), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["format"], found["trust"]) == ("torch.export", "program")
    assert found["tensors"]["conv.weight"] == {"dtype": "float32", "shape": [4, 1, 3, 3], "bytes": 144}

    torch.save({f"evil\u202e\n\x1b[31m{i}": torch.ones(1) for i in range(30)}, tmp_path / "w.pt")
    assert invoke(["inspect", str(tmp_path / "w.pt")]) == 0
    out = capsys.readouterr().out
    assert "and 10 more; --json lists them" in out
    assert "\x1b" not in out and "\u202e" not in out and len(out.splitlines()) == 24

    assert invoke(["inspect", str(tmp_path / "nothing.pt")]) == 3
    assert "cannot be read" in capsys.readouterr().err


LIGHTNING: dict[str, Any] = {
    "pytorch-lightning_version": "2.6.6", "state_dict": {"net.weight": torch.ones(2, 2)},
}  # fmt: skip


def test_the_hyper_parameters_of_lightning_are_shown_and_nothing_of_them_is_run(tmp_path: Path) -> None:
    given = {
        "lr": 0.1,
        "name": "a\n\x1b[31mb",
        "sizes": [1, 2],
        "nested": {"p": None, "t": torch.ones(1)},
        "deep": [[1]],
    }
    torch.save({**LIGHTNING, "hyper_parameters": given}, tmp_path / "a.ckpt")
    torch.save({**LIGHTNING, "hyper_parameters": {f"h{i}": "x" * 1000 for i in range(500)}}, tmp_path / "b.ckpt")

    assert inspect_model(tmp_path / "a.ckpt").notes[1:] == (
        "hyper-parameter lr = 0.1",
        "hyper-parameter name = 'a [31mb'",
        "hyper-parameter sizes = [1, 2]",
        "hyper-parameter nested.p = None",
        "hyper-parameter nested.t = (a tensor)",
        "hyper-parameter deep = (list)",
    )
    long = inspect_model(tmp_path / "b.ckpt").notes[1:]
    assert len(long) == 21 and max(map(len, long)) < 130
    assert long[-1] == "more hyper-parameters than the 20 above"


def test_hyper_parameters_that_are_objects_are_refused_with_the_way_out(tmp_path: Path) -> None:
    torch.save({**LIGHTNING, "hyper_parameters": Namespace(lr=0.1)}, tmp_path / "a.ckpt")

    with pytest.raises(LoadError, match=r"asks for 'argparse.Namespace'; only tensors .*: save the state_dict alone"):
        inspect_model(tmp_path / "a.ckpt")


def test_inspecting_loads_neither_torch_nor_numpy(files: dict[str, Path]) -> None:
    code = f"""
import sys
from app.cli import invoke
assert invoke(["inspect", {str(files["zip.pt"])!r}]) == 0
print([m for m in ("torch", "numpy", "pandas", "safetensors") if m in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert out.splitlines()[-1] == "[]"


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a bare pickle": (lambda: pickle.dumps({"w": 1}), "is a bare pickle"),
    "nothing": (lambda: b"", "is empty"),
    "a pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a git-lfs pointer"),
    "a table": (lambda: b"a,b\n1,2\n", "is no model file"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_model_file_is_refused(tmp_path: Path, name: str) -> None:
    make, message = REFUSED[name]

    need_refused(tmp_path, make(), message)
