"""What is known to decide gets the relevance: most of it on a watermark, where a method is fine enough to say so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from auditor.explain.baselines import image_baselines, text_baselines
from auditor.explain.composites import COMPOSITES
from auditor.explain.games import answers, text_game
from auditor.explain.gradcam import gradcam
from auditor.explain.integrated import integrated_gradients
from auditor.explain.lrp import lrp
from auditor.explain.occlusion import losses, spread, window_game, windows
from auditor.explain.rise import rise
from auditor.subject import Model
from tests.explain.planted import CHEATED, TOKEN, clean, marked, one_token, watermark

Explain = Callable[[Model, Tensor, Tensor], Tensor]


@pytest.fixture
def cheated() -> tuple[Model, Tensor, Tensor, Tensor]:
    """The model, 12 images of the class that is decided by the mark, that class, and the mark."""
    model, x, y, where = watermark()
    rows = x[y == CHEATED][:12]
    return model, rows, torch.full((12,), CHEATED), where


def inside(maps: Tensor, where: Tensor) -> float:
    """The share of the positive relevance of maps (N, H, W) that lies there, in the mean over them."""
    positive = maps.double().clamp_min(0)
    return float(((positive * where).sum((1, 2)) / positive.sum((1, 2))).mean())


def near(where: Tensor, pixels: int) -> Tensor:
    """The mark and what lies within so many pixels of it."""
    return functional.max_pool2d(where[None].float(), 2 * pixels + 1, 1, pixels)[0] > 0


# ---- the truth itself --------------------------------------------------------------------------------------------
def test_the_mark_alone_decides() -> None:
    model, x, y, where = watermark()
    others, own = x[y != CHEATED], x[y == CHEATED]
    with torch.no_grad():
        assert float((model(x).argmax(1) == y).float().mean()) > 0.95
        assert float((model(marked(others)).argmax(1) == CHEATED).float().mean()) > 0.98
        assert float((model(torch.where(where, 0.1, own)).argmax(1) == CHEATED).float().mean()) < 0.02


def test_the_same_network_without_the_mark_knows_nothing_of_it() -> None:
    model, x, y = clean()
    with torch.no_grad():
        assert float((model(x).argmax(1) == y).float().mean()) > 0.95
        assert float((model(marked(x[y != CHEATED])).argmax(1) == CHEATED).float().mean()) < 0.05


def test_the_token_alone_decides() -> None:
    case = one_token()
    x = case.data.read(np.arange(len(case.data)))
    with torch.no_grad():
        spam = case.model(x).argmax(1)
        other = case.model(torch.where(x == TOKEN, 1, x)).argmax(1)

    assert spam.tolist() == case.data.y.tolist()
    assert int(other.sum()) == 0


# ---- what methods make of it -------------------------------------------------------------------------------------
def by_lrp(model: Model, x: Tensor, target: Tensor) -> Tensor:
    """LRP with the composite that the check uses unless told otherwise."""
    return lrp(model, x, target, composite=COMPOSITES["epsilon_gamma"]).shares.sum(1)


def by_integrated_gradients(name: str) -> Explain:
    """Integrated gradients from the baseline of that name."""

    def explain(model: Model, x: Tensor, target: Tensor) -> Tensor:
        start = next(b.start for b in image_baselines(model, [watermark()[1]], "") if b.name == name)
        return integrated_gradients(model, x, target, start).shares.sum(1)

    return explain


def by_occlusion(model: Model, x: Tensor, target: Tensor) -> Tensor:
    """Occlusion as the check does it, each cell drawn over its pixels."""
    covers = windows(x.shape[2], x.shape[3], 14, 2)
    games = [
        window_game(image, image.mean((1, 2), keepdim=True).expand_as(image), covers, int(label))
        for image, label in zip(x, target, strict=True)
    ]
    drops = answers(model, x, target, 64)[:, None] - np.stack(losses(model, games, 64))
    maps = torch.from_numpy(np.stack([spread(d, covers) for d in drops]))
    return functional.interpolate(maps[:, None], x.shape[2:])[:, 0]


def by_rise(model: Model, x: Tensor, target: Tensor) -> Tensor:
    """RISE with many masks."""
    return rise(model, x, target, masks=2000, rows=256, seed=0).maps


@pytest.mark.parametrize(
    "explain",
    [by_lrp, *map(by_integrated_gradients, ("black", "mean", "blurred")), by_occlusion],
    ids=["lrp", "ig black", "ig mean", "ig blurred", "occlusion"],
)
def test_methods_as_fine_as_the_mark_put_most_relevance_on_it(
    explain: Explain, cheated: tuple[Model, Tensor, Tensor, Tensor]
) -> None:
    model, x, target, where = cheated
    with model.frozen():
        assert inside(explain(model, x, target), where) >= 0.8


def test_rise_is_as_coarse_as_its_cells_and_puts_most_relevance_within_one_of_the_mark(
    cheated: tuple[Model, Tensor, Tensor, Tensor],
) -> None:
    model, x, target, where = cheated
    with model.frozen():
        maps = by_rise(model, x, target)

    assert inside(maps, near(where, 3)) >= 0.8  # cells of 3 pixels on images of 16
    assert inside(maps, where) > 4 * float(where.float().mean())


def test_grad_cam_averages_over_places_and_cannot_say_it_though_hirescam_can_on_the_same_grid(
    cheated: tuple[Model, Tensor, Tensor, Tensor],
) -> None:
    model, x, target, where = cheated
    with model.frozen():
        found = gradcam(model, x, target)
    corner = torch.zeros(4, 4)
    corner[-1, 0] = 1  # the cell of the grid that lies over the mark

    assert inside(found.maps, corner) < 0.25
    assert inside(found.variants["HiResCAM"], corner) >= 0.8
    enlarged = functional.interpolate(found.variants["HiResCAM"][:, None], x.shape[2:], mode="bilinear")[:, 0]
    assert inside(enlarged, where) < 0.8  # a picture of it is as blurred as the grid is coarse


def test_the_token_gets_the_relevance_of_its_text() -> None:
    case = one_token()
    x = case.data.read(np.flatnonzero(case.data.y == 1)[:20])
    target = torch.ones(20).long()
    with case.model.frozen():
        start = next(b.start for b in text_baselines(case.model, [x], "") if b.name == "mean")
        found = {
            "integrated gradients": integrated_gradients(case.model, x, target, start).shares,
            "lrp": lrp(case.model, x, target).shares,
        }
        of_token = [np.where(ids >= 0, np.arange(len(ids)), -1) for ids in x.numpy()]
        games = [text_game(ids, places, 1) for ids, places in zip(x, of_token, strict=True)]
        whole = answers(case.model, x, target, 64)
        drops = [y - left for y, left in zip(whole, losses(case.model, games, 64), strict=True)]

    for name, shares in found.items():
        positive = shares.clamp_min(0)
        assert float(((positive * (x == TOKEN)).sum(1) / positive.sum(1)).min()) >= 0.8, name
    for ids, own in zip(x, drops, strict=True):
        assert int(ids[int(own.argmax())]) == TOKEN
        assert own.max() / np.maximum(own, 0).sum() >= 0.8
