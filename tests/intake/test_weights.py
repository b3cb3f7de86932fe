"""Weights in every shape that real checkpoints have; whatever is not weights is refused in one line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from auditor.errors import LoadError
from auditor.intake.recognise import recognise
from auditor.intake.weights import digest, fill, read_weights, write_weights
from tests.intake.modelfiles import rezipped, saved
from tests.zoo import SharedWeights


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


def read(path: Path) -> dict[str, Tensor]:
    return read_weights(path, recognise(path))


SHAPES: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "plain": lambda s: s,
    "under state_dict": lambda s: {"epoch": 3, "best": 0.9, "state_dict": s},
    "under model": lambda s: {"model": s, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}},
    "under model_state_dict": lambda s: {"model_state_dict": s},
    "in a list": lambda s: [s],
    "in a list under state_dict": lambda s: {"acc": 0.98, "state_dict": [s]},
    "module. prefix": lambda s: {f"module.{k}": v for k, v in s.items()},
    "module. prefix under state_dict": lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}},
    "compiled and parallel": lambda s: {f"module._orig_mod.{k}": v for k, v in s.items()},
    "half precision": lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()},
    "brain float": lambda s: {k: v.bfloat16() if v.is_floating_point() else v for k, v in s.items()},
    "Lightning": lambda s: {
        "epoch": 3,
        "pytorch-lightning_version": "2.6.6",
        "state_dict": {f"net.{k}": v for k, v in s.items()},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}],
        "hyper_parameters": {"lr": 0.1, "layers": [1, 2]},
    },
    "Lightning with a loss that has weights": lambda s: {
        "state_dict": {"loss.weight": torch.ones(2), **{f"model.{k}": v for k, v in s.items()}}
    },
    "skorch": lambda s: {f"module_.{k}": v for k, v in s.items()},
    "an average beside": lambda s: {"state_dict": s, "state_dict_ema": {k: v + 1 for k, v in s.items()}},
    "an average alone": lambda s: {"ema_state_dict": s, "decay": 0.999},
    "an average by name": lambda s: {"ema": {"decay": 0.99, "shadow_params": s}},
    "AveragedModel": lambda s: {"n_averaged": torch.tensor(3), **{f"module.{k}": v for k, v in s.items()}},
    "two copies": lambda s: {
        **{f"online_model.{k}": v for k, v in s.items()},
        **{f"ema_model.{k}": v + 1 for k, v in s.items()},
    },
    "compiled inside Lightning": lambda s: {"state_dict": {f"model._orig_mod.{k}": v for k, v in s.items()}},
    "without counters": lambda s: {k: v for k, v in s.items() if "num_batches" not in k},
}


LOSSY = {"half precision": 1e-3, "brain float": 4e-3}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("shape", SHAPES)
def test_real_shapes_are_read(tmp_path: Path, shape: str, legacy: bool) -> None:
    source, target = net(0), net(1)
    torch.save(SHAPES[shape](source.state_dict()), tmp_path / "w.pt", _use_new_zipfile_serialization=not legacy)

    fill(target, read(tmp_path / "w.pt"), "w.pt")

    for name, value in source.state_dict().items():
        assert torch.allclose(target.state_dict()[name].to(value), value, atol=LOSSY.get(shape, 0))


AVERAGED = "ema_model.0.weight, ema_model.0.bias, ema_model.1.weight"


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ("plain", ()),
        ("skorch", ()),
        ("AveragedModel", ("Of 'w' only what stands under 'module.' was read; 1 beside it not (n_averaged).",)),
        (
            "two copies",
            (f"Of 'w' only what stands under 'online_model.' was read; 9 beside it not ({AVERAGED} ...).",),
        ),
    ],
)
def test_what_a_wrapper_holds_beside_the_model_is_left_out_and_said(shape: str, said: tuple[str, ...]) -> None:
    source, target = net(0), net(1)

    assert fill(target, SHAPES[shape](source.state_dict()), "w") == said
    assert digest(target) == digest(source)


def test_a_wrapper_that_lacks_a_tensor_is_refused_by_the_name_the_architecture_has() -> None:
    given = SHAPES["skorch"](net().state_dict())
    del given["module_.3.bias"]

    with pytest.raises(LoadError, match=r"1 missing \(first: 3.bias\)"):
        fill(net(), given, "w")


def test_safetensors_are_read(tmp_path: Path) -> None:
    source, target = net(0), net(1)
    save_file(source.state_dict(), tmp_path / "w.safetensors")

    fill(target, read(tmp_path / "w.safetensors"), "w")

    assert digest(target) == digest(source)


def test_a_checkpoint_saved_on_cuda_is_read(tmp_path: Path) -> None:
    """A legacy file that names cuda:0 for its storages, as mnist_kw_robust.pth does."""
    torch.save(net().state_dict(), tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    raw = (tmp_path / "w.pth").read_bytes()
    assert b"X\x03\x00\x00\x00cpu" in raw
    (tmp_path / "w.pth").write_bytes(raw.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"))

    found = read(tmp_path / "w.pth")

    assert all(t.device.type == "cpu" for t in found.values())
    assert torch.equal(found["0.weight"], net().state_dict()["0.weight"])


def test_a_zip_saved_on_cuda_is_read(tmp_path: Path) -> None:
    raw = saved(net().state_dict())
    assert b"X\x03\x00\x00\x00cpu" in raw

    def on_cuda(name: str, member: bytes) -> bytes:
        return member.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")

    (tmp_path / "w.pt").write_bytes(rezipped(raw, on_cuda))

    found = read(tmp_path / "w.pt")

    assert all(t.device.type == "cpu" for t in found.values())
    assert torch.equal(found["0.weight"], net().state_dict()["0.weight"])


class Payload:
    """Runs a command when it is unpickled with full trust."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_code_in_a_file_is_refused_and_never_runs(tmp_path: Path, legacy: bool) -> None:
    marker = tmp_path / "marker"
    torch.save({"state_dict": Payload(marker)}, tmp_path / "w.pt", _use_new_zipfile_serialization=not legacy)
    torch.save(net(), tmp_path / "whole.pt", _use_new_zipfile_serialization=not legacy)

    for name in ("w.pt", "whole.pt"):
        with pytest.raises(LoadError, match="holds more than weights.*state_dict") as e:
            read(tmp_path / name)
        assert "weights_only=False" not in str(e.value)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds list; expected a dict"),
        (torch.ones(2), "holds Tensor; expected a dict"),
        ({"shadow_params": [torch.ones(2), torch.ones(3)], "decay": 0.9}, "holds 2 tensors without names"),
        ({}, "holds no weights"),
        ({"a": "text"}, "entry 'a' is str"),
        ({3: torch.ones(2)}, "entry 3 is Tensor"),
        ({"a": torch.tensor([float("nan")])}, "'a' holds NaN or infinity"),
        ({"a": torch.ones(2, dtype=torch.complex64)}, "'a' is complex"),
        ({"a": torch.sparse_coo_tensor([[0]], [1.0], (2,), check_invariants=True)}, "'a' is .*sparse"),
        ({"a": torch.empty(2, device="meta")}, "'a' is .*meta"),
        ({"a": torch.ones(1).expand(10**6)}, None),
    ],
)
def test_what_is_no_weights_is_refused(tmp_path: Path, content: object, message: str | None) -> None:
    torch.save(content, tmp_path / "w.pt")
    if message is None:
        message = "'a' declares 4,000,000 bytes and brings fewer"

    with pytest.raises(LoadError, match=message) as e:
        read(tmp_path / "w.pt")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.update({"0.weight": torch.ones(4, 5)}), r"0.weight is 4x5, the architecture needs 4x3"),
        (lambda s: s.pop("3.bias"), r"1 missing \(first: 3.bias\)"),
        (lambda s: s.update({"9.weight": torch.ones(1)}), r"1 not in the architecture \(first: 9.weight\)"),
        (
            lambda s: s.update({"0.bias": torch.ones(4).long()}),
            r"0.bias is torch.int64, the architecture needs torch.float32",
        ),
    ],
)
def test_another_architectures_weights_are_refused_and_nothing_is_copied(
    change: Callable[[dict[str, Tensor]], object], message: str
) -> None:
    given, target = dict(net(0).state_dict()), net(1)
    before = digest(target)
    change(given)

    with pytest.raises(LoadError, match=message):
        fill(target, given, "w.pt")
    assert digest(target) == before


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is empty"),
        (b"hello", "no model file"),
        (b"PK\x03\x04" + b"x" * 100, "damaged archive"),
        (b"\x80\x04\x95\x00", "a bare pickle, which can run any code"),
        ((2**60).to_bytes(8, "little") + b"{", "no sound safetensors"),
        ((10).to_bytes(8, "little") + b'{"a": 1}  ', "no sound safetensors"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "f").write_bytes(raw)

    with pytest.raises(LoadError, match=message):
        read(tmp_path / "f")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    torch.save(net().state_dict(), tmp_path / "w.pt")
    torch.save(net().state_dict(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for name in ("w.pt", "old.pt"):
        raw = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(raw[: len(raw) // 2])

        with pytest.raises(LoadError, match="damaged|malformed"):
            read(tmp_path / name)


def test_formats_are_told_apart_by_their_bytes(tmp_path: Path) -> None:
    torch.save(net().state_dict(), tmp_path / "a")
    torch.save(net().state_dict(), tmp_path / "b", _use_new_zipfile_serialization=False)
    save_file(net().state_dict(), tmp_path / "c")
    torch.jit.script(net()).save(str(tmp_path / "d"))
    torch.export.save(torch.export.export(net().eval(), (torch.rand(2, 3),)), tmp_path / "e.pt2")

    assert [recognise(tmp_path / n) for n in ("a", "b", "c", "d", "e.pt2")] == [
        "state_dict", "legacy state_dict", "safetensors", "torchscript", "torch.export",
    ]  # fmt: skip


def test_tied_weights_survive_a_round_trip(tmp_path: Path) -> None:
    source, target = SharedWeights(), SharedWeights()

    write_weights(source, tmp_path / "w.safetensors")
    fill(target, read(tmp_path / "w.safetensors"), "w")

    assert digest(target) == digest(source)


def test_the_digest_is_of_the_weights_not_of_the_file() -> None:
    one, two = net(0), net(0)
    with torch.no_grad():
        two[0].weight[0, 0] += 1e-7

    assert digest(one) == digest(net(0))
    assert digest(two) != digest(one)


class Versioned(nn.Linear):
    """Reads its weights by the version they were saved with, as MNASNet does."""

    _version = 2

    def _load_from_state_dict(self, state: Any, prefix: str, metadata: dict[str, Any], *rest: Any) -> None:
        if metadata.get("version") != 2:
            msg = f"version should be 2 instead of {metadata.get('version')}"
            raise ValueError(msg)
        super()._load_from_state_dict(state, prefix, metadata, *rest)


def test_parts_that_read_by_version_get_their_own(tmp_path: Path) -> None:
    source, target = nn.Sequential(Versioned(3, 2)), nn.Sequential(Versioned(3, 2))
    save_file(source.state_dict(), tmp_path / "w.safetensors")  # which keeps no versions

    fill(target, read(tmp_path / "w.safetensors"), "w.safetensors")

    assert torch.equal(target[0].weight, source[0].weight)


def test_parts_that_cannot_read_their_weights_are_one_line() -> None:
    class Odd(nn.Linear):
        def _load_from_state_dict(self, *_: Any) -> None:
            msg = "not\nthis"
            raise KeyError(msg)

    with pytest.raises(LoadError, match="'w.pt' cannot be loaded into the architecture: KeyError: 'not.*this'") as e:
        fill(Odd(3, 2), nn.Linear(3, 2).state_dict(), "w.pt")
    assert "\n" not in str(e.value)
