"""What torch saves of published architectures is opened, and gives what the original module gives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from auditor.errors import LoadError
from benchmarks import _architectures
from benchmarks._architectures import FORMATS, Architecture, cover, named
from tests.intake.test_zoos import installed

SOME = (
    "timm:test_resnet", "transformers:BertForSequenceClassification",
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in (
            "torchvision:squeezenet1_1", "torchvision:mnasnet0_5", "timm:test_vit", "timm:repvit_m0_9",
            "transformers:Swinv2ForImageClassification", "transformers:ConvNextV2ForImageClassification",
        )
    ),
)  # fmt: skip


@pytest.mark.parametrize("name", SOME)
def test_every_format_of_a_published_architecture_is_opened(name: str) -> None:
    installed(name.partition(":")[0])

    found = cover(named(name))

    assert found.misses == dict.fromkeys(FORMATS)
    assert found.parameters > 1000
    assert found.moves


class Forgetful(nn.Module):
    """Gives something else when it was loaded than before it was saved."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.offset = nn.Linear(3 * 4 * 4, 2), 0.0

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1)) + self.offset


class Unsavable(Forgetful):
    """Leaves tensors behind, which torch cannot follow."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * float(str(x.mean().item())) / x.mean().item()


def made(monkeypatch: pytest.MonkeyPatch, kind: type[Forgetful]) -> Architecture:
    """An architecture whose second module has another offset than the first."""

    def build(_: Architecture, seed: int) -> nn.Module:
        module = kind()
        module.offset = float(seed)
        return module.eval()

    monkeypatch.setattr(Architecture, "build", build)
    return Architecture("made:up", {}, (3, 4, 4))


def test_other_outputs_are_a_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    found = cover(made(monkeypatch, Forgetful))

    assert found.misses == {"state_dict": "outputs up to 1 apart", "TorchScript": None, ".pt2": None}


def test_what_torch_cannot_save_is_a_miss_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = cover(made(monkeypatch, Unsavable))

    assert found.misses[".pt2"].startswith("torch cannot save it (batch dynamic: ")


def test_what_the_look_refuses_is_a_miss_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_: object) -> None:
        msg = "it is not loaded"
        raise LoadError(msg)

    monkeypatch.setattr(_architectures, "inspect_model", refuses)
    found = cover(made(monkeypatch, Forgetful))

    assert found.misses == dict.fromkeys(FORMATS, "it is not loaded")
    assert torch.is_grad_enabled()
