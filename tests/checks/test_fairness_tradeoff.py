"""fairness.tradeoff: figures are those of a count by hand, a planted gap closes at its known price, none is opened."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from auditor.columns import Labels
from auditor.contingency import RATES_OF
from auditor.intervals import newcombe
from auditor.subject import Data
from auditor.wrapped.wrapping import Wrapping, wrapped
from tests import zoo
from tests.checks.audited import measures, not_applicable, outcome_of, result_of
from tests.wrapped.grouped import apart, by_score, skewed
from tests.zoo import Case

CHECK = "fairness.tradeoff"
GAPS = {f"{criterion}_difference": criterion for criterion in RATES_OF}
DP, EO, ODDS = GAPS


def slice_of(gap: str, strength: float, attribute: str = "sex") -> str:
    return f"{attribute}&criterion={GAPS[gap]}&strength={strength:g}"


def moved(case: Case) -> Data:
    """The same rows a little elsewhere, so that none of them is an audited one."""
    read = case.data.read
    return replace(case.data, read=lambda rows: read(rows) + torch.tensor([1e-4, 0.0]), positive=None)


def test_a_gap_that_thresholds_close_at_no_cost_is_seen_to() -> None:
    """Thresholds of -5 and 3 are always right; at 0 f loses 10 of 30 who deserve it, of m 6 of 26 get it wrongly."""
    case = apart()
    result = result_of(case, CHECK, moved(case))
    accuracy, odds, tpr = (measures(result, name) for name in ("accuracy", ODDS, EO))

    assert accuracy[slice_of(ODDS, 0)].counts == (64, 80)
    assert odds[slice_of(ODDS, 0)].value == pytest.approx(10 / 30)
    assert tpr[slice_of(EO, 0)].value == pytest.approx(10 / 30)
    assert accuracy[slice_of(ODDS, 1)].counts == accuracy[slice_of(EO, 1)].counts == (80, 80)
    assert odds[slice_of(ODDS, 1)].value == tpr[slice_of(EO, 1)].value == 0.0


def test_at_strength_none_figures_are_those_of_the_model_as_it_is() -> None:
    case = skewed(600, seed=1)
    result = result_of(case, CHECK, skewed(600, seed=2).data)
    groups = result_of(case, "fairness.groups")
    (right,) = [m for m in result_of(case, "performance.accuracy").measures if (m.name, m.slice) == ("accuracy", "")]

    for gap in GAPS:
        assert measures(result, "accuracy")[slice_of(gap, 0)].counts == right.counts
        assert measures(result, gap)[slice_of(gap, 0)].value == pytest.approx(measures(groups, gap)["sex"].value)


def test_two_groups_have_the_interval_of_their_difference() -> None:
    result = result_of(apart(), CHECK, moved(apart()))
    m = measures(result, EO)[slice_of(EO, 0)]
    i = newcombe(14, 14, 20, 30)

    assert (m.method, m.n, m.better) == ("largest-gap", 44, "lower")
    assert (m.low, m.high) == pytest.approx((i.low, i.high))


def test_every_figure_is_counted_by_a_loop() -> None:
    """Each strength answers as the wrapper with the thresholds of its table does."""
    case, reference = skewed(500, seed=3), skewed(700, seed=4).data
    result = result_of(case, CHECK, reference, strengths=[0.5, 1.0])
    (table,) = result.tables
    sex, x = np.array(list(case.data.groups["sex"])), case.data.read(np.arange(500))
    score = case.model(x).detach().numpy()[:, 1]
    assert table.columns == ("made equal", "strength", "accuracy", "gap", "threshold of f", "threshold of m")
    assert len(table.rows) == 9

    for criterion, strength, accuracy, gap, f, m in table.rows:
        probability = 1 / (1 + np.exp(-score))
        chosen = probability > np.where(sex == "f", f, m)
        name = next(g for g, c in GAPS.items() if c == criterion)
        about = {DP: [np.full(500, True)], EO: [case.data.y == 1], ODDS: [case.data.y == 1, case.data.y == 0]}[name]
        gaps = [abs(chosen[rows & (sex == "f")].mean() - chosen[rows & (sex == "m")].mean()) for rows in about]
        assert accuracy == pytest.approx((chosen == case.data.y).mean())
        assert gap == pytest.approx(max(gaps))
        assert measures(result, name)[slice_of(name, strength)].value == pytest.approx(max(gaps))


@pytest.mark.parametrize("gap", list(GAPS))
def test_a_planted_gap_is_narrower_the_further_thresholds_go(gap: str) -> None:
    case, reference = skewed(4000, seed=5), skewed(4000, seed=6).data
    found = measures(result_of(case, CHECK, reference), gap)
    ways = [found[slice_of(gap, s)] for s in (0, 0.25, 0.5, 0.75, 1)]

    assert ways[0].low > 0.15
    assert all(b.value < a.value for a, b in pairwise(ways))
    assert ways[-1].high < ways[0].low / 2


def test_where_groups_are_alike_nothing_is_closed_and_nothing_is_lost() -> None:
    case, reference = (by_score(s, s > 0, ["f", "m"] * 300) for s in np.random.default_rng(0).normal(size=(2, 600)))
    result = result_of(case, CHECK, reference.data)
    found = measures(result, DP)

    assert all(m.low <= 0 <= m.high for m in found.values())
    assert measures(result, "accuracy")[slice_of(DP, 1)].value > 0.97


def test_other_classes_than_the_favourable_keep_their_order() -> None:
    """Three classes, the last one favourable: a row that loses it goes to the better of the others."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(600, 3, generator=generator)
    head = torch.nn.Linear(3, 3)
    head.weight.data, head.bias.data = torch.eye(3) * 3, torch.zeros(3)
    sex = ["f", "m"] * 300
    x[1::2, 2] += 1.0
    y = (x + torch.randn(600, 3, generator=generator)).argmax(1)
    model = zoo.Model(head, ("a", "b", "c"), bounds=(torch.full((3,), -9.0), torch.full((3,), 9.0)))
    columns = tuple(zoo.Column(n, i, i + 1) for i, n in enumerate("xyz"))
    whole = Data.of(x, y, {"sex": sex}, columns=columns, positive=2)
    case = Case(model, whole.at(np.arange(300)))
    result = result_of(case, CHECK, whole.at(np.arange(300, 600)))
    (table,) = result.tables
    row = next(r for r in table.rows if r[:2] == ("demographic_parity", 1.0))
    leads = [float(np.log(p / (1 - p))) for p in row[4:]]
    around = Wrapping(
        "group_thresholds", {"attribute": "sex", "groups": ["f", "m"], "thresholds": leads, "positive": 2}
    )
    member = torch.tensor([[1.0, 0.0], [0.0, 1.0]] * 150)
    with torch.no_grad():
        answers = wrapped(model, around)(torch.cat([x[:300], member], 1)).argmax(1)

    assert row[2] == pytest.approx(float((answers == y[:300]).float().mean()), abs=1e-6)
    assert len(answers.unique()) == 3


