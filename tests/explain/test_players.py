"""Players: superpixels, categories and raw columns."""

from __future__ import annotations

import numpy as np
import torch

from auditor.columns import Column
from auditor.explain.players import mixed, per_column
from auditor.explain.segments import masked, superpixels
from auditor.tables.raw import from_raw, to_raw
from tests import zoo


def test_superpixels_cover_an_image_and_are_about_as_many_as_asked() -> None:
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    image[:, :16] = 0
    for about in (9, 25, 60):
        parts = superpixels(image, about)

        assert parts.shape == (32, 32)
        assert set(np.unique(parts)) == set(range(parts.max() + 1))
        assert about / 3 <= parts.max() + 1 <= 2 * about
    assert superpixels(torch.rand(1, 8, 8), 16).max() + 1 == 16
    assert superpixels(torch.rand(1, 2, 2), 25).max() + 1 == 4


def test_masking_keeps_what_is_present_and_shows_the_mean_colour_elsewhere() -> None:
    image = torch.rand(3, 8, 8)
    parts = superpixels(image, 4)
    present = np.eye(parts.max() + 1)

    shown = masked(image, parts, present)

    assert torch.equal(masked(image, parts, np.ones((1, parts.max() + 1)))[0], image)
    for i in range(len(present)):
        inside = torch.from_numpy(parts == i)
        assert torch.equal(shown[i][:, inside], image[:, inside])
        assert torch.allclose(shown[i][:, ~inside], image.mean((1, 2))[:, None].expand(-1, int((~inside).sum())))


def test_a_category_is_one_player() -> None:
    columns = zoo.categories().data.columns
    x, background = torch.tensor([1.0, 1, 0, 0, 1]), torch.tensor([[0.0, 0, 1, 0, 0], [2.0, 0, 0, 1, 0]])

    found = mixed(x, background, np.array([[1, 0, 0], [0, 0, 1]]), columns)

    assert found.tolist() == [
        [[1, 0, 1, 0, 0], [1, 0, 0, 1, 0]],
        [[0, 0, 0, 0, 1], [2, 0, 0, 0, 1]],
    ]
    assert per_column(torch.tensor([[1.0, 2, 3, 4, 5]]), columns).tolist() == [[1, 2, 12]]


def test_raw_columns_lead_back_to_the_vectors() -> None:
    case = zoo.categories()
    x = next(case.data.batches(10)).x.clone()
    x[0, 2:] = 0  # a value that is not listed

    raw = to_raw(x, case.data.columns)

    assert raw[0, 2] == 3
    assert torch.equal(from_raw(raw, case.data.columns), x)


def test_columns_show_values_as_they_stood_in_the_file() -> None:
    column = Column("age", 0, 1, mean=38.6, std=13.6)

    assert [column.shown([(v - 38.6) / 13.6]) for v in (0.0, 17.0, 90.25)] == ["0", "17", "90.25"]
