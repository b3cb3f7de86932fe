"""Which architecture weights belong to: those of the packages that publish them, and code that lies beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from app.initialising.architecture import architecture_of
from app.initialising.tensors import shapes_of
from auditor.intake.architectures import build, digits_cnn
from auditor.intake.described import Described
from auditor.intake.inspection import inspect_model
from auditor.intake.weights import fill, read_weights
from auditor.intake.zoos import from_zoo
from tests.intake.zoo_packages import installed


def found(path: Path) -> tuple[str, dict[str, Any]]:
    tensors = inspect_model(path).tensors
    architecture = architecture_of(tensors, shapes_of(tensors).outputs, path.name, path.parent)
    return architecture.name, dict(architecture.arguments)


@pytest.mark.parametrize(
    ("name", "classes"),
    [("resnet18", 7), ("squeezenet1_1", 5), ("mobilenet_v3_small", 1000), ("shufflenet_v2_x0_5", 3), ("vgg11_bn", 4)],
)
def test_torchvision_is_known_by_its_names_and_shapes(tmp_path: Path, name: str, classes: int) -> None:
    installed("torchvision")
    with torch.device("meta"):
        module = from_zoo("torchvision", name, {"num_classes": classes})
    tensors = {n: Described(str(t.dtype)[6:], tuple(t.shape)) for n, t in module.state_dict().items()}
    outputs = shapes_of(tensors).outputs
    architecture = architecture_of(tensors, outputs, "w.pt", tmp_path)

    assert outputs == classes
    assert architecture.name == f"torchvision:{name}" and architecture.candidates == ()
    assert architecture.arguments == ({} if classes == 1000 else {"num_classes": classes})


@pytest.mark.parametrize("prefix", ["", "module.", "model.backbone."])
def test_what_is_named_can_be_filled(tmp_path: Path, prefix: str) -> None:
    installed("torchvision")
    state = from_zoo("torchvision", "squeezenet1_1", {"num_classes": 6}).state_dict()
    save_file({f"{prefix}{n}": t for n, t in state.items()}, tmp_path / "w.safetensors")
    name, arguments = found(tmp_path / "w.safetensors")

    assert name == "torchvision:squeezenet1_1"
    module = build(name, arguments, tmp_path).module
    assert fill(module, read_weights(tmp_path / "w.safetensors", "safetensors"), "w") == ()


def test_timm_is_known_by_the_name_of_the_file(tmp_path: Path) -> None:
    installed("timm")
    state = from_zoo("timm", "test_resnet", {"num_classes": 5}).state_dict()
    for file in ("test_resnet-9.pth", "best_test_resnet.r160_in1k.pt"):
        torch.save(state, tmp_path / file)
        assert found(tmp_path / file) == ("timm:test_resnet", {"num_classes": 5})
    torch.save(state, tmp_path / "test_vit.pt")  # another of its names
    assert found(tmp_path / "test_vit.pt") == ("", {})


def test_a_demo_is_known_and_one_tensor_more_is_none(tmp_path: Path) -> None:
    torch.save(digits_cnn().state_dict(), tmp_path / "w.pt")
    assert found(tmp_path / "w.pt") == ("demo:digits_cnn", {})
    torch.save(digits_cnn().state_dict() | {"9.weight": torch.zeros(1)}, tmp_path / "more.pt")
    assert found(tmp_path / "more.pt") == ("", {})
    other = nn.Sequential(*list(digits_cnn())[:-1], nn.Linear(128, 11))
    torch.save(other.state_dict(), tmp_path / "other.pt")
    assert found(tmp_path / "other.pt") == ("", {})


def test_code_that_lies_beside_is_read_and_not_run(tmp_path: Path) -> None:
    torch.save(nn.ModuleDict({"fc": nn.Linear(3, 2)}).state_dict(), tmp_path / "w.pt")
    (tmp_path / "b.py").write_text(
        "raise SystemExit\nnet = lambda: 1\nx = 2\n_own = lambda: 1\nclass Net: pass\ndef f(): pass\ndef _g(): pass\n"
    )
    (tmp_path / "a.py").write_text("def broken(")
    (tmp_path / "no name.py").write_text("def g(): pass")
    (tmp_path / "deep.py").write_text("(" * 50_000)
    (tmp_path / "nul.py").write_bytes(b"\0")
    (tmp_path / "z.py").write_text("".join(f"def f{i}(): pass\n" for i in range(100)))
    tensors = inspect_model(tmp_path / "w.pt").tensors
    architecture = architecture_of(tensors, 2, "w.pt", tmp_path)

    assert architecture.name == ""
    assert architecture.candidates[:4] == ("b:net", "b:Net", "b:f", "z:f0")
    assert len(architecture.candidates) == 12
    assert "chain as 3-2" in architecture.note
