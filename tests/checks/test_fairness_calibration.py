"""fairness.calibration against hand counts, scikit-learn, and groups whose scores are calibrated by construction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from torch import nn

from auditor.extremes import largest_gap
from auditor.given import Given
from auditor.subject import Data, Model
from auditor.types import Result, Status, Table
from tests import zoo
from tests.checks import predicted
from tests.checks.audited import measures, not_applicable
from tests.shared import SHARED, needs_shared

CHECK = "fairness.calibration"
Numbers = np.ndarray[Any, np.dtype[np.float64]]


def of_classes(probabilities: Any, y: Any, groups: Sequence[str], positive: int | None) -> Result:
    """The result for probabilities (N, C)."""
    p = np.asarray(probabilities, np.float32)
    classes, best = tuple("abcdef"[: p.shape[1]]), p.argmax(1).astype(np.int64)
    data = predicted.answers(best, y, {"g": groups}, classes, positive)
    return predicted.result(replace(data, given=Given(classes, best, p)), CHECK)


def scored(scores: Any, y: Any, *, depth: int = 2, **groups: Any) -> Result:
    """The result for scores (N,) of the favourable class of two."""
    names = {name: [str(g) for g in column] for name, column in groups.items()}
    return predicted.result(predicted.scores(scores, y, names), CHECK, depth=depth)


def table(found: Result, title: str) -> Table:
    return next(t for t in found.tables if t.title == title)


def happened(random: np.random.Generator, chances: Numbers) -> Numbers:
    return (random.random(len(chances)) < chances).astype(float)


# ---- figures -----------------------------------------------------------------------------------------------------
def test_a_hand_count() -> None:
    scores = [0.9, 0.7, 0.2, 0.2, 0.6, 0.6, 0.1, 0.3]
    y = [1, 0, 0, 1, 1, 0, 0, 0]
    found = scored(scores, y, g=list("aaaabbbb"))
    large, ece = measures(found, "calibration_in_the_large"), measures(found, "ece")

    assert large["g=a"].value == pytest.approx(2.0 / 4 - 2 / 4, abs=1e-6)
    assert large["g=b"].value == pytest.approx(1.6 / 4 - 1 / 4, abs=1e-6)
    assert large["g=b"].counts == pytest.approx((0.6, 0.4**2 + 0.6**2 + 0.1**2 + 0.3**2, 4), abs=1e-6)
    # of a the bins of .9, .7 and both .2; of b that of both .6 (of one half), .1 and .3
    assert ece["g=a"].value == pytest.approx((0.1 + 0.7 + 2 * abs(0.2 - 0.5)) / 4, abs=1e-6)
    assert ece["g=b"].value == pytest.approx((2 * 0.1 + 0.1 + 0.3) / 4, abs=1e-6)


@pytest.fixture(scope="module")
def random_case() -> dict[str, Any]:
    random = np.random.default_rng(0)
    n = 4000
    sex, race = random.choice(["f", "m"], n), random.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])
    scores = random.uniform(0.001, 0.999, n)
    y = happened(random, scores**1.5)
    return {"sex": sex, "race": race, "scores": scores, "y": y, "result": scored(scores, y, sex=sex, race=race)}


@pytest.mark.parametrize(("attribute", "group"), [("sex", "f"), ("race", "c")])
def test_the_bins_are_scikit_learns(random_case: dict[str, Any], attribute: str, group: str) -> None:
    c = random_case
    own = c[attribute] == group
    shares, means = calibration_curve(c["y"][own], c["scores"][own], n_bins=15)
    rows = [row for row in table(c["result"], f"Reliability by {attribute}").rows if row[0] == group]

    assert [row[4] for row in rows] == pytest.approx(shares.tolist())
    assert [row[3] for row in rows] == pytest.approx(means.tolist(), abs=1e-6)
    sizes = np.array([float(row[2] or 0) for row in rows])
    expected = float(sizes @ np.abs(shares - means) / own.sum())
    assert measures(c["result"], "ece")[f"{attribute}={group}"].value == pytest.approx(expected, abs=1e-6)
    assert sizes.sum() == own.sum()


def test_crossings_are_measured_as_any_group(random_case: dict[str, Any]) -> None:
    c = random_case
    own = (c["sex"] == "f") & (c["race"] == "b")
    m = measures(c["result"], "calibration_in_the_large")["sex=f&race=b"]

    assert m.value == pytest.approx(float((c["scores"] - c["y"])[own].mean()), abs=1e-6)
    assert m.n == own.sum()
    assert "sex&race" in measures(c["result"], "calibration_in_the_large_difference")
    alone = scored(c["scores"], c["y"], depth=1, sex=c["sex"], race=c["race"])
    assert not any("&race" in m.slice for m in alone.measures)


def test_bands_hold_as_many_rows_each(random_case: dict[str, Any]) -> None:
    rows = table(random_case["result"], "At equal scores, by sex").rows

    assert [row[2] for row in rows] == [800] * 5
    assert [row[0] for row in rows] == [1, 2, 3, 4, 5]
    assert str(rows[0][1]).startswith("0 to 0.") and str(rows[4][1]).endswith(" to 1")


# ---- planted, and not there --------------------------------------------------------------------------------------
def test_calibrated_groups_are_not_held_apart() -> None:
    """Scores of other distributions and base rates, all of them true: an interval leaves out 0 one time in 20."""
    random = np.random.default_rng(3)
    gaps, groups, bands = [], [], []
    for _ in range(40):
        parts = [random.beta(2, 5, 300), random.beta(5, 2, 200), random.beta(1, 9, 60)]
        scores = np.concatenate(parts)
        names = np.repeat(["low", "high", "rare"], [len(p) for p in parts])
        found = scored(scores, happened(random, scores), g=names)
        gaps += [m.low > 0 for m in measures(found, "calibration_in_the_large_difference").values()]
        bands += [m.low > 0 for m in measures(found, "sufficiency_difference").values() if m.value is not None]
        groups += [not m.low <= 0 <= m.high for m in measures(found, "calibration_in_the_large").values()]

    assert len(gaps) == 40 and len(groups) == 120 and len(bands) > 140
    assert sum(gaps) <= 5
    assert np.mean(groups) <= 0.1 and np.mean(bands) <= 0.1


def test_a_group_that_is_promised_too_much_is_found() -> None:
    random = np.random.default_rng(4)
    scores = random.uniform(0.2, 0.9, 3000)
    group = np.repeat(["a", "b", "c"], 1000)
    found = scored(scores, happened(random, scores - 0.15 * (group == "b")), g=group)
    (gap,) = measures(found, "calibration_in_the_large_difference").values()
    large = measures(found, "calibration_in_the_large")

    assert gap.low > 0.05 and gap.low < 0.15 < gap.high
    assert 0 < large["g=b"].low < 0.15 < large["g=b"].high
    assert all(large[f"g={g}"].low < 0 < large[f"g={g}"].high for g in "ac")
    at_equal = table(found, "At equal scores, by g").rows
    assert [row[6] for row in at_equal] == ["b"] * 5
    assert sum(row[4] is not None and float(row[4]) > 0 for row in at_equal) >= 3


def test_groups_are_not_held_apart_for_lying_elsewhere_in_a_band() -> None:
    """Shares alone would: in a band as wide as these, who has the higher scores has the better outcomes."""
    random = np.random.default_rng(5)
    scores = np.concatenate([random.beta(2, 9, 3000), random.beta(9, 2, 3000)])
    group = np.repeat(["low", "high"], 3000)
    y = happened(random, scores)
    found = scored(scores, y, g=group)
    third = (scores > np.quantile(scores, 0.4)) & (scores <= np.quantile(scores, 0.6))
    shares = [v for g in ("low", "high") for v in (y[third & (group == g)].sum(), (third & (group == g)).sum())]

    assert largest_gap(*shares).low > 0
    assert measures(found, "sufficiency_difference")["g&band=3"].low <= 0


def test_scores_that_are_wrong_alike_are_told_from_scores_that_mean_other_things() -> None:
    random = np.random.default_rng(6)
    scores = random.uniform(0, 1, 6000)
    group = np.repeat(["a", "b"], 3000)
    found = scored(scores, happened(random, scores**2), g=group)

    assert all(m.low > 0.1 for m in measures(found, "calibration_in_the_large").values())
    assert all(m.low <= 0 for m in measures(found, "sufficiency_difference").values())


# ---- what little there is ----------------------------------------------------------------------------------------
def test_missing_groups_are_measured_and_not_compared() -> None:
    scores = [0.5] * 40 + [1.0] * 20
    found = scored(scores, [0, 1] * 20 + [0] * 20, g=["a", "b"] * 20 + ["(missing)"] * 20)

    assert measures(found, "calibration_in_the_large")["g=(missing)"].value == 1
    assert measures(found, "calibration_in_the_large_difference")["g"].n == 40


@pytest.mark.parametrize("groups", [["a"] * 40, ["a"] * 35 + ["b"] * 5])
def test_without_two_groups_of_enough_rows_there_is_no_gap(groups: list[str]) -> None:
    found = scored(np.linspace(0.1, 0.9, 40), [0, 1] * 20, g=groups)

    assert measures(found, "calibration_in_the_large_difference")["g"].value is None
    assert "g has fewer than two groups of at least 10 rows to compare." in found.caveats
    assert all(m.value is None for m in measures(found, "sufficiency_difference").values())


def test_a_group_without_positives_and_one_score_for_all_have_figures() -> None:
    found = scored([0.25] * 80, [0] * 40 + [0, 0, 0, 1] * 10, g=["a"] * 40 + ["b"] * 40)
    large, ece = measures(found, "calibration_in_the_large"), measures(found, "ece")

    assert (large["g=a"].value, large["g=b"].value) == pytest.approx((0.25, 0.0))
    assert large["g=a"].low > 0 and large["g=b"].low < 0 < large["g=b"].high
    assert (ece["g=a"].value, ece["g=b"].value) == pytest.approx((0.25, 0.0))
    assert list(measures(found, "sufficiency_difference")) == ["g&band=1"]  # all rows are at equal scores


def test_scores_of_none_and_one_have_a_bin() -> None:
    found = scored([0.0, 1.0] * 20, [0, 1] * 20, g=["a", "b", "b", "a"] * 10)

    assert all(m.value == 0 for m in measures(found, "ece").values())
    assert {row[1] for row in table(found, "Reliability by g").rows} == {"0.00 to 0.07", "0.93 to 1.00"}


def test_of_very_many_groups_the_largest_are_measured() -> None:
    names = [f"g{i:02}" for i in range(60) for _ in range(10 + i)]
    found = scored(np.full(len(names), 0.5), np.arange(len(names)) % 2, g=names)

    assert set(measures(found, "ece")) == {f"g=g{i:02}" for i in range(10, 60)}
    assert "By g, of 60 groups the 50 largest are measured." in found.caveats
    assert len({row[0] for row in table(found, "Reliability by g").rows}) == 12


def test_many_differences_are_said_to_be_many() -> None:
    random = np.random.default_rng(7)
    groups = {name: random.choice(["x", "y"], 800) for name in "abc"}
    found = scored(scores := random.uniform(0, 1, 800), happened(random, scores), **groups)

    assert found.caveats[-1].startswith("36 differences are measured: where groups do not differ, about 1 ")


# ---- whose probability it is -------------------------------------------------------------------------------------
def test_without_a_favourable_class_it_is_that_of_the_predicted_one() -> None:
    p = np.array([[0.7, 0.2, 0.1]] * 20 + [[0.1, 0.3, 0.6]] * 20)
    y = [0] * 10 + [1] * 10 + [2] * 20
    found = of_classes(p, y, ["a"] * 20 + ["b"] * 20, None)
    large = measures(found, "calibration_in_the_large")

    assert (large["g=a"].value, large["g=b"].value) == pytest.approx((0.7 - 0.5, 0.6 - 1.0), abs=1e-6)
    assert "the probability of the predicted class" in found.caveats[0]
    assert "share right" in table(found, "Calibration by g").columns


def test_of_several_classes_the_favourable_one_is_taken() -> None:
    p = np.array([[0.7, 0.2, 0.1]] * 40)
    found = of_classes(p, [2] * 10 + [0] * 30, ["a", "b"] * 20, 2)

    assert measures(found, "calibration_in_the_large")["g=a"].value == pytest.approx(0.1 - 0.25, abs=1e-6)


def test_decisions_alone_are_no_probabilities() -> None:
    found = predicted.outcome(predicted.answers([0] * 20, [0] * 20, {"g": ["a", "b"] * 10}), CHECK)

    assert found.status is Status.NOT_APPLICABLE
    assert found.reason.startswith("the predictions are decisions or plain scores, not probabilities")


def test_what_it_does_not_apply_to() -> None:
    case = zoo.linear_table()
    without = Data(case.data.read, case.data.y, case.data.row_ids)
    values = Model(nn.Linear(3, 1), (), output="value")

    assert not_applicable(zoo.Case(case.model, without), CHECK) == "the audit file names no sensitive columns"
    assert "not classes" in not_applicable(zoo.Case(values, replace(case.data, y=case.data.y.astype(float))), CHECK)
    rejecting = replace(case.model, rejects=True)
    assert "may reject a row" in not_applicable(zoo.Case(rejecting, case.data), CHECK)


# ---- real scores -------------------------------------------------------------------------------------------------
@needs_shared
def test_a_recidivism_score_promises_women_less_than_comes_and_men_more() -> None:
    """COMPAS deciles as the share of all who did not reoffend; the filter is that of ProPublica (6,172 rows)."""
    rows = pd.read_csv(SHARED / "tabular" / "compas-scores-two-years.csv", low_memory=False)
    kept = rows[rows.days_b_screening_arrest.between(-30, 30) & (rows.is_recid != -1) & (rows.c_charge_degree != "O")]
    stayed = 1 - kept.two_year_recid
    score = stayed.groupby(kept.decile_score).transform("mean")
    black_or_white = kept.race.where(kept.race.isin(["African-American", "Caucasian"]), "(missing)")
    found = scored(score, stayed, depth=1, sex=kept.sex, race=black_or_white)
    gaps = measures(found, "calibration_in_the_large_difference")

    assert len(kept) == 6172
    women, men = (kept.sex == "Female"), (kept.sex == "Male")
    expected = (score - stayed)[men].mean() - (score - stayed)[women].mean()
    assert gaps["sex"].value == pytest.approx(expected, abs=1e-6)
    assert gaps["sex"].low > 0.05 and gaps["race"].low < 0.02
    assert all(m.low > 0 for m in measures(found, "sufficiency_difference").values() if m.slice.startswith("sex&"))
