"""safetensors: a header or an index that disagrees with its bytes is refused."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from auditor.errors import LoadError
from auditor.intake.inspection import inspect_model
from auditor.intake.weights import read_weights
from tests.intake.modelfiles import Small, as_described, as_torch_has_them, need_refused


def header(entries: dict[str, Any], data: bytes = b"") -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a header beyond the file": (lambda: struct.pack("<Q", 1 << 40) + b'{"a', "its length is"),
    "a header that is no JSON": (lambda: struct.pack("<Q", 4) + b"{{{{", "not as the format says"),
    "a header of two": (
        lambda: struct.pack("<Q", 22) + b'{"a": {}, "a": {}}    ', "a name stands in it twice",
    ),
    "a shape of more bytes": (lambda: header({"w": {**TENSOR, "shape": [3]}}, b"0" * 8), "not as the format says"),
    "tensors that overlap": (lambda: header({"a": TENSOR, "b": TENSOR}, b"0" * 8), "overlap"),
    "data that are missing": (lambda: header({"w": TENSOR}), "it declares 8 bytes, the file brings 0"),
    "data left over": (lambda: header({"w": TENSOR}, b"0" * 9), "it declares 8 bytes, the file brings 9"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_headers_that_disagree_with_their_bytes_are_refused(tmp_path: Path, name: str) -> None:
    make, message = REFUSED[name]

    need_refused(tmp_path, make(), message)


def sharded(folder: Path) -> Path:
    """A state dict in two files with their index, as Hugging Face writes it."""
    state = Small().state_dict()
    names = list(state)
    parts = {"model-1.safetensors": names[:4], "model-2.safetensors": names[4:]}
    for file, held in parts.items():
        save_file({name: state[name] for name in held}, folder / file)
    weight_map = {name: file for file, held in parts.items() for name in held}
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return path


def test_weights_in_several_files_are_one_model(tmp_path: Path) -> None:
    path = sharded(tmp_path)
    found = inspect_model(path)

    assert (found.format, found.trust, found.needs_architecture) == ("safetensors index", "data", True)
    assert as_described(found) == as_torch_has_them(Small().state_dict())
    assert as_described(found) == as_torch_has_them(read_weights(path, found.format))
    assert found.size == sum(p.stat().st_size for p in tmp_path.iterdir())
    other = tmp_path / "other"
    other.mkdir()
    assert inspect_model(sharded(other)).sha256 != found.sha256  # other weights, the same index


INDICES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no map": (lambda _: {}, "has no weight_map"),
    "a list": (lambda _: [], "is no index|no model file"),
    "an empty map": (lambda _: {"weight_map": {}}, "names no file"),
    "a file that is not there": (
        lambda i: {"weight_map": dict.fromkeys(i["weight_map"], "x.safetensors")}, "which does not lie beside it",
    ),
    "a file elsewhere": (
        lambda i: {"weight_map": dict.fromkeys(i["weight_map"], "../model-1.safetensors")}, "expected plain file names",
    ),
    "a tensor in the other file": (
        lambda i: {"weight_map": {**i["weight_map"], "conv.weight": "model-2.safetensors"}}, "disagree on the tensor",
    ),
    "a tensor left out": (
        lambda i: {"weight_map": {k: v for k, v in i["weight_map"].items() if k != "conv.bias"}}, "disagree on the",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INDICES)
def test_an_index_that_disagrees_with_its_files_is_refused(tmp_path: Path, name: str) -> None:
    change, message = INDICES[name]
    path = sharded(tmp_path)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))

    with pytest.raises(LoadError, match=message):
        inspect_model(path)
