"""Thresholds by group: those that are known by hand, and fairlearn's own predictions."""

from __future__ import annotations

import numpy as np
import pytest
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.linear_model import LinearRegression

from auditor.columns import Labels
from auditor.contingency import MISSING, RATES_OF, Criterion
from auditor.errors import NotApplicable
from auditor.wrapped.cuts import Cuts, cuts_of, leads
from tests import zoo
from tests.wrapped.grouped import apart, skewed
from tests.zoo import Case

GRID = 0.001  # fairlearn's, of rates


def found(case: Case, criterion: Criterion) -> dict[str, Cuts]:
    scores = leads(case.model, case.data, 1)
    return cuts_of(scores, case.data.y == 1, case.data.groups["sex"], criterion)


def chosen(case: Case, criterion: Criterion, strength: float = 1.0) -> dict[str, float]:
    return {g: float(c.at[c.nearest(strength)]) for g, c in found(case, criterion).items()}


def rates(case: Case, predicted: np.ndarray, criterion: Criterion) -> dict[str, np.ndarray]:
    """The rates that a criterion is about, counted row by row."""
    y, sex = case.data.y == 1, np.array(list(case.data.groups["sex"]))
    about = {"selection_rate": np.ones_like(y), "tpr": y, "fpr": ~y}
    return {g: np.array([predicted[about[r] & (sex == g)].mean() for r in RATES_OF[criterion]]) for g in ("f", "m")}


def by_fairlearn(case: Case, criterion: Criterion) -> ThresholdOptimizer:
    """Its optimiser around a regression that gives back the score."""
    x = case.data.read(np.arange(len(case.data)))[:, :1].numpy().astype(float)
    same = LinearRegression().fit(x, x[:, 0])
    names = {"equal_opportunity": "true_positive_rate_parity"}
    optimizer = ThresholdOptimizer(
        estimator=same, constraints=names.get(criterion, criterion), prefit=True, predict_method="predict"
    )
    return optimizer.fit(x, case.data.y, sensitive_features=list(case.data.groups["sex"]))


@pytest.mark.parametrize("criterion", ["equalized_odds", "equal_opportunity"])
def test_thresholds_that_are_always_right_are_found(criterion: Criterion) -> None:
    assert chosen(apart(), criterion) == {"f": -5.0, "m": 3.0}


def test_of_equal_shares_the_larger_group_says_which() -> None:
    """80 men of whom 28 deserve it, 40 women whose scores lie 4 higher: .35 of either is the top 28 and the top 14."""
    score = np.concatenate([np.arange(-9.875, 10, 0.25), np.arange(-5.75, 14, 0.5)])
    sex = np.array(["m"] * 80 + ["f"] * 40)
    found = cuts_of(score, score > np.where(sex == "m", 3, -1), Labels.of(list(sex)), "demographic_parity")

    assert {g: float(c.at[c.nearest(1.0)]) for g, c in found.items()} == {"f": 7.0, "m": 3.0}
    assert {g: (c.n, c.chosen[c.nearest(1.0)]) for g, c in found.items()} == {"f": (40, 14), "m": (80, 28)}


def test_what_every_threshold_does_is_counted() -> None:
    """At 0: of f 20 of 40 are chosen, all right, and 10 are missed; of m 20 are chosen, 6 of them wrongly."""
    both = found(apart(), "equalized_odds")

    for group, tpr, fpr, right in (("f", 20 / 30, 0.0, 30 / 40), ("m", 1.0, 6 / 26, 34 / 40)):
        cuts = both[group]
        assert cuts.at[cuts.plain] == 0 and len(cuts.at) == 41
        assert cuts.rates[cuts.plain].tolist() == pytest.approx([tpr, fpr])
        assert cuts.right[cuts.plain] == right
        assert (cuts.chosen[0], cuts.chosen[-1]) == (40, 0)
        assert (cuts.at[0], cuts.at[-1]) == (-10.75, 10.75)
        assert cuts.drawn.tolist() == pytest.approx([1.0, 0.0]) and cuts.drawn_right == pytest.approx(1.0)


def test_every_prediction_is_that_of_fairlearn_where_it_draws_nothing() -> None:
    case = apart()
    x = case.data.read(np.arange(len(case.data)))[:, :1].numpy().astype(float)
    sex = list(case.data.groups["sex"])
    by_group = chosen(case, "equalized_odds")

    predicted = by_fairlearn(case, "equalized_odds").predict(x, sensitive_features=sex, random_state=0)

    assert predicted.tolist() == [int(v > by_group[g]) for v, g in zip(x[:, 0], sex, strict=True)]


