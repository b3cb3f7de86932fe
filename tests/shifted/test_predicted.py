"""Foretold accuracy: by hand, where it is exact, and how often the interval holds it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as reference

from auditor.shifted.accuracies import accuracies
from auditor.shifted.answers import Answers
from auditor.shifted.predicted import (
    average_thresholded_confidence,
    certainty,
    difference_of_confidences,
    of_parts,
)


def test_the_threshold_leaves_as_many_reference_rows_below_as_are_wrong() -> None:
    scores, right = np.array([0.1, 0.4, 0.6, 0.9]), np.array([0.0, 1.0, 0.0, 1.0])  # two wrong: the threshold is .6
    found = average_thresholded_confidence(scores, right, np.array([0.2, 0.5, 0.7, 0.8, 0.95]), 0)

    assert found.accuracy("p", "").value == pytest.approx(3 / 5)


def test_rows_at_the_threshold_count_in_part() -> None:
    scores, right = np.full(10, 0.5), np.repeat([1.0, 0.0], [7, 3])
    found = average_thresholded_confidence(scores, right, np.array([0.5, 0.5, 0.9, 0.1]), 0)

    assert found.scores.tolist() == pytest.approx([0.7, 0.7, 1.0, 0.0])


def test_nothing_is_foretold_where_all_or_none_are_right() -> None:
    scores = np.linspace(0, 1, 9)

    assert average_thresholded_confidence(scores, np.ones(9), scores, 0) is None
    assert average_thresholded_confidence(scores, np.zeros(9), scores, 0) is None


def test_the_accuracy_falls_as_the_mean_confidence_does() -> None:
    found = difference_of_confidences(np.full(8, 0.9), np.repeat([1.0, 0.0], [6, 2]), np.full(5, 0.7))

    assert found.accuracy("p", "").value == pytest.approx(0.75 - 0.2)
    assert found.error("e", "", np.array([1.0, 1.0, 0.0, 0.0, 0.0])).value == pytest.approx(0.55 - 0.4)


def test_certainty_is_the_negative_entropy() -> None:
    p = np.array([[0.5, 0.5], [1.0, 0.0], [0.2, 0.8]])

    assert certainty(p) == pytest.approx(-reference.entropy(p, axis=1), abs=1e-12)


def test_a_sum_of_means_has_welchs_interval() -> None:
    a, b = np.random.default_rng(0).normal(1, 2, 12), np.random.default_rng(1).normal(0, 1, 30)
    expected = reference.ttest_ind(a, b, equal_var=False).confidence_interval()
    parts = ((a.var(ddof=1) / 12, 12), (b.var(ddof=1) / 30, 30))
    found = of_parts("d", a.mean() - b.mean(), parts, "", "neither")

    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_no_spread_claims_no_interval() -> None:
    found = difference_of_confidences(np.ones(1), np.ones(1), np.ones(1)).accuracy("p", "")

    assert (found.low, found.high) == (None, None)
    assert difference_of_confidences(np.full(5, 0.8), np.ones(5), np.full(5, 0.8)).accuracy("p", "").low is None


def shifted(n: int, sharpness: float, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Confidences and right answers of a calibrated model."""
    confidence = 0.5 + 0.5 * draw.beta(sharpness, 1, n)
    return confidence, (draw.random(n) < confidence).astype(float)


def test_the_intervals_hold_the_truth() -> None:
    draw = np.random.default_rng(0)
    many, right = shifted(400_000, 4, draw)
    other, _ = shifted(400_000, 2.5, draw)
    truth = {
        "atc": float((other >= np.sort(many)[int((1 - right).sum())]).mean()),
        "doc": float(other.mean() + (right - many).mean()),
    }
    held = dict.fromkeys(truth, 0)
    for seed in range(100):
        (a, y), (b, _) = shifted(100, 4, draw), shifted(150, 2.5, draw)
        for name, found in (
            ("atc", average_thresholded_confidence(a, y, b, seed)),
            ("doc", difference_of_confidences(a, y, b)),
        ):
            m = found.accuracy("p", "")
            held[name] += m.low <= truth[name] <= m.high

    assert min(held.values()) >= 89  # at 95 % of 100, fewer in one run of a hundred


def test_of_a_calibrated_model_the_fall_of_confidence_foretells_the_accuracy() -> None:
    draw = np.random.default_rng(0)
    sides = []
    for n, sharpness in ((4000, 4.0), (4000, 1.5)):
        confidence, right = shifted(n, sharpness, draw)
        p = np.stack([confidence, 1 - confidence], 1)
        sides.append(Answers(np.zeros(n, np.int64), p, (1 - right).astype(np.int64)))
    found = accuracies(sides[0], sides[1], 0)
    by = {(m.name, m.slice): m for m in found.measures}

    fall = by["accuracy_difference", "data=audited"]
    assert fall.value < -0.05
    error = by["prediction_error", "method=doc"]
    assert error.low < 0 < error.high


def test_where_errors_are_the_uncertain_rows_the_threshold_foretells_the_accuracy_exactly() -> None:
    a, b = np.linspace(0, 1, 101), np.linspace(0, 0.8, 51)
    found = average_thresholded_confidence(a, (a > 0.305).astype(float), b, 0)

    assert found.error("e", "", (b > 0.305).astype(float)).value == pytest.approx(0, abs=1e-12)


def test_decisions_alone_foretell_nothing() -> None:
    one = Answers(np.array([0, 1, 1]), None, np.array([0, 1, 0]))
    found = accuracies(one, one, 0)

    assert [m.name for m in found.measures] == ["accuracy", "accuracy", "accuracy_difference"]
    assert "without probabilities" in found.caveats[0]
