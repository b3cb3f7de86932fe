"""torch.export programs that hold more than a graph and its numbers are refused before they are loaded."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from auditor.errors import LoadError
from auditor.intake.inspection import inspect_model
from tests.intake.modelfiles import Payload, rezipped, saved


def replaced(what: str, old: bytes, new: bytes) -> Callable[[str, bytes], bytes]:
    return lambda name, content: content.replace(old, new) if name.endswith(what) else content


def saved_with_constants() -> bytes:
    out = io.BytesIO(saved({"x": torch.ones(2)}))
    with zipfile.ZipFile(out, "a") as z:
        z.writestr("archive/constants.pkl", b"")
    return out.getvalue()


PROGRAMS: dict[str, tuple[Callable[[str, bytes], bytes | None], str]] = {
    "a pickled weight": (
        replaced("weights_config.json", b'"use_pickle": false', b'"use_pickle": true'), "carries pickled objects",
    ),
    "a size that is code": (
        replaced("model.json", b"Symbol('s77', positive=True, integer=True)", b"__import__('os').system('id')"),
        "symbolic size that is not arithmetic",
    ),
    "a guard that is code": (
        replaced("model.json", b'"guards_code": []', b'"guards_code": ["print(L)"]'), "shape guard that is not",
    ),
    "an operator of python": (
        replaced("model.json", b"torch.ops.aten.relu.default", b"torch.os.system"), "operator that is not torch's own",
    ),
    "an unknown operator": (
        replaced("model.json", b"torch.ops.aten.relu.default", b"torch.ops.evil.f.default"), "not torch's own",
    ),
    "a weight in a pickled place": (
        replaced("weights_config.json", b'"path_name": "weight_0"', b'"path_name": "opaque_obj_0"'), "carries pickled",
    ),
    "an operator that opens files": (
        replaced("model.json", b"torch.ops.aten.relu.default", b"torch.ops.aten.from_file.default"), "not torch's own",
    ),
    "an operator that calls": (
        replaced("model.json", b"torch.ops.aten.relu.default", b"_operator.methodcaller"), "not torch's own",
    ),
    "a name that is code": (
        replaced("model.json", b'"forward_arg_names": ["x"]', b'"forward_arg_names": ["x+f()"]'), "names are no words",
    ),
    "a size without end": (
        replaced("model.json", b"Symbol('s77', positive=True, integer=True)", b"9**9**9**9"), "not arithmetic",
    ),
    "a weight of no size": (
        replaced("weights_config.json", b'"as_int": 4', b'"as_int": Infinity'), "does not describe its weights",
    ),
    "samples in a program": (
        lambda n, c: saved_with_constants() if n.endswith("sample_inputs/model.pt") else c, "no state_dict file has",
    ),
    "compressed samples": (
        lambda n, c: rezipped(c, lambda _, m: m, compression=zipfile.ZIP_DEFLATED) if n.endswith("model.pt") else c,
        "has a compressed entry",
    ),
    "pickled samples": (
        lambda n, c: saved(Payload()) if n.endswith("sample_inputs/model.pt") else c, "asks for 'posix.system'",
    ),
    "no graph": (lambda n, c: None if n.endswith("model.json") else c, "holds no exported program"),
    "a graph that is no JSON": (lambda n, c: b"{" if n.endswith("model.json") else c, "holds a file that is no JSON"),
    "weights without a shape": (
        lambda n, c: b'{"config": {"w": {}}}' if n.endswith("weights_config.json") else c, "does not describe its",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_exported_programs_that_hold_more_than_a_graph_are_refused(
    files: dict[str, Path], tmp_path: Path, name: str
) -> None:
    change, message = PROGRAMS[name]
    content = files["e.pt2"].read_bytes()
    (tmp_path / "e.pt2").write_bytes(rezipped(content, change))

    assert rezipped(content, change) != rezipped(content, lambda _, c: c)
    with pytest.raises(LoadError, match=message):
        inspect_model(tmp_path / "e.pt2")


def test_native_code_in_a_program_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    content = io.BytesIO(rezipped(files["e.pt2"].read_bytes(), lambda _, c: c))
    with zipfile.ZipFile(content, "a") as z:
        z.writestr("e/data/aotinductor/model/m.so", b"\x7fELF")
    (tmp_path / "e.pt2").write_bytes(content.getvalue())

    with pytest.raises(LoadError, match="has a member that no torch.export file has"):
        inspect_model(tmp_path / "e.pt2")


@pytest.mark.parametrize("name", ["models/evil.json", "models/model.JSON", "data/constants/opaque_obj_0", "data/x"])
def test_members_that_no_exported_program_has_are_refused(files: dict[str, Path], tmp_path: Path, name: str) -> None:
    content = io.BytesIO(rezipped(files["e.pt2"].read_bytes(), lambda _, c: c))
    with zipfile.ZipFile(content, "a") as z:
        z.writestr(f"e/{name}", b"{}")
    (tmp_path / "e.pt2").write_bytes(content.getvalue())

    with pytest.raises(LoadError, match="has a member that no torch.export file has|twice"):
        inspect_model(tmp_path / "e.pt2")


def test_an_input_whose_name_is_code_is_refused(tmp_path: Path) -> None:
    """torch pastes the keys of dict inputs into the source of its guards, and runs it."""
    key = "+str(__import__('os'))+"

    class Named(nn.Module):
        def forward(self, x: dict[str, Tensor]) -> Tensor:
            return x[key] * 2 if key in x else x["image"] * 2

    for name, legal in ((key, False), ("image", True)):
        torch.export.save(torch.export.export(Named(), ({name: torch.ones(2, 3)},)), tmp_path / "e.pt2")
        if legal:
            assert inspect_model(tmp_path / "e.pt2").format == "torch.export"
        else:
            with pytest.raises(LoadError, match="whose names are no words"):
                inspect_model(tmp_path / "e.pt2")


@pytest.mark.parametrize("sizes", [{0: torch.export.Dim.AUTO}, {0: torch.export.Dim.AUTO, 2: torch.export.Dim.AUTO}])
def test_sizes_that_depend_on_each_other_are_arithmetic(tmp_path: Path, sizes: Any) -> None:
    class Patches(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.unfold(2, 4, 4).reshape(x.shape[0] * 3, -1).mean(1)

    program = torch.export.export(Patches(), (torch.rand(2, 3, 16, 8),), dynamic_shapes=(sizes,))
    torch.export.save(program, tmp_path / "e.pt2")

    assert inspect_model(tmp_path / "e.pt2").format == "torch.export"


@pytest.mark.parametrize(("terms", "legal"), [(600, True), (20_000, False)])
def test_a_long_guard_is_arithmetic_and_one_without_end_is_not(
    files: dict[str, Path], tmp_path: Path, terms: int, legal: bool
) -> None:
    """With every size open, networks of windows have guards of thousands of characters."""
    guard = f"L['x'].size()[0]{' + 0' * terms} >= 1".encode()
    change = replaced("model.json", b'"guards_code": []', b'"guards_code": ["' + guard + b'"]')
    (tmp_path / "e.pt2").write_bytes(rezipped(files["e.pt2"].read_bytes(), change))

    if legal:
        assert inspect_model(tmp_path / "e.pt2").format == "torch.export"
    else:
        with pytest.raises(LoadError, match="shape guard that is not arithmetic"):
            inspect_model(tmp_path / "e.pt2")


SIZE = b"Symbol('s77', positive=True, integer=True)"


@pytest.mark.parametrize(
    ("expression", "legal"),
    [
        (b"Pow(%s, Integer(2))" % SIZE, True),
        (b"Mul(Pow(%s, Integer(2)), Pow(%s, Integer(4)))" % (SIZE, SIZE), True),
        (b"Pow(%s, Integer(99999999))" % SIZE, False),
        (b"Pow(%s, Integer(-1))" % SIZE, False),
        (b"Pow(%s, %s)" % (SIZE, SIZE), False),
        (b"Pow(Pow(%s, Integer(4)), Integer(4))" % SIZE, False),
        (b"Pow(%s, Integer(2), evaluate=True)" % SIZE, False),
        (b"Pow(%s, Integer)" % SIZE, False),
    ],
)
def test_a_small_power_of_a_size_is_arithmetic(
    files: dict[str, Path], tmp_path: Path, expression: bytes, legal: bool
) -> None:
    change = replaced("model.json", SIZE, expression)
    (tmp_path / "e.pt2").write_bytes(rezipped(files["e.pt2"].read_bytes(), change))

    if legal:
        assert inspect_model(tmp_path / "e.pt2").format == "torch.export"
    else:
        with pytest.raises(LoadError, match="symbolic size that is not arithmetic"):
            inspect_model(tmp_path / "e.pt2")
