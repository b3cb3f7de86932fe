"""What is said of a model file without running it is what torch finds in it; what is more than a model is refused."""

from __future__ import annotations

import io
import json
import pickle
import re
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from app.cli import invoke
from auditor.errors import AuditError, LoadError
from auditor.intake.inspection import Inspection, inspect_model
from auditor.intake.recognise import recognise
from auditor.intake.weights import read_weights
from tests.intake.test_weights import SHAPES, net
from tests.shared import SHARED, needs_shared

HOSTILE = SHARED.parent / "hostile"


class Small(nn.Module):
    """A convolution, a normalisation with its 0-dim counter, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(torch.relu(self.norm(self.conv(x))).mean((2, 3)))
        return y


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same module in every format."""
    folder = tmp_path_factory.mktemp("files")
    torch.manual_seed(0)
    module = Small().eval()
    found = {
        name: folder / name for name in ("zip.pt", "legacy.pth", "s.safetensors", "script.pt", "trace.pt", "e.pt2")
    }
    torch.save(module.state_dict(), found["zip.pt"])
    torch.save(module.state_dict(), found["legacy.pth"], _use_new_zipfile_serialization=False)
    save_file(module.state_dict(), found["s.safetensors"])
    torch.jit.script(module).save(str(found["script.pt"]))
    torch.jit.trace(module, torch.rand(2, 1, 8, 8)).save(str(found["trace.pt"]))
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(module, (torch.rand(4, 1, 8, 8),), dynamic_shapes=shapes), found["e.pt2"])
    return found


def as_torch_has_them(tensors: dict[str, Tensor]) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (str(t.dtype).removeprefix("torch."), tuple(t.shape)) for name, t in tensors.items()}


def as_described(found: Inspection) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (t.dtype, t.shape) for name, t in found.tensors.items()}


# ---- what is said is what torch finds ----------------------------------------------------------------------------
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


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("shape", SHAPES)
def test_checkpoints_in_every_real_shape(tmp_path: Path, shape: str, legacy: bool) -> None:
    path = tmp_path / "w.pt"
    torch.save(SHAPES[shape](net().state_dict()), path, _use_new_zipfile_serialization=not legacy)

    found = inspect_model(path)

    assert as_described(found) == as_torch_has_them(read_weights(path, recognise(path)))
    assert bool(found.notes) == (shape in {"under state_dict", "under model", "in a list under state_dict"})


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.uint16, torch.float8_e4m3fn])
def test_every_type_of_number(tmp_path: Path, dtype: torch.dtype) -> None:
    w = torch.zeros(2, 3).to(dtype)
    torch.save({"w": w, "view": w[1:], "turned": w.T, "p": nn.Parameter(torch.ones(2))}, tmp_path / "w.pt")

    found = inspect_model(tmp_path / "w.pt").tensors

    assert {name: t.shape for name, t in found.items()} == {"w": (2, 3), "view": (1, 3), "turned": (3, 2), "p": (2,)}
    assert found["w"].dtype == str(dtype).removeprefix("torch.")
    assert found["w"].bytes == w.nbytes


