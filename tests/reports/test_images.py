"""Pictures: orange for, blue against, nothing finer than its grid."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from reports.images import MOST, change, overlay, photo


def decoded(url: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))


GREY = np.full((16, 16, 3), 128, np.uint8)


def test_a_small_picture_comes_back_to_the_bit() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 20, 3), dtype=np.uint8)

    assert photo(pixels).startswith("data:image/png")
    assert np.array_equal(decoded(photo(pixels)), pixels)


def test_a_large_picture_is_made_smaller_and_kept_in_shape() -> None:
    pixels = np.zeros((300, 600, 3), np.uint8)

    assert photo(pixels).startswith("data:image/webp")
    assert decoded(photo(pixels)).shape == (112, 224, 3)


def test_evidence_for_is_orange_and_against_is_blue() -> None:
    shares = np.zeros((16, 16))
    shares[:4], shares[12:] = 1.0, -1.0
    found = decoded(overlay(GREY, shares)).astype(int)

    assert found[1, 8, 0] > found[1, 8, 2] + 100
    assert found[14, 8, 2] > found[14, 8, 0] + 80
    assert np.ptp(found[8, 8]) <= 1  # grey where nothing speaks


def test_a_coarse_map_stays_in_its_cells() -> None:
    shares = np.array([[1.0, 0.0], [0.0, 0.0]])
    found = decoded(overlay(GREY, shares)).astype(int)

    assert (found[:8, :8] == found[0, 0]).all()
    assert np.ptp(found[:, 8:], axis=-1).max() <= 1


def test_a_fine_map_is_added_up_in_squares() -> None:
    """Checkerboards of opposite signs, which strides leave behind, cancel."""
    shares = np.indices((224, 224)).sum(0) % 2 * 2.0 - 1
    found = decoded(overlay(np.full((224, 224, 3), 128, np.uint8), shares))

    assert np.ptp(found.astype(int), axis=-1).max() <= 3


def test_an_empty_map_shows_the_picture_in_grey() -> None:
    found = decoded(overlay(GREY, np.zeros((4, 4))))

    assert np.ptp(found.astype(int), axis=-1).max() <= 1


def test_a_change_is_enlarged_around_grey_and_says_how_much() -> None:
    difference = np.array([[0.01, -0.01], [0.0, 0.005]])

    url, factor = change(difference)

    assert factor == pytest.approx(50)
    assert decoded(url)[:, :, 0].tolist() == [[255, 0], [128, 191]]
    assert change(np.zeros((2, 2)))[1] == 1.0


@pytest.mark.parametrize("side", [1, 32, 64, 224, 900])
def test_no_picture_takes_more_than_its_budget_whatever_is_in_it(side: int) -> None:
    """Noise is what no encoder can make small."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    url = photo(noise)

    assert len(url) <= MOST
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
        assert picture.width == picture.height >= min(side, 56)
