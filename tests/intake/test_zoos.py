"""Architectures by the names that their packages publish: their weights fit and answer as they did."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from auditor.config import InputSpec, ModelSpec
from auditor.errors import AuditError
from auditor.intake.load import load_model
from auditor.intake.outputs import settle
from auditor.intake.zoos import ZOOS, from_zoo
from auditor.subject import Data
from tests.intake.zoo_packages import installed

TINY_VIT = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 32,
    "patch_size": 8, "num_labels": 5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arguments", "size"),
    [
        ("torchvision:squeezenet1_1", {"num_classes": 5}, 64),
        ("torchvision:shufflenet_v2_x0_5", {"num_classes": 5}, 64),
        ("timm:test_resnet", {"num_classes": 5}, 64),
        ("timm:test_vit", {"num_classes": 5, "img_size": 64}, 64),
        ("transformers:ViTForImageClassification", TINY_VIT, 32),
    ],
)
def test_weights_of_a_published_architecture_are_loaded_into_it(
    tmp_path: Path, name: str, arguments: Mapping[str, Any], size: int
) -> None:
    zoo, _, inner = name.partition(":")
    installed(zoo)
    torch.manual_seed(0)
    module = from_zoo(zoo, inner, arguments).eval()
    torch.save(module.state_dict(), tmp_path / "w.pt")
    x = torch.rand(3, 3, size, size)
    with torch.no_grad():
        expected = module(x)
    expected = expected if isinstance(expected, torch.Tensor) else expected.logits

    spec = ModelSpec(path="w.pt", architecture=name, arguments=dict(arguments))
    data = Data.of(x, torch.zeros(3).long())
    found = load_model(spec, InputSpec(), data, folder=tmp_path, classes=None, bounds=(0.0, 1.0), uploaded=True)
    model, _ = settle(found.model, data)

    assert found.facts["evidence_grade"] == ModelSpec(path="", architecture=name).grade == "data"
    assert model.classes == ("0", "1", "2", "3", "4")
    with torch.no_grad():
        assert torch.allclose(model(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("torchvision:resnet81", {}, "'torchvision:resnet81' does not exist; near it: resnet"),
        ("timm:hf-hub:attacker/x", {}, "does not exist"),
        ("timm:test_vit.r160_in1k", {}, "does not exist; near it: test_vit"),
        ("transformers:os", {}, "does not exist; there are"),
        ("transformers:ViTForImageClasification", {}, "does not exist; near it: ViTForImageClassification"),
        ("timm:test_vit", {"pretrained": True}, "'pretrained' is not given to timm"),
        ("timm:test_vit", {"checkpoint_path": "w.pt"}, "'checkpoint_path' is not given to timm"),
        ("torchvision:resnet18", {"weights": "DEFAULT"}, "'weights' is not given to torchvision"),
        ("transformers:ViTForImageClassification", {"_attn_implementation": "a"}, "is not given to transformers"),
        ("transformers:ViTForImageClassification", {"attn_implementation": "a/kernel"}, "is not given to transformers"),
        ("torchvision:resnet18", {"classes": 5}, "cannot be built: TypeError"),
        ("timm:test_vit", {"depth": "deep"}, "cannot be built"),
        (
            "transformers:ViTForImageClassification",
            {"hidden_size": 1_200_000},
            "weights; at most 2,000,000,000 are built",
        ),
    ],
)
def test_what_is_no_published_architecture_is_one_line(name: str, arguments: Mapping[str, Any], message: str) -> None:
    zoo, _, inner = name.partition(":")
    installed(zoo)

    with pytest.raises(AuditError, match=message) as e:
        from_zoo(zoo, inner, arguments)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("zoo", ZOOS)
def test_a_package_that_is_not_installed_is_named(zoo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, zoo, None)

    with pytest.raises(AuditError, match=f"needs the package {zoo}, which cannot be imported here"):
        from_zoo(zoo, "resnet18", {})


def test_a_published_architecture_has_no_weights_of_its_own() -> None:
    """Two builds differ: nothing was loaded from anywhere."""
    installed("torchvision")
    a, b = (from_zoo("torchvision", "squeezenet1_1", {}) for _ in range(2))

    assert isinstance(a, nn.Module)
    assert not torch.equal(next(a.parameters()), next(b.parameters()))
