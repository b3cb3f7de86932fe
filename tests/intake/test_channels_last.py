"""A model that takes (N, H, W, C), as one converted from Keras does: found by looking, or said in the audit file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from auditor.alternatives import better_preprocessing
from auditor.config import parse_audit_file
from auditor.errors import LoadError, UsageError
from auditor.explain.gradcam import gradcam
from auditor.explain.lrp import lrp
from auditor.feeds import channels_last
from auditor.intake.outputs import settle
from auditor.opening import Opened, open_audit
from auditor.subject import Data, Model, Normalize, as_it_is
from tests.shared import model_of
from tests.zoo import Last

SAID = "The model takes images with the channels last (N, H, W, C); it was driven so."


def last() -> Last:
    torch.manual_seed(0)
    return Last().eval()


X = torch.rand(12, 3, 8, 10, generator=torch.Generator().manual_seed(0))
DATA = Data.of(X, torch.arange(12) % 3)
NAMES = ("a", "b", "c")


@pytest.mark.parametrize("module", [last(), torch.jit.trace(last(), X.permute(0, 2, 3, 1))], ids=["module", "program"])
def test_it_is_found_and_said(module: nn.Module) -> None:
    model, caveats = settle(Model(module, NAMES), DATA)

    assert caveats == (SAID,)
    with torch.no_grad():
        assert torch.allclose(model(X), last()(X.permute(0, 2, 3, 1)), atol=1e-6)


def test_a_model_of_the_usual_layout_is_left_alone() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

    model, caveats = settle(Model(module, NAMES), DATA)

    assert model.feed is as_it_is and caveats == ()


def test_one_that_takes_neither_layout_is_refused_by_what_it_says_of_the_usual_one() -> None:
    with pytest.raises(
        LoadError, match=r"cannot take inputs of shape \(12, 3, 8, 10\).*expected input\[12, 3, 8, 10\]"
    ):
        settle(Model(nn.Conv2d(5, 4, 3), NAMES), DATA)


def test_normalisation_stays_by_channel() -> None:
    normalize = Normalize(torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.6, 0.7]))

    model, _ = settle(Model(last(), NAMES, normalize=normalize), DATA)

    with torch.no_grad():
        assert torch.allclose(model(X), last()(normalize(X).permute(0, 2, 3, 1)), atol=1e-6)


def test_explanations_are_shaped_like_the_picture() -> None:
    """The map of the planted answer: shares of pixels are the same as for the module in the usual layout."""
    model, _ = settle(Model(last(), NAMES), DATA)
    usual = Model(nn.Sequential(last().conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), last().head), NAMES)
    target = torch.zeros(2).long()

    with model.frozen(), usual.frozen():
        ours, theirs = lrp(model, X[:2], target), lrp(usual, X[:2], target)
        assert torch.allclose(ours.shares, theirs.shares, atol=1e-5)
        assert float(ours.ledger_error.max()) < 1e-4
        assert gradcam(model, X[:2], target).maps.shape == (2, 6, 8)


# ---- said in the audit file --------------------------------------------------------------------------------------
def dense() -> nn.Sequential:
    """Dense layers on flattened pixels fit either layout: nothing shows by itself."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 10, 3)).eval()


def opened(folder: Path, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], **given: Any) -> Opened:
    torch.save(dense().state_dict(), folder / "w.pt")
    (folder / "archs.py").write_text(
        "from torch import nn\ndef dense(): return nn.Sequential(nn.Flatten(), nn.Linear(240, 3))\n"
    )
    np.savez(folder / "d.npz", x=x, y=y)
    file = {"model": {"path": "w.pt", "architecture": "archs:dense"}, "data": {"path": "d.npz"}, "input": given}
    return open_audit(parse_audit_file(file), folder)


def test_the_layout_can_be_said(tmp_path: Path) -> None:
    pixels = (X.permute(0, 2, 3, 1) * 255).round().byte().numpy()
    with torch.no_grad():
        expected = dense()(torch.from_numpy(pixels).float() / 255)

    found = opened(tmp_path, pixels, np.zeros(12, int), layout="channels_last")

    with torch.no_grad():
        assert torch.allclose(model_of(found)(found.data.read(np.arange(12))), expected, atol=1e-5)
    assert settle(model_of(found), found.data)[1] == (SAID,)


def test_rows_of_numbers_have_no_layout(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="layout would be ignored with 'd.npz': it belongs to images"):
        opened(tmp_path, np.zeros((12, 240), np.float32), np.zeros(12, int), layout="channels_last")


def test_where_it_was_not_said_the_preflight_finds_that_it_would_be_right(tmp_path: Path) -> None:
    x = torch.rand(64, 3, 8, 10, generator=torch.Generator().manual_seed(1))
    model = Model(dense(), NAMES)
    with torch.no_grad():
        y = dense()(channels_last(x)).argmax(1)

    better = better_preprocessing(model, Data.of(x, y), seed=0)

    assert better.name == "the channels last (layout)"
    assert better.alternative == 64
    with torch.no_grad():
        assert better_preprocessing(model, Data.of(x, dense()(x).argmax(1)), seed=0) is None


def test_floats_with_the_channels_last_are_read_as_pictures(tmp_path: Path) -> None:
    array = X.permute(0, 2, 3, 1).numpy()

    found = opened(tmp_path, array, np.zeros(12, int))

    assert torch.equal(found.data.read(np.arange(12)), X)
    assert found.data.caveats == ("Array 'x' has shape (12, 8, 10, 3): it was read as images with the channels last.",)
    usual = opened(tmp_path, X.numpy(), np.zeros(12, int))
    assert torch.equal(usual.data.read(np.arange(12)), X) and usual.data.caveats == ()
