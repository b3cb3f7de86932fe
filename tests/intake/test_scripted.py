"""TorchScript whose source does more than compute is refused before it is loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from auditor.errors import LoadError
from auditor.intake.inspection import inspect_model
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
