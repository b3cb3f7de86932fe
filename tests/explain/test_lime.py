"""LIME on classifiers that are linear, so that its weights and its fit are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from auditor.explain.lime import lime_image, lime_table
from auditor.subject import Column

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

COLUMNS = (Column("a", 0, 1), Column("b", 1, 2), Column("on", 2, 3, kind="flag"))
GENERATOR = np.random.default_rng(0)
BACKGROUND = np.column_stack([GENERATOR.normal(0, 2, 500), GENERATOR.normal(5, 3, 500), GENERATOR.integers(0, 2, 500)])


def linear(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    p = 0.5 + 0.02 * rows[:, 0] - 0.01 * rows[:, 1] + 0.1 * rows[:, 2]
    return np.stack([1 - p, p], 1)


def test_a_linear_classifier_is_fitted_exactly() -> None:
    """Weights are for one standard deviation of a number, and for a flag being what it is."""
    found = lime_table(BACKGROUND, np.array([1.0, 4.0, 1.0]), COLUMNS, linear, 1, samples=4000, seed=0)
    spread = BACKGROUND.std(0)

    assert found.fidelity == pytest.approx(1, abs=1e-3)
    assert found.weights == pytest.approx([0.02 * spread[0], -0.01 * spread[1], 0.1], rel=0.03)


def test_a_classifier_that_is_not_linear_here_says_so_by_its_fit() -> None:
    def wave(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        p = 0.5 + 0.4 * np.sin(8 * rows[:, 0])
        return np.stack([1 - p, p], 1)

    assert lime_table(BACKGROUND, np.array([1.0, 4.0, 1.0]), COLUMNS, wave, 1, samples=2000, seed=0).fidelity < 0.2


def test_the_weights_of_superpixels() -> None:
    """The class is how bright two of four quarters are; hiding one shows the mean colour of the image."""
    pixels = np.zeros((16, 16, 3))
    pixels[:8, :8], pixels[:8, 8:], pixels[8:, :8] = 1.0, 0.5, 0.9
    quarters = (np.arange(16)[:, None] // 8) * 2 + np.arange(16)[None] // 8

    def bright(pictures: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        p = 0.2 + 0.5 * pictures[:, :8, :8].mean((1, 2, 3)) + 0.1 * pictures[:, 8:, :8].mean((1, 2, 3))
        return np.stack([1 - p, p], 1)

    found = lime_image(pixels, quarters, bright, 1, samples=600, batch_size=50, seed=0)
    grey = pixels.mean()

    assert found.fidelity == pytest.approx(1, abs=0.01)
    assert found.weights[0] == pytest.approx(0.5 * (1 - grey), rel=0.05)
    assert found.weights[2] == pytest.approx(0.1 * (0.9 - grey), rel=0.15)
    assert found.weights[[1, 3]] == pytest.approx([0, 0], abs=0.01)


def test_the_same_seed_gives_the_same_weights_and_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    row = np.array([1.0, 4.0, 1.0])
    first, again = (lime_table(BACKGROUND, row, COLUMNS, linear, 1, samples=100, seed=5) for _ in range(2))
    parts = np.zeros((8, 8), np.int64)
    parts[4:] = 1
    lime_image(
        np.ones((8, 8, 3)), parts, lambda p: np.tile([0.5, 0.5], (len(p), 1)), 0, samples=50, batch_size=10, seed=0
    )

    assert np.array_equal(first.weights, again.weights)
    assert capsys.readouterr() == ("", "")
