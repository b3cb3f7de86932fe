"""Pickles that ask for more than weights, or describe what cannot be, are refused; what training leaves is followed."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from auditor.errors import LoadError
from auditor.intake.inspection import inspect_model
from auditor.intake.weights import read_weights
from tests.intake.modelfiles import Payload, as_described, as_torch_has_them, need_refused, rezipped, saved, with_pickle
from tests.intake.test_weights import net


def saved_pickle(thing: Any) -> bytes:
    with zipfile.ZipFile(io.BytesIO(saved(thing))) as z:
        return z.read("archive/data.pkl")


GOOD = {"w": torch.full((3,), 7.5)}


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a function": (lambda: saved({"w": torch.ones(2), "x": Payload()}), "asks for 'posix.system'"),
    "a function, old format": (
        lambda: saved({"x": Payload()}, _use_new_zipfile_serialization=False), "asks for 'posix.system'",
    ),
    "a whole module": (lambda: saved(nn.Linear(2, 2)), "asks for 'torch.nn.modules.linear.Linear'"),
    "a name on the stack": (
        lambda: with_pickle(pickle.dumps(Payload(), protocol=4)), "asks for 'posix.system'",
    ),
    "a storage of two types": (
        lambda: with_pickle(
            saved_pickle({"a": torch.ones(2), "b": torch.ones(2).int()}).replace(b"\x001q", b"\x000q")
        ),
        "the storage '0' is described in two ways",
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
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_more_or_less_than_weights_is_refused(tmp_path: Path, name: str) -> None:
    make, message = REFUSED[name]

    need_refused(tmp_path, make(), message)


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


@pytest.mark.parametrize("key", ["state_dict_ema", "params_ema", "module", "teacher"])
def test_usual_wrappers_and_empty_extra_state(tmp_path: Path, key: str) -> None:
    torch.save({key: {**net().state_dict(), "head._extra_state": None}, "epoch": 3}, tmp_path / "w.pt")

    found = inspect_model(tmp_path / "w.pt")

    assert as_described(found) == as_torch_has_them(net().state_dict())
    assert as_described(found) == as_torch_has_them(read_weights(tmp_path / "w.pt", "state_dict"))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.uint16, torch.float8_e4m3fn])
def test_every_type_of_number(tmp_path: Path, dtype: torch.dtype) -> None:
    w = torch.zeros(2, 3).to(dtype)
    torch.save({"w": w, "view": w[1:], "turned": w.T, "p": nn.Parameter(torch.ones(2))}, tmp_path / "w.pt")

    found = inspect_model(tmp_path / "w.pt").tensors

    assert {name: t.shape for name, t in found.items()} == {"w": (2, 3), "view": (1, 3), "turned": (3, 2), "p": (2,)}
    assert found["w"].dtype == str(dtype).removeprefix("torch.")
    assert found["w"].bytes == w.nbytes


def test_the_type_of_a_list_is_let_be_and_anything_else_in_its_place_refused(tmp_path: Path) -> None:
    def tagged(kind: bytes) -> bytes:
        return b"\x80\x02}X\x01\x00\x00\x00actorch.jit._pickle\nrestore_type_tag\n](U" + bytes([len(kind)]) + kind

    for kind in (b"os.system('x')", b"List[__import__('os')]", b""):
        content = with_pickle(tagged(kind).replace(b"](U", b"(]U") + b"tRs.")
        need_refused(tmp_path, content, "a container is not described as torch does")
    need_refused(
        tmp_path, with_pickle(tagged(b"List[int]").replace(b"](U", b"(]U") + b"tRs."), "expected tensors by name"
    )
