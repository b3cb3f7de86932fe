"""The stand-in for searches: near the model, nothing left on it, and the model itself where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.explain import quick
from auditor.explain.games import image_game
from auditor.explain.lime import lime
from auditor.explain.neighbours import of_superpixels
from auditor.explain.quick import channels_last, quicker
from auditor.guard import Snapshot
from auditor.subject import Model
from tests import zoo


@pytest.fixture(autouse=True)
def _bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with bfloat16: others are slower in it, and answer the same."""
    monkeypatch.setattr(quick, "has_bfloat16", lambda _: True)


class Refuses(nn.Module):
    """Takes float32 alone."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_autocast_enabled("cpu"):
            msg = "expected float32"
            raise RuntimeError(msg)
        return x.flatten(1)[:, :2]


class Views(nn.Module):
    """Reads its input as one row of numbers, as it lies in memory."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(len(x), -1)[:, :2]


class Shaky(nn.Module):
    """Magnifies the last digits of its input's mean."""

    def forward(self, x: Tensor) -> Tensor:
        z = (x.flatten(1) @ torch.ones(x[0].numel(), 1)) * 1000
        return torch.cat([torch.sin(z), torch.cos(z)], 1).float() * 5


def test_it_is_near_the_model_and_leaves_nothing_on_it() -> None:
    found = zoo.batch_norm()
    x = found.data.read(np.arange(24))
    with found.model.frozen(), torch.no_grad():
        before = Snapshot(found.model.module)
        stand_in = quicker(found.model, x)
        moved = (stand_in(x).softmax(1) - found.model(x).softmax(1)).abs().max()

        assert stand_in is not found.model
        assert 0 < float(moved) < 0.02
        assert stand_in(x).dtype == torch.float32
        assert before.restore() == []


def test_channels_last_are_the_models_own_answers_faster() -> None:
    seen = []

    class Watches(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x.is_contiguous(memory_format=torch.channels_last))
            return super().forward(x)

    model = Model(nn.Sequential(Watches(3, 4, 3), nn.Flatten(), nn.Linear(144, 3)), ("a", "b", "c"))
    x = zoo.images(3)
    stand_in = channels_last(model, x)

    assert stand_in(x).detach().numpy() == pytest.approx(model(x).detach().numpy(), abs=1e-5)
    assert seen == [True, False, True, False]


def test_the_model_itself_where_the_channels_cannot_be_last() -> None:
    views, table = Model(Views(), ("a", "b")), zoo.linear_table()

    assert channels_last(views, zoo.images(3)) is views
    assert channels_last(table.model, table.data.read(np.arange(4))) is table.model


@pytest.mark.parametrize(
    "model",
    [
        Model(Refuses(), ("a", "b")),
        Model(Shaky(), ("a", "b")),
        Model(nn.Sequential(nn.Flatten(), nn.Linear(64, 1)), (), output="value"),
        Model(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)).half(), ("a", "b")),
    ],
    ids=["refuses", "shaky", "value", "half"],
)
def test_the_model_itself_where_bfloat16_will_not_do(model: Model) -> None:
    assert quicker(model, zoo.images()) is model


def test_the_model_itself_for_rows_and_without_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    table, pictures = zoo.linear_table(), zoo.batch_norm()

    assert quicker(table.model, table.data.read(np.arange(4))) is table.model
    monkeypatch.setattr(quick, "has_bfloat16", lambda _: False)
    assert quicker(pictures.model, pictures.data.read(np.arange(4))) is pictures.model


def test_weights_in_bfloat16_lie_within_the_intervals_of_those_in_float32() -> None:
    case = zoo.batch_norm()
    x = case.data.read(np.arange(6))
    around = [of_superpixels(image_game(image, np.arange(64).reshape(8, 8) // 4, 0)) for image in x]
    settings = {"neighbours": 300, "most": 300, "rows": 64, "seed": 0}
    with case.model.frozen():
        sure = lime(case.model, around, **settings)
        quickly = lime(case.model, around, search=quicker(case.model, x), **settings)

    inside = [(s.low <= q.weights) & (q.weights <= s.high) for s, q in zip(sure, quickly, strict=True)]
    assert np.mean(inside) > 0.95
    assert all(q.fidelity == pytest.approx(s.fidelity, abs=0.1) for s, q in zip(sure, quickly, strict=True))