def test_what_training_leaves_beside_the_weights_is_followed(tmp_path: Path) -> None:
    """Optimizer, scheduler (with a Counter), random state, parameters with attributes and hooks."""
    module = net()
    optimizer = torch.optim.SGD(module.parameters(), 0.1, momentum=0.9)
    module(torch.rand(4, 3)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    weight: Any = nn.Parameter(torch.ones(2, 3))
    weight.note = "kept"
    checkpoint = {
        "model": {**module.state_dict(keep_vars=True), "extra": weight}, "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(), "random": torch.get_rng_state(), "sizes": torch.Size([1]), "seen": {1},
        "pairs": {(1, 2): 3}, "unit": 1j, "raw": bytearray(b"x"),
    }  # fmt: skip
    torch.save(checkpoint, tmp_path / "w.pt")

    found = inspect_model(tmp_path / "w.pt")

    assert as_described(found) == as_torch_has_them(read_weights(tmp_path / "w.pt", "state_dict"))
    assert found.notes == (
        "read from 'model'; beside it and not read: optimizer, pairs, random, raw, scheduler, seen, sizes, unit",
    )


@needs_shared
def test_real_checkpoints_are_described_as_torch_reads_them() -> None:
    paths = sorted(
        p for p in (SHARED / "models").iterdir() if p.suffix in {".pt", ".pth", ".th", ".model", ".safetensors"}
    )
    assert len(paths) >= 5

    for path in paths:
        assert as_described(inspect_model(path)) == as_torch_has_them(read_weights(path, recognise(path)))


# ---- what is refused ---------------------------------------------------------------------------------------------
class Payload:
    """Asks for a function of the operating system when it is unpickled with full trust."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, ("echo hacked",)


def saved(thing: Any, **more: Any) -> bytes:
    out = io.BytesIO()
    torch.save(thing, out, **more)
    return out.getvalue()


def rezipped(content: bytes, change: Callable[[str, bytes], bytes | None], **more: Any) -> bytes:
    """The archive with every member as `change` gives it; None leaves it out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as z, zipfile.ZipFile(out, "w", **more) as new:
        for name in z.namelist():
            if (member := change(name, z.read(name))) is not None:
                new.writestr(name, member)
    return out.getvalue()


def with_pickle(data: bytes) -> bytes:
    return rezipped(saved({"w": torch.ones(2)}), lambda name, member: data if name.endswith("data.pkl") else member)


def saved_pickle(thing: Any) -> bytes:
    with zipfile.ZipFile(io.BytesIO(saved(thing))) as z:
        return z.read("archive/data.pkl")


def with_member(name: str) -> bytes:
    out = io.BytesIO(saved({"w": torch.ones(2)}))
    with zipfile.ZipFile(out, "a") as z, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there already
        z.writestr(name, b"x")
    return out.getvalue()


def flipped(content: bytes, at: bytes, by: int = 0) -> bytes:
    place = content.index(at) + by
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def header(entries: dict[str, Any], data: bytes = b"") -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


GOOD = {"w": torch.full((3,), 7.5)}
TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a function": (lambda: saved({"w": torch.ones(2), "x": Payload()}), "asks for 'posix.system'"),
    "a function, old format": (
        lambda: saved({"x": Payload()}, _use_new_zipfile_serialization=False), "asks for 'posix.system'",
    ),
    "a whole module": (lambda: saved(nn.Linear(2, 2)), "asks for 'torch.nn.modules.linear.Linear'"),
    "a bare pickle": (lambda: pickle.dumps({"w": 1}), "is a bare pickle"),
    "a name on the stack": (
        lambda: with_pickle(pickle.dumps(Payload(), protocol=4)), "asks for 'posix.system'",
    ),
    "an old opcode": (lambda: with_pickle(b"(S'id'\nios\nsystem\n."), "uses the opcode INST"),
    "a pickle without an end": (lambda: with_pickle(b"\x80\x02}"), "is malformed"),
    "an empty stack": (lambda: with_pickle(b"\x80\x02."), "is malformed"),
    "a key of tuples": (lambda: saved({((1,), 2): torch.ones(2)}), "a key is tuple"),
    "a tuple for a name": (lambda: saved({(1, 2): torch.ones(2)}), "entry .1, 2. is Described; expected tensors"),
    "an expanded tensor": (lambda: saved({"w": torch.ones(1).expand(5, 3)}), "save it with .contiguous"),
    "a copy of a copy": (
        lambda: with_pickle(
            b"\x80\x02c_codecs\nencode\nq\x00X\x40\x42\x0f\x00" + b"a" * 1_000_000
            + b"\x85q\x01" + b"h\x00h\x01R" * 200 + b"."
        ),
        "it copies too much",
    ),
    "a size of many digits": (
        lambda: with_pickle(
            saved_pickle(GOOD).replace(b"K\x03\x85", b"\x8b\xff\x00\x00\x00" + b"\x01" * 255 + b"\x85", 1)
        ),
        "not described as torch does|no such shape|declares",
    ),
    "arguments without end": (
        lambda: with_pickle(
            b"\x80\x02" + b"ctorch._tensor\n_rebuild_from_type_v2\n(" * 5000
            + b"ctorch._utils\n_rebuild_parameter\nNNN" + b"tR" * 5000 + b"."
        ),
        "is malformed",
    ),
    "a list": (lambda: saved([1, 2]), "holds list; expected a dict of tensors"),
    "an entry that is no tensor": (lambda: saved({"w": torch.ones(2), "n": 3}), "entry 'n' is int"),
    "no entries": (lambda: saved({}), "holds no weights"),
    "complex numbers": (lambda: saved({"w": torch.ones(2, dtype=torch.complex64)}), "'w' is complex64"),
    "a storage of fewer bytes": (
        lambda: rezipped(saved(GOOD), lambda n, m: m[:8] if n.endswith("data/0") else m), "declares 3 numbers",
    ),
    "a tensor without a storage": (lambda: saved({"w": torch.ones(2, device="meta")}), "asks for 'torch._utils"),
    "an entry in another case": (lambda: with_member("archive/DATA.PKL"), "holds the entry 'archive/DATA.PKL' twice"),
    "an entry of no checkpoint": (lambda: with_member("archive/x.txt"), "has a member that no state_dict file has"),
    "two folders": (lambda: with_member("other/version"), "has 2 folders at its top"),
    "an entry of two": (lambda: with_member("archive/version"), "holds the entry 'archive/version' twice"),
    "an entry that leaves the folder": (lambda: with_member("archive/../x"), "forbidden name"),
    "an entry that turns its name round": (lambda: with_member("archive/\u202ex"), "forbidden name"),
    "compressed entries": (
        lambda: rezipped(saved(GOOD), lambda _, m: m, compression=zipfile.ZIP_DEFLATED), "has a compressed entry",
    ),
    "a wrong checksum": (lambda: flipped(saved(GOOD), struct.pack("<f", 7.5)), "is damaged"),
    "another name in front": (lambda: flipped(saved(GOOD), b"data.pkl"), "directory that disagrees"),
    "half a file": (lambda: saved(GOOD)[:200], "damaged archive"),
    "nothing": (lambda: b"", "is empty"),
    "a pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a git-lfs pointer"),
    "a table": (lambda: b"a,b\n1,2\n", "is no model file"),
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
def test_what_is_more_or_less_than_weights_is_refused(tmp_path: Path, name: str) -> None:
    make, message = REFUSED[name]
    (tmp_path / "m.pt").write_bytes(make())

    with pytest.raises(LoadError, match=message) as e:
        inspect_model(tmp_path / "m.pt")
    assert "\n" not in str(e.value)


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
    place = content.replace(b"test_inspection.py", b"test_inspection.PY")
    (tmp_path / "m.pt").write_bytes(place)

    with pytest.raises(LoadError, match="has a member that no torchscript file has"):
        inspect_model(tmp_path / "m.pt")


