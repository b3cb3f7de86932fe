"""More rows of the same kind: what `auditor.stats.enlarged` makes of the counts behind a figure."""

from __future__ import annotations

import pytest

from auditor.stats import enlarged, interval


@pytest.mark.parametrize(
    ("method", "counts"),
    [
        ("wilson", (3, 17)),
        ("student", (20, 1.5, 2.0)),
        ("student-of-sizes", (20, 1.5, 2.0)),
        ("student-of-shares", (20, 0.5, 0.2)),
        ("student-of-correlations", (20, 0.1, 0.4)),
        ("welch", (20, 1.5, 2.0, 30, 1.0, 1.0)),
        ("largest-gap", (3, 17, 9, 20, 5, 30)),
        ("largest-gap-of-means", (20, 1.5, 2.0, 30, 1.0, 1.0)),
        ("largest-gap-of-scores", (8.0, 6.0, 20, 9.0, 7.0, 30)),
        ("largest-gap-of-differences", (3.0, 6.0, 20, -1.0, 7.0, 30)),
        ("largest-of-two-gaps", (2, 3, 17, 9, 20, 8, 17, 9, 20)),
        ("mean-of-two-gaps", (2, 3, 17, 9, 20, 8, 17, 9, 20)),
        ("smaller-of-two-ratios", (2, 3, 17, 9, 20, 8, 17, 9, 20)),
        ("ratio-to-best", (3, 17, 9, 20, 5, 30)),
        ("ks", (0.3, 20, 30)),
        ("ece", (20, 5.0, 8, 30, 20.0, 18)),
    ],
)
def test_more_rows_of_the_same_kind_have_the_same_figure_and_a_narrower_interval(
    method: str, counts: tuple[float, ...]
) -> None:
    i = interval(method, counts)
    more = interval(method, enlarged(method, counts, 100))

    assert more.value == pytest.approx(i.value)
    assert more.high - more.low < (i.high - i.low) / 3