@pytest.mark.parametrize("criterion", [c for c in RATES_OF if c != "equalized_odds"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rates_are_those_of_fairlearn_but_for_a_row(criterion: Criterion, seed: int) -> None:
    """Its predictions are drawn by lot, so that they are averaged over 60 draws."""
    case = skewed(seed=seed)
    x = case.data.read(np.arange(len(case.data)))[:, :1].numpy().astype(float)
    sex, optimizer = list(case.data.groups["sex"]), by_fairlearn(case, criterion)
    drawn = np.mean([optimizer.predict(x, sensitive_features=sex, random_state=s) for s in range(60)], 0)
    theirs = rates(case, drawn, criterion)
    cuts = found(case, criterion)
    by_group = {g: float(c.at[c.nearest(1.0)]) for g, c in cuts.items()}
    ours = rates(case, np.array([v > by_group[g] for v, g in zip(x[:, 0], sex, strict=True)]), criterion)

    for group, c in cuts.items():
        rows = len(x) if criterion == "demographic_parity" else int((case.data.y == 1).sum())
        assert theirs[group] == pytest.approx(c.drawn, abs=0.01)
        assert ours[group] == pytest.approx(c.drawn, abs=0.5 / (rows * 0.2) + GRID)
    gap, plain = (np.abs(r["f"] - r["m"]).max() for r in (ours, rates(case, x[:, 0] > 0, criterion)))
    assert gap < 0.03 < plain - 0.1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_both_rates_at_once_cannot_be_met_without_draws(seed: int) -> None:
    """The gap shrinks; fairlearn's own is 0 on the rows that it saw, which one threshold a group cannot promise."""
    case = skewed(seed=seed)
    score = case.data.read(np.arange(len(case.data)))[:, 0].numpy()
    sex, by_group = list(case.data.groups["sex"]), chosen(case, "equalized_odds")
    ours = rates(case, np.array([v > by_group[g] for v, g in zip(score, sex, strict=True)]), "equalized_odds")
    plain = rates(case, score > 0, "equalized_odds")
    cuts = found(case, "equalized_odds")

    assert np.abs(cuts["f"].drawn - cuts["m"].drawn).max() < 1e-9
    assert 1e-6 < np.abs(ours["f"] - ours["m"]).max() < np.abs(plain["f"] - plain["m"]).max() - 0.1


@pytest.mark.parametrize("criterion", list(RATES_OF))
def test_more_strength_leaves_less_of_the_gap(criterion: Criterion) -> None:
    case = skewed(2000)
    cuts = found(case, criterion)
    gaps = []
    for strength in (0.0, 0.25, 0.5, 0.75, 1.0):
        at = [c.rates[c.nearest(strength)] for c in cuts.values()]
        gaps.append(float(np.abs(at[0] - at[1]).max()))

    for c in cuts.values():
        assert c.rates[c.nearest(0.0)].tolist() == c.rates[c.plain].tolist()
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[2] == pytest.approx((gaps[0] + gaps[4]) / 2, abs=0.02)


def test_a_group_that_gains_nothing_keeps_the_plain_threshold() -> None:
    """Both sexes alike: nothing is to be made equal, and 0 stays 0 although other thresholds do the same."""
    labels = Labels.of(["a", "b"] * 20)
    score = np.repeat(np.arange(-9.5, 10), 2)

    for criterion in RATES_OF:
        found = cuts_of(score, score > 0, labels, criterion)
        assert [c.at[c.nearest(1.0)] for c in found.values()] == [0.0, 0.0]


def test_groups_that_nothing_can_be_found_for_are_left_out() -> None:
    """One without favourable rows, one with nine of them, the missing, and rows without a score."""
    names = ["a"] * 30 + ["b"] * 30 + ["never"] * 30 + ["nine"] * 18 + [MISSING] * 30
    score = np.resize([-1.5, 0.5], len(names)).astype(float)
    y = (score > 0) & (np.array(names) != "never")
    score[::50] = np.nan

    cuts = cuts_of(score, y, Labels.of(names), "demographic_parity")

    assert {g: c.n for g, c in cuts.items()} == {"a": 29, "b": 29}


def test_one_group_alone_is_refused() -> None:
    score = np.arange(-20, 20) + 0.5
    for names in (["a"] * 40, ["a"] * 30 + ["b"] * 10, [MISSING] * 40):
        with pytest.raises(NotApplicable, match="groups have 10 favourable reference rows and 10 others"):
            cuts_of(score, score > 0, Labels.of(names), "demographic_parity")


def test_all_scores_alike_give_no_threshold_between_them() -> None:
    """All or nobody: a share of both groups is out of reach, and said to be so by the rates."""
    labels = Labels.of(["a"] * 40 + ["b"] * 40)
    y = np.arange(80) % 4 == 0

    for value in (0.0, 1e-9, -3.0, 40.0):
        cuts = cuts_of(np.full(80, value), y, labels, "demographic_parity")
        for c in cuts.values():
            assert len(c.at) == 2 and sorted(c.chosen) == [0, 40] and np.isfinite(c.at).all()
            assert c.at[c.plain] == 0


def test_leads_are_over_every_other_class() -> None:
    case = zoo.inplace_relu()
    y = case.model(case.data.read(np.arange(len(case.data)))).detach().numpy()
    scores = leads(case.model, case.data, 1)

    assert scores == pytest.approx(y[:, 1] - np.maximum(y[:, 0], y[:, 2]), abs=1e-6)
    assert ((scores > 0) == (y.argmax(1) == 1)).all()
