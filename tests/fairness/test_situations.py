"""Each row beside its like of the same and of another group: by hand, planted, and where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from auditor.columns import Labels
from auditor.fairness.groups import Groups
from auditor.fairness.situations import disagreements, distances_of, situations
from auditor.stats import interval


def grouped(names: list[str], smallest: int = 2) -> Groups:
    return Groups.of("sex", Labels.of(names), smallest)


def test_by_hand() -> None:
    """Women at 0, 1, 10 and men at 2, 11, 13, nobody to spare: the pools are two others of either group."""
    x = np.array([[0.0], [1.0], [10.0], [2.0], [11.0], [13.0]])
    groups = grouped(["f"] * 3 + ["m"] * 3)
    for seed in range(20):
        women, men = situations(x, groups, seed)
        own = dict(zip(women.rows.tolist(), women.within.tolist(), strict=True))
        assert own == {0: 1, 1: 0, 2: 1}
        assert set(men.across.tolist()) <= {0, 1, 2}
        for s in (women, men):
            assert np.abs(x[s.rows, 0] - x[s.across, 0]) == pytest.approx(s.distance_across)
            assert len(set(s.across.tolist())) <= 2  # as many others as a row has in its own group
    assert distances_of([women])[0] == 1.0


def test_pools_are_as_large_as_the_smaller_group_allows() -> None:
    x = np.random.default_rng(0).normal(size=(400, 2))
    women, men = situations(x, grouped(["f"] * 30 + ["m"] * 370), 0)

    assert len(women.rows) == 30 and set(women.rows.tolist()) == set(range(30))
    assert len(men.rows) == 31
    assert set(men.within.tolist()) <= set(men.rows.tolist())
    assert set(men.across.tolist()) <= set(range(30))


def test_missing_groups_are_nobodys_neighbour() -> None:
    x = np.zeros((30, 1))
    found = situations(x, grouped(["f"] * 10 + ["m"] * 10 + ["(missing)"] * 10), 0)

    assert all(int(places.max()) < 20 for s in found for places in (s.rows, s.within, s.across))


def test_rates_and_what_rows_with_the_same_neighbour_count() -> None:
    """Four rows with neighbours a, a, a and b count as 16 / (9 + 1) = 1.6."""
    x = np.array([[0.0], [0.1], [0.2], [5.0], [0.3], [5.1]])
    groups = grouped(["f"] * 4 + ["m"] * 2)
    (women, _) = situations(x, groups, 0)
    answers = np.array([1, 1, 0, 0, 1, 1])
    same, cross, excess = disagreements([women], answers, "sex=f")
    times = np.bincount(women.across)
    n = len(women.rows)

    assert cross.value == pytest.approx((answers[women.rows] != answers[women.across]).mean())
    assert cross.counts[1] == pytest.approx(n**2 / (times**2).sum())
    assert cross.n == n
    assert excess.value == pytest.approx(cross.value - same.value)
    assert (excess.low, excess.high) == (interval(excess.method, excess.counts).low, interval(
        excess.method, excess.counts).high)  # fmt: skip


def test_an_answer_by_group_is_found() -> None:
    x = np.random.default_rng(0).normal(size=(400, 2))
    names = ["f", "m"] * 200
    same, cross, excess = disagreements(situations(x, grouped(names), 0), np.arange(400) % 2, "sex")

    assert (same.value, cross.value, excess.value) == (0.0, 1.0, 1.0)
    assert excess.low is not None and excess.low > 0.8


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_where_groups_have_nothing_to_do_with_anything_nothing_is_found(share: float) -> None:
    """The interval of the excess lies above 0 in 1 of 40 at most, though one group is a tenth of the rows."""
    above = held = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        x = random.normal(size=(500, 3))
        answers = (x[:, 0] + 0.5 * np.sin(4 * x[:, 1]) > 0).astype(np.int64)
        names = np.where(random.random(500) < share, "f", "m").tolist()
        *_, excess = disagreements(situations(x, grouped(names), seed), answers, "sex")
        above += excess.low > 0
        held += excess.low <= 0 <= excess.high

    assert above / 200 <= 0.025
    assert held / 200 >= 0.95