def test_more_source_than_any_program_has_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    def change(member: str, content: bytes) -> bytes:
        return content + b"\n" + b"a\n" * 300_000 if member.endswith("test_inspection.py") else content

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
        return content + b"\n" + line.encode() + b"\n" if member.endswith("test_inspection.py") else content

    (tmp_path / "m.pt").write_bytes(rezipped(files["script.pt"].read_bytes(), change))

    with pytest.raises(LoadError, match=message):
        inspect_model(tmp_path / "m.pt")


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


def test_nests_and_laughs_take_no_time(tmp_path: Path) -> None:
    """A list 200,000 deep, and one of 2^60 items through the memo: neither is walked, printed or hashed."""
    deep = b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."
    laughs = (
        b"\x80\x02]q\x00" + b"".join(b"]q" + bytes([i + 1]) + (b"h" + bytes([i]) + b"a") * 2 for i in range(60)) + b"."
    )
    for data in (deep, laughs):
        (tmp_path / "m.pt").write_bytes(with_pickle(data))
        with pytest.raises(LoadError, match="holds list"):
            inspect_model(tmp_path / "m.pt")


@pytest.mark.parametrize("key", ["state_dict_ema", "params_ema", "module", "teacher"])
def test_usual_wrappers_and_empty_extra_state(tmp_path: Path, key: str) -> None:
    torch.save({key: {**net().state_dict(), "head._extra_state": None}, "epoch": 3}, tmp_path / "w.pt")

    found = inspect_model(tmp_path / "w.pt")

    assert as_described(found) == as_torch_has_them(net().state_dict())
    assert as_described(found) == as_torch_has_them(read_weights(tmp_path / "w.pt", "state_dict"))


# ---- several files -----------------------------------------------------------------------------------------------
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


# ---- mutations ---------------------------------------------------------------------------------------------------
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


# ---- the hostile set ---------------------------------------------------------------------------------------------
SEEN_LATER = {"m05_wrong_arch.pt", "m06_shape.pt", "m07_nan.pt", "m11_overflow.pt", "s08_nan.safetensors"}
GROUPS = {"pickle", "weights_only", "model", "safetensors", "program"}
MLP = """
import torch
from torch import nn
class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(8, 16), nn.Linear(16, 3)
    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile files, made anew."""
    folder = tmp_path_factory.mktemp("hostile")
    subprocess.run([sys.executable, str(HOSTILE / "make.py"), "--out", str(folder)], check=True, capture_output=True)
    return folder


@needs_shared
def test_the_hostile_models_get_the_verdict_they_should(
    hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(Path("/tmp").glob("hostile_marker_*"))  # where their payloads would leave a trace
    (tmp_path / "archs.py").write_text(MLP)
    (tmp_path / "d.csv").write_text("a,b,c,d,e,f,g,h,y\n" + "1,2,3,4,5,6,7,8,0\n8,7,6,5,4,3,2,1,2\n")
    seen = 0
    for row in json.loads((HOSTILE / "MANIFEST.json").read_text()):
        path = hostile / row["file"]
        if row["group"] not in GROUPS or not path.exists():  # some need a package that is not installed
            continue
        seen += 1
        arguments = ["inspect", str(path)]
        if path.name in SEEN_LATER:
            (tmp_path / "a.toml").write_text(
                f'[model]\npath = "{path}"\narchitecture = "archs:Mlp"\n[data]\npath = "d.csv"\n'
            )
            assert invoke(arguments) == 0
            arguments = ["run", str(tmp_path / "a.toml"), "--only", "performance.*"]
        code = invoke(arguments)
        err = capsys.readouterr().err

        legal = {"refuse": {3}, "limit": {0, 3}}.get(row["verdict"], {0})
        assert code in legal, row
        assert err.count("\n") == (code == 3) and "Traceback" not in err, row
    assert seen >= 75
    assert set(Path("/tmp").glob("hostile_marker_*")) == before


# ---- the command -------------------------------------------------------------------------------------------------
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


def test_inspecting_loads_neither_torch_nor_numpy(files: dict[str, Path]) -> None:
    code = f"""
import sys
from app.cli import invoke
assert invoke(["inspect", {str(files["zip.pt"])!r}]) == 0
print([m for m in ("torch", "numpy", "pandas", "safetensors") if m in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert out.splitlines()[-1] == "[]"
