"""The area under the ROC curve: against scikit-learn, a count by hand, and simulated truth."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from auditor.outliers.auroc import area, auroc, auroc_fall, effective, fpr_at, paired_auroc, placements
from auditor.stats import interval, tails

Z = NormalDist()


def drawn(seed: int, m: int = 40, n: int = 25) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many that are equal."""
    random = np.random.default_rng(seed)
    return random.normal(1, 1, m).round(1), random.normal(0, 1, n).round(1)


# ---- the figures -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_that_of_scikit_learn_and_of_a_count_of_pairs(seed: int) -> None:
    from sklearn.metrics import roc_auc_score

    x, y = drawn(seed)
    pairs = (x[:, None] > y).mean() + 0.5 * (x[:, None] == y).mean()

    assert area(x, y) == pytest.approx(pairs, abs=1e-12)
    assert area(x, y) == pytest.approx(roc_auc_score([1] * len(x) + [0] * len(y), [*x, *y]), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_what_passes_is_that_of_scikit_learns_curve(seed: int) -> None:
    from sklearn.metrics import roc_curve

    x, y = drawn(seed)
    fpr, tpr, _ = roc_curve([1] * len(x) + [0] * len(y), [*x, *y], drop_intermediate=False)

    assert fpr_at("fpr95", x, y).value == pytest.approx(fpr[tpr >= 0.95 - 1e-12][0], abs=1e-12)


def test_placements_are_counts() -> None:
    x, y = drawn(7, 12, 9)
    above, below = placements(x, y)

    assert above == pytest.approx([((v > y) + 0.5 * (v == y)).mean() for v in x])
    assert below == pytest.approx([((x > v) + 0.5 * (x == v)).mean() for v in y])


def test_a_variance_by_hand() -> None:
    """Inside 3, 2, 1 and foreign 2.5, 0: placements 1, 1/2, 1/2 and 1/3, 1, so that
    S10 = 1/12, S01 = 2/9, and the variance is 1/36 + 1/9 = 5/36 (DeLong et al. 1988, equation 7).
    """
    x, y = np.array([3.0, 2.0, 1.0]), np.array([2.5, 0.0])
    above, below = placements(x, y)

    assert area(x, y) == pytest.approx(2 / 3)
    assert above.var(ddof=1) / 3 + below.var(ddof=1) / 2 == pytest.approx(5 / 36)
    assert effective(2 / 3, 5 / 36, 3, 2) == 2  # 1.6 would be fewer than there are


def test_pairs_that_are_alike_are_known_better_than_strangers() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=60)
    y = x - 0.5 + 0.1 * random.normal(size=60)
    paired, apart = paired_auroc("auroc", x, y), auroc("auroc", x, y)

    assert paired.value == apart.value
    assert paired.high - paired.low <= apart.high - apart.low


# ---- intervals ---------------------------------------------------------------------------------------------------
def truth(a: float) -> tuple[float, float]:
    """How far normal scores lie apart that have area `a`, and what then passes where 95 % must."""
    away = 2**0.5 * Z.inv_cdf(a)
    return away, 1 - Z.cdf(Z.inv_cdf(0.05) + away)


@pytest.mark.parametrize(("m", "n"), [(16, 16), (48, 48), (200, 50)])
@pytest.mark.parametrize("a", [0.5, 0.8, 0.95, 0.99])
def test_intervals_hold_the_truth_as_often_as_they_say(m: int, n: int, a: float) -> None:
    random, (away, passing) = np.random.default_rng(1), truth(a)
    held = np.zeros(2)
    for _ in range(300):
        x, y = random.normal(away, 1, m), random.normal(0, 1, n)
        area_, error = auroc("auroc", x, y), fpr_at("fpr95", x, y)
        held += area_.low <= a <= area_.high, error.low <= passing <= error.high

    assert (held / 300 >= 0.92).all()  # .95 less what 300 draws leave open


def test_intervals_of_pairs_hold_the_truth() -> None:
    random, held = np.random.default_rng(2), 0
    away, _ = truth(0.8)
    for _ in range(300):
        x = random.normal(size=40)
        y = 0.6 * x + 0.8 * random.normal(size=40) - away
        m = paired_auroc("auroc", x, y)
        held += m.low <= 0.8 <= m.high

    assert held / 300 >= 0.92


def test_an_area_of_one_has_an_interval_and_can_be_judged() -> None:
    m = auroc("auroc", np.arange(20) + 100.0, np.arange(30.0))

    assert (m.value, m.high) == (1.0, 1.0)
    assert m.low == pytest.approx(20 / (20 + Z.inv_cdf(0.975) ** 2))  # Wilson's for 20 of 20
    assert tails(m.method, m.counts, 0.7)[0] < 0.05 < tails(m.method, m.counts, 0.99)[0]
    assert interval(m.method, m.counts, 0.95).low == m.low


def test_a_fall_is_the_difference_and_its_sign() -> None:
    x, y = drawn(3, 60, 60)
    before, after = auroc("auroc", x, y - 2), auroc("auroc", x, y + 2)
    fall = auroc_fall(before, after, slice="s")

    assert fall.value == pytest.approx(before.value - after.value)
    assert fall.low > 0.2
    none = auroc_fall(before, before, slice="s")
    assert none.value == 0 and none.low < 0 < none.high


def test_measures_can_be_recomputed_from_their_counts() -> None:
    x, y = drawn(4)
    first, second = auroc("auroc", x, y), paired_auroc("auroc", x[:25], y)
    for m in (first, second, fpr_at("fpr95", x, y), auroc_fall(first, second, slice="")):
        again = interval(m.method, m.counts)

        assert (m.value, m.low, m.high) == (again.value, again.low, again.high)


# ---- what has no figure ------------------------------------------------------------------------------------------
def test_without_rows_of_both_kinds_there_is_no_figure() -> None:
    for x, y in (([], [1.0]), ([1.0], []), ([], [])):
        for m in (auroc("a", np.array(x), np.array(y)), fpr_at("f", np.array(x), np.array(y))):
            assert (m.value, m.low, m.high) == (None, None, None)
    assert paired_auroc("a", np.array([]), np.array([])).value is None
    assert auroc_fall(*[paired_auroc("a", np.array([]), np.array([]))] * 2, slice="").value is None


def test_one_row_of_each_says_next_to_nothing() -> None:
    m = auroc("a", np.array([1.0]), np.array([0.0]))

    assert m.value == 1 and m.high - m.low > 0.7


def test_scores_that_are_all_the_same_tell_nothing() -> None:
    m = auroc("a", np.ones(30), np.ones(30))

    assert m.value == 0.5 and m.low < 0.4
    assert fpr_at("f", np.ones(30), np.ones(30)).value == 1
