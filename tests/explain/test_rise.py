"""RISE: the definition written out mask by mask, and what it says of models whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.explain.rise import made_masks, rise
from auditor.subject import Model
from tests import zoo


class Sizes(nn.Module):
    """Notes how many images it was given at once."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        return self.inner(x)


def enlarged(grid: np.ndarray[tuple[int, int], np.dtype[np.float64]], up: int, y: int, x: int) -> float:
    """Pixel (y, x) of a grid each of whose cells is `up` pixels wide, between the centres of the four next to it."""
    h, w = grid.shape
    v, u = (min(max((p + 0.5) / up - 0.5, 0), n - 1) for p, n in ((y, h), (x, w)))
    i, j = min(int(v), h - 2), min(int(u), w - 2)
    a, b = v - i, u - j
    top = (1 - b) * grid[i, j] + b * grid[i, j + 1]
    below = (1 - b) * grid[i + 1, j] + b * grid[i + 1, j + 1]
    return float((1 - a) * top + a * below)


@pytest.mark.parametrize(("height", "width"), [(14, 14), (8, 8), (9, 20)])
def test_a_mask_is_a_grid_enlarged_and_moved(height: int, width: int) -> None:
    (masks,) = made_masks(5, height, width, 100, seed=3)

    again = np.random.default_rng(3)
    up, across = math.ceil(height / 7), math.ceil(width / 7)
    grids = again.integers(0, 2, (5, 1, math.ceil(height / up) + 1, math.ceil(width / across) + 1), dtype=np.uint8)
    moved = again.integers(0, (up, across), (5, 2))
    assert masks.shape == (5, height, width)
    if up == across:
        for mask, (grid,), (i, j) in zip(masks, grids.astype(float), moved, strict=True):
            for y in range(height):
                for x in range(width):
                    assert float(mask[y, x]) == pytest.approx(enlarged(grid, up, y + i, x + j), abs=1e-6)
    for mask in masks:
        assert 0 <= float(mask.min()) <= float(mask.max()) <= 1


def test_masks_show_every_pixel_half_of_the_time() -> None:
    shown = torch.cat(list(made_masks(4000, 21, 30, 500, seed=0))).mean(0)

    assert float((shown - 0.5).abs().max()) < 0.04  # 5 deviations of a mean of 4000 coins


@pytest.mark.parametrize("rows", [7, 64])
def test_the_map_is_its_definition(rows: int) -> None:
    case = zoo.ZOO["residual"]()
    x, target = zoo.images()[:3], torch.tensor([0, 2, 1])
    with torch.no_grad(), case.model.frozen():
        found = rise(case.model, x, target, masks=50, rows=rows, seed=5)

        masks = torch.cat(list(made_masks(50, 8, 8, rows, 5))).double()
        for image, label, saliency in zip(x, target, found.maps, strict=True):
            sums, weights, total = torch.zeros(8, 8).double(), torch.zeros(8, 8).double(), 0.0
            for mask in masks:
                hidden = image * mask.float() + image.mean((1, 2))[:, None, None] * (1 - mask.float())
                p = float(case.model(hidden[None]).softmax(1)[0, label])
                sums, weights, total = sums + p * mask, weights + mask, total + p
            assert saliency.numpy() == pytest.approx((sums / weights - total / 50).numpy(), abs=1e-6)


def test_no_more_images_than_asked_for_go_through_the_model_at_once() -> None:
    case = zoo.ZOO["residual"]()
    module = Sizes(case.model.module)

    rise(Model(module, case.model.classes), zoo.images()[:3], torch.zeros(3).long(), masks=50, rows=16, seed=0)

    assert max(module.seen) == 16
    assert sum(module.seen) == 3 * 50


def test_of_a_constant_model_the_map_is_zero_and_nothing_can_be_compared() -> None:
    case = zoo.ZOO["constant"]()
    found = rise(case.model, zoo.images()[:2], torch.zeros(2).long(), masks=64, rows=16, seed=0)

    assert float(found.maps.abs().max()) < 1e-6
    assert found.split == (None, None)


def test_an_image_smaller_than_the_grid_of_a_mask() -> None:
    model = Model(nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), ("a", "b"))
    found = rise(model, torch.rand(1, 3, 1, 1), torch.zeros(1).long(), masks=32, rows=8, seed=0)

    assert found.maps.shape == (1, 1, 1)
    assert found.split == (None,)