# ---- what is left out, and what it does not apply to ---------------------------------------------------------------
def test_audited_rows_are_not_fitted_on() -> None:
    case = skewed(600)
    both = Data.of(
        torch.cat([case.data.read(np.arange(600)), skewed(600, seed=9).data.read(np.arange(600))]),
        torch.tensor(np.concatenate([case.data.y, skewed(600, seed=9).data.y])),
        {"sex": [*case.data.groups["sex"], *skewed(600, seed=9).data.groups["sex"]]},
        columns=case.data.columns,
    )
    found, alone = (result_of(case, CHECK, r, samples=0) for r in (both, skewed(600, seed=9).data))

    assert found.measures == alone.measures
    assert "600 of 1,200 reference rows have the very inputs of audited rows; they are left out." in found.caveats
    assert "has 0 rows to train on" in outcome_of(case, CHECK, case.data).reason


def test_groups_without_thresholds_are_counted_and_attributes_without_groups_named() -> None:
    case, other = skewed(400, seed=1), skewed(400, seed=2)
    sex = Labels.of([*list(case.data.groups["sex"])[:-2], "x", "(missing)"])
    groups = {"sex": sex, "race": Labels.of(["a", "b"] * 200), "age": Labels.of(["y", "o"] * 200)}
    known = {"sex": other.data.groups["sex"], "age": Labels.of(["y"] * 400)}
    result = result_of(Case(case.model, replace(case.data, groups=groups)), CHECK, replace(other.data, groups=known))

    assert {m.slice.partition("&")[0] for m in result.measures} == {"sex"}
    assert "2 of 400 rows have a sex that no threshold was found for: they keep the plain one." in result.caveats
    assert "race: the reference has no such column, so that no thresholds can be found for it." in result.caveats
    assert any(c.startswith("age: 1 of 1 groups have 10 favourable reference rows") for c in result.caveats)


def test_a_gap_of_too_few_rows_is_not_known() -> None:
    case = apart()
    result = result_of(case, CHECK, moved(case), smallest_group=15)

    assert measures(result, DP)[slice_of(DP, 0)].value is not None
    assert measures(result, EO)[slice_of(EO, 0)].value is None  # m has 14 who deserve it
    assert measures(result, "accuracy")[slice_of(EO, 0)].value == 0.8


def test_constant_answers_have_no_way_to_go() -> None:
    """Every score the same: thresholds give all or none of it to a group, and figures are still counts."""
    case = apart()
    still = Case(case.model, replace(case.data, read=lambda rows: torch.full((len(rows), 2), 0.3)))
    result = result_of(
        still, CHECK, replace(moved(case), read=lambda rows: torch.full((len(rows), 2), 0.2)), smallest_group=5
    )

    for gap in GAPS:
        for strength in (0, 1):
            assert measures(result, gap)[slice_of(gap, strength)].value in (0.0, 1.0)


def test_what_it_does_not_apply_to() -> None:
    case, values = skewed(100), zoo.linear_table()
    regression = Case(replace(values.model, output="value", module=torch.nn.Linear(3, 1)), values.data)

    assert "names no sensitive columns" in not_applicable(Case(case.model, replace(case.data, groups={})), CHECK)
    assert "returns a value, not classes" in not_applicable(regression, CHECK)
    assert "there are no reference rows" in not_applicable(case, CHECK)
    assert "no class is favourable" in not_applicable(Case(case.model, replace(case.data, positive=None)), CHECK)
    reason = outcome_of(case, CHECK, replace(moved(case), groups={})).reason
    assert reason == "sex: the reference has no such column, so that no thresholds can be found for it"
