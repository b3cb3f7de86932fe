"""Scales of small pictures end where their figures do."""

from __future__ import annotations

import math

import pytest

from auditor.stats import mean_share, rate, ratio
from auditor.types import Bound, Measure, Status
from reports.findings import picture
from reports.scale import reach_of, span


@pytest.mark.parametrize(
    ("method", "ends", "expected"),
    [
        ("mover-r", [0.05, 0.3, 0.8], (0.0, 1.2)),
        ("wilson", [0.9, 0.95, 0.99], (0.8, 1.0)),
        ("student-of-shares", [0.91, 1.0], (0.8, 1.0)),
        ("student-of-sizes", [0.0, 5.0], (0.0, 7.5)),
        ("student-of-correlations", [-0.95, 1.0], (-1.0, 1.0)),
        ("newcombe", [-0.05, 0.1], (-0.2, 0.2)),
        ("student", [0.05, 0.3], (-0.1, 0.5)),
        ("wilson", [0.5, 1.2], (0.1, 1.2)),  # a limit beyond what the figure can be is still on it
    ],
)
def test_a_scale_has_room_and_no_more_than_the_figure_can_be(
    method: str, ends: list[float], expected: tuple[float, float]
) -> None:
    assert span(ends, reach_of(method)) == pytest.approx(expected)


def test_what_has_no_method_may_be_anything() -> None:
    assert reach_of("student") == reach_of("") == (-math.inf, math.inf)


@pytest.mark.parametrize(
    "m", [ratio("impact_ratio", (2, 40), (20, 40)), rate("accuracy", 1, 40), mean_share("consensus", [0.0] * 8 + [0.3])]
)
def test_no_picture_of_a_ratio_or_a_share_begins_below_0(m: Measure) -> None:
    drawn = picture(m, Status.FAIL, Bound("fail", "below", 0.8))

    assert ">0<" in drawn
    assert ">-" not in drawn
