"""What shapes say, against modules of which it is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from app.initialising.tensors import Tensors, chain_of, mlp_of, shapes_of
from auditor.intake.architectures import digits_cnn, mlp
from auditor.intake.described import Described


def described(module: nn.Module, prefix: str = "") -> dict[str, Described]:
    state = module.state_dict()
    return {prefix + n: Described(str(t.dtype).removeprefix("torch."), tuple(t.shape)) for n, t in state.items()}


def ordered(tensors: Tensors) -> dict[str, Described]:
    """As safetensors writes them: by name."""
    return dict(sorted(tensors.items()))


class Classifier(nn.Module):
    """A backbone whose last layer stands first by name."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.norm, self.squeeze, self.excite = nn.BatchNorm2d(8), nn.Linear(8, 4), nn.Linear(4, 8)
        self.classifier = nn.Linear(8, 5)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=9), st.sampled_from(["", "module.", "model.net."]))
def test_an_mlp_is_named_by_its_sizes(widths: list[int], prefix: str) -> None:
    sizes = "-".join(map(str, widths))
    tensors = described(mlp(sizes), prefix)

    assert mlp_of(tensors) == mlp_of(ordered(tensors)) == sizes


@pytest.mark.parametrize(
    ("module", "chain"),
    [
        (nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Dropout(), nn.Linear(3, 2)), "4-3-2"),
        (nn.Sequential(nn.Linear(4, 3, bias=False), nn.ReLU(), nn.Linear(3, 2)), ""),
        (nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)), ""),
        (nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(5, 2)), ""),
        (nn.ModuleDict({"fc1": nn.Linear(8, 16), "fc2": nn.Linear(16, 3)}), "8-16-3"),
        (nn.Sequential(nn.Conv2d(1, 2, 3)), ""),
        (digits_cnn(), ""),
    ],
)
def test_what_mlp_cannot_hold_is_none(module: nn.Module, chain: str) -> None:
    assert mlp_of(described(module)) == ""
    assert chain_of(described(module)) == chain


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (mlp("8-16-2"), ("table", None, 8, 2)),
        (mlp("12-12-12-12"), ("table", None, 12, 12)),
        (digits_cnn(), ("image", 1, None, 10)),
        (Classifier(), ("image", 3, None, 5)),
        (nn.ModuleDict({"embeddings": nn.Embedding(99, 8), "head": nn.Linear(8, 4)}), ("text", None, None, 4)),
        (nn.BatchNorm1d(3), (None, None, None, None)),
    ],
)
def test_shapes_say_what_a_module_takes_and_gives(module: nn.Module, said: tuple[object, ...]) -> None:
    for tensors in (described(module), ordered(described(module))):
        found = shapes_of(tensors)
        assert (found.kind, found.channels, found.width, found.outputs) == said


def test_any_names_are_put_in_order() -> None:
    odd = ["", ".", "²", "٣.weight", "9" * 5000, "a" * 500, "1.", "01.weight", "\n"]
    tensors = {n: Described("float32", (2, 3)) for n in odd}

    assert shapes_of(tensors).outputs == 2
    assert mlp_of(tensors) == chain_of(tensors) == ""


def test_thousands_of_tensors_take_no_time() -> None:
    tensors = {f"layers.{i}.weight": Described("float32", (i + 2, i + 1)) for i in range(20_000)}

    assert shapes_of(tensors).outputs == 20_001


def test_integers_are_no_weights() -> None:
    assert shapes_of({"ids": Described("int64", (3, 4))}).outputs is None
