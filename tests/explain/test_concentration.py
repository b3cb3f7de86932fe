"""Windows that hold most: sums by hand, the place that was planted, and its words."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from auditor.explain.concentration import Place, densest, positive_shares, share_in

Shares = np.ndarray[tuple[int, int, int], np.dtype[np.float64]]
NOBODY: Shares = np.zeros((0, 16, 16))


def planted(rows: slice, columns: slice, share: float, size: int = 16) -> Shares:
    """Five maps of 1 in all, `share` of it spread over a window and the rest over everything."""
    generator = np.random.default_rng(0)
    maps = generator.uniform(0.5, 1.5, (5, size, size))
    maps *= (1 - share) / maps.sum((1, 2), keepdims=True)
    inside = generator.uniform(0.5, 1.5, maps[:, rows, columns].shape)
    maps[:, rows, columns] += share * inside / inside.sum((1, 2), keepdims=True)
    return maps


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (slice(12, 16), slice(0, 4)),
        (slice(3, 4), slice(9, 11)),
        (slice(15, 16), slice(0, 16)),
        (slice(2, 14), slice(5, 7)),
    ],
)
def test_the_planted_window_is_found_whatever_its_shape(rows: slice, columns: slice) -> None:
    found = densest(planted(rows, columns, 0.6), NOBODY, 16, 16)

    assert found == Place(rows.start, rows.stop, columns.start, columns.stop, 16, 16)


def test_where_all_classes_look_nothing_is_special() -> None:
    everybody = planted(slice(6, 10), slice(6, 10), 0.6)
    own = 0.7 * everybody + 0.3 * planted(slice(0, 2), slice(0, 2), 0.3)

    alone, beside = densest(own, NOBODY, 16, 16), densest(own, everybody, 16, 16)

    assert alone.pixels == (slice(6, 10), slice(6, 10))
    assert beside.pixels == (slice(0, 2), slice(0, 2))


def test_the_best_window_is_the_best_of_all_counted_one_by_one() -> None:
    generator = np.random.default_rng(1)
    own, others = (generator.exponential(size=(4, 9, 7)) ** 3 for _ in range(2))
    own, others = (v / v.sum((1, 2), keepdims=True) for v in (own, others))
    beyond = {}
    for top in range(9):
        for bottom in range(top + 1, 10):
            for left in range(7):
                for right in range(left + 1, 8):
                    area = (bottom - top) * (right - left) / 63
                    if area <= 0.1:
                        inside, theirs = (v.mean(0)[top:bottom, left:right].sum() for v in (own, others))
                        beyond[top, bottom, left, right] = inside - max(4 * area, 2 * theirs)
    best = max(beyond, key=lambda k: beyond[k])

    assert densest(own, others, 9, 7) == Place(*best, 9, 7)


@pytest.mark.parametrize(("height", "width"), [(224, 224), (33, 47), (100, 32)])
def test_cells_and_pixels_fit_each_other_on_large_images(height: int, width: int) -> None:
    maps = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0)) - 0.5
    shares = positive_shares(maps)
    place = densest(shares, np.zeros((0, 32, 32)), height, width)

    expected = maps.clamp_min(0)[:, *place.pixels].sum((1, 2)) / maps.clamp_min(0).sum((1, 2))
    assert shares.shape == (3, 32, 32)
    assert shares.sum((1, 2)) == pytest.approx([1, 1, 1])
    assert share_in(place, shares) == pytest.approx(expected.tolist(), abs=1e-6)


def test_maps_without_positive_relevance_are_left_out() -> None:
    maps = torch.stack([torch.zeros(4, 4), -torch.ones(4, 4), torch.eye(4), torch.full((4, 4), torch.nan)])

    assert positive_shares(maps) == pytest.approx(torch.eye(4)[None].numpy() / 4)


def test_an_image_of_few_pixels_has_no_small_window() -> None:
    assert densest(np.full((5, 3, 3), 1 / 9), np.zeros((0, 3, 3)), 3, 3) is None


def test_places_elsewhere_share_no_pixel() -> None:
    place = Place(1, 3, 0, 2, 5, 4)
    inside = {(y, x) for y in (1, 2) for x in (0, 1)}
    expected = [
        [t, s] for t in range(4) for s in range(3) if not inside & {(t + i, s + j) for i in (0, 1) for j in (0, 1)}
    ]

    assert place.elsewhere().tolist() == expected


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (Place(22, 28, 0, 6, 28, 28), "bottom-left 6 x 6 patch"),
        (Place(12, 16, 12, 15, 28, 28), "middle 4 x 3 patch"),
        (Place(0, 2, 12, 16, 28, 28), "top-centre 2 x 4 patch"),
        (Place(12, 16, 25, 28, 28, 28), "middle-right 4 x 3 patch"),
    ],
)
def test_a_place_in_words(place: Place, words: str) -> None:
    assert str(place) == words
