"""TorchScript whose source does more than compute is refused before it is loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from auditor.errors import LoadError
from auditor.intake.inspection import inspect_model
from auditor.intake.programs import load_program
from tests.intake.modelfiles import rezipped

SOURCES = {
    "reads a file": ("    x = torch.from_file('/etc/passwd')", "forbidden operator from_file"),
    "writes a file": ("    torch.save(x, '/tmp/x')", "forbidden operator save"),
    "through another name": ("    x = ops.aten.from_file('/etc/passwd')", "forbidden operator from_file"),
    "an alias of torch": ("    f = torch", "gives torch another name"),
    "an alias of operators": ("    f = ops.aten", "uses an operator without calling it .ops.aten"),
    "an alias of an operator": ("    f = torch.relu", "uses an operator without calling it .torch.relu"),
    "looked into": ("    f = getattr(torch, 'relu')", "gives torch another name"),
    "looked into operators": ("    f = getattr(ops.aten, 'relu')", "uses an operator without calling it"),
    "an argument": (
        "  def g(self, torch: Tensor) -> Tensor:\n    return torch",
        "calls an argument torch|gives torch another",
    ),
    "foreign operator": ("    x = ops.evil.run(x)", "an operator that is not torch's own .ops.evil.run"),
    "while loading": ("  def __setstate__(self):\n    pass", "runs code while it is loaded"),
    "native class": ("    x = __torch__.torch.classes.evil.A()", "uses a native class"),
    "no source": ("    ((((", "source that cannot be checked"),
}


def test_source_in_a_file_of_another_ending_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    """torch's own reader takes member names in any case."""
    content = files["script.pt"].read_bytes()
    place = content.replace(b"modelfiles.py", b"modelfiles.PY")
    (tmp_path / "m.pt").write_bytes(place)

    with pytest.raises(LoadError, match="has a member that no torchscript file has"):
        inspect_model(tmp_path / "m.pt")


def test_more_source_than_any_program_has_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    def change(member: str, content: bytes) -> bytes:
        return content + b"\n" + b"a\n" * 300_000 if member.endswith("modelfiles.py") else content

    (tmp_path / "m.pt").write_bytes(rezipped(files["script.pt"].read_bytes(), change))

    with pytest.raises(LoadError, match="has a source file of"):
        inspect_model(tmp_path / "m.pt")


def test_a_native_class_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    native = b"__torch__.torch.classes.quantized\nConv2dPackedParamsBase"

    def change(member: str, content: bytes) -> bytes:
        own = rb"__torch__\.torch\.nn\.modules\.conv[\w.]*\n\w+"  # torch changes names that it has met before
        return re.sub(own, native, content) if member.endswith("data.pkl") else content

    (tmp_path / "m.pt").write_bytes(rezipped(files["script.pt"].read_bytes(), change))

    with pytest.raises(LoadError, match="asks for '__torch__.torch.classes.quantized"):
        inspect_model(tmp_path / "m.pt")


@pytest.mark.parametrize("name", SOURCES)
def test_torchscript_that_does_more_than_compute_is_refused(files: dict[str, Path], tmp_path: Path, name: str) -> None:
    line, message = SOURCES[name]

    def change(member: str, content: bytes) -> bytes:
        return content + b"\n" + line.encode() + b"\n" if member.endswith("modelfiles.py") else content

    (tmp_path / "m.pt").write_bytes(rezipped(files["script.pt"].read_bytes(), change))

    with pytest.raises(LoadError, match=message):
        inspect_model(tmp_path / "m.pt")


class Configured(nn.Module):
    """Keeps lists and dicts beside its weights, which TorchScript writes with their types."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.sizes, self.scales = nn.Linear(3, 2), [1, 2], {"x": 0.5}

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x) * self.scales["x"] + self.sizes[0]


def test_lists_and_dicts_with_their_types_are_read(tmp_path: Path) -> None:
    module, x = Configured().eval(), torch.rand(4, 3)
    torch.jit.script(module).save(str(tmp_path / "m.pt"))

    assert set(inspect_model(tmp_path / "m.pt").tensors) == {"head.weight", "head.bias"}
    assert torch.equal(load_program(tmp_path / "m.pt", "torchscript")(x), module(x))


@pytest.mark.parametrize("words", [b"print()", b"__torch__.torch.classes.a.B", b"Dict[str,\nfloat]"])
def test_a_type_that_is_more_than_names_is_refused(tmp_path: Path, words: bytes) -> None:
    torch.jit.script(Configured()).save(str(tmp_path / "m.pt"))
    old = b"X\x10\x00\x00\x00Dict[str, float]"

    def change(member: str, content: bytes) -> bytes:
        return (
            content.replace(old, b"X" + len(words).to_bytes(4, "little") + words) if "data.pkl" in member else content
        )

    content = (tmp_path / "m.pt").read_bytes()
    (tmp_path / "m.pt").write_bytes(rezipped(content, change))

    assert old in content
    with pytest.raises(LoadError, match="a container is not described as torch does"):
        inspect_model(tmp_path / "m.pt")
