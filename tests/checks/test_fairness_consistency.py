"""fairness.consistency: Zemel's figure by hand, planted and absent differences, steepness, what it cannot say."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import nn

from auditor.columns import Column, Labels
from auditor.contingency import MISSING
from auditor.given import Given
from auditor.registry import CHECKS, Context
from auditor.scores import score_key
from tests import zoo
from tests.checks.audited import arrays_of, measures, not_applicable, result_of
from tests.checks.tables import classifier, normal, regression
from tests.fairness.adult import adult
from tests.shared import needs_shared

CHECK = "fairness.consistency"
FLAG = (Column("sex", 0, 1, "flag"), Column("a", 1, 2), Column("b", 2, 3))


def grouped(case: zoo.Case, names: list[str]) -> zoo.Case:
    return zoo.Case(case.model, replace(case.data, groups={"sex": Labels.of(names)}))


def by_sex(weight: float, rows: int = 400, seed: int = 0) -> zoo.Case:
    """Two columns that have nothing to do with sex, which counts `weight` in the answer."""
    sex = ["f", "m"] * (rows // 2)
    x = torch.cat([torch.tensor([float(s == "m") for s in sex])[:, None], normal(rows, 2, seed)], 1)
    return grouped(classifier(lambda x: weight * (x[:, 0] - 0.5) + x[:, 1], x, FLAG), sex)


def test_consistency_is_zemels() -> None:
    """1 - mean |y - mean of y over the 5 nearest|, as aif360 writes it, without the row among its own neighbours."""
    x = normal(150, 3)
    case = grouped(classifier(lambda x: x[:, 0] * x[:, 1] + x[:, 2], x), ["f", "m", "m"] * 50)
    y = case.model(x).argmax(1).numpy()
    standard = (x - x.mean(0)) / x.std(0, unbiased=False)
    near = NearestNeighbors(n_neighbors=5).fit(standard.numpy()).kneighbors(return_distance=False)
    rows = 1 - np.abs(y - y[near].mean(1))
    found = measures(result_of(case, CHECK), "consistency")
    women = np.arange(150) % 3 == 0

    assert found[""].value == pytest.approx(rows.mean())
    assert found["sex=f"].value == pytest.approx(rows[women].mean())
    assert found["sex=m"].value == pytest.approx(rows[~women].mean())
    assert (found[""].n, found["sex=f"].n) == (150, 50)


def test_neighbours_can_be_fewer() -> None:
    """On a line of answers 0 0 0 1 1 1 the two rows at the turn have one nearest neighbour each, of their own side."""
    x = torch.tensor([[0.0], [1.0], [2.1], [4.0], [5.1], [6.0]])
    case = grouped(classifier(lambda x: x[:, 0] - 3, x), ["f", "m"] * 3)

    assert measures(result_of(case, CHECK, neighbours=1), "consistency")[""].value == 1.0
    assert measures(result_of(case, CHECK, neighbours=3), "consistency")[""].value == pytest.approx(12 / 18)


def test_by_chance_is_what_random_answers_reach() -> None:
    x = normal(100, 2)
    x[:, 0] = torch.cat([torch.full((30,), -1.0), torch.full((70,), 1.0)])
    case = grouped(classifier(lambda x: x[:, 0], x), ["f", "m"] * 50)

    assert measures(result_of(case, CHECK), "consistency_by_chance")[""].value == pytest.approx(0.3**2 + 0.7**2)


def test_an_answer_by_sex_is_found_across_groups_and_not_within() -> None:
    result = result_of(by_sex(50.0), CHECK)
    same, cross, excess = (
        measures(result, name) for name in ("same_group_disagreement", "cross_group_disagreement", "cross_group_excess")
    )

    assert same["sex"].value == 0.0
    assert cross["sex"].value == 1.0
    assert excess["sex"].low > 0.8
    assert list(excess) == ["sex", "sex=f", "sex=m"]
    every, women, men = result.tables[0].rows
    assert women[10:12] == (0.0, 1.0) and men[10:12] == (1.0, 0.0)  # it is always the man who is favoured
    assert any("do not count in what is alike: sex" in c for c in result.caveats)
    assert every[-1] == 400


def test_where_sex_does_not_count_nothing_is_found() -> None:
    """Of 20 draws one interval of the excess lies above 0 at most."""
    found = [measures(result_of(by_sex(0.0, 200, seed), CHECK), "cross_group_excess")["sex"] for seed in range(20)]

    assert sum(m.low > 0 for m in found) <= 1
    assert np.mean([m.value for m in found]) == pytest.approx(0.0, abs=0.02)


def test_groups_that_lie_apart_are_said_to() -> None:
    x = normal(200, 2)
    x[::2, 1] += 6.0
    result = result_of(grouped(classifier(lambda x: x[:, 0], x), ["f", "m"] * 100), CHECK)

    assert any(c.startswith("By sex, the nearest row of another group lies") for c in result.caveats)
    assert not any(c.startswith("By sex") for c in result_of(by_sex(0.0), CHECK).caveats)


def test_steepness_is_that_of_the_pairs() -> None:
    x = normal(60, 1)
    case = grouped(classifier(lambda x: 3 * x[:, 0], x), ["f", "m"] * 30)
    p = case.model(x).softmax(1)[:, 1].double().numpy()
    standard = ((x - x.mean()) / x.std(unbiased=False)).double().numpy()[:, 0]
    ratios = []
    for i in range(60):
        away = np.abs(standard - standard[i])
        ratios += [abs(p[i] - p[j]) / away[j] for j in np.argsort(away)[1:6]]
    result = result_of(case, CHECK)

    assert measures(result, "lipschitz_largest")[""].value == pytest.approx(max(ratios), rel=1e-4)
    assert measures(result, "lipschitz_95")[""].value == pytest.approx(sorted(ratios)[284], rel=1e-4)


def test_rows_that_differ_in_sex_alone_and_in_their_score_have_no_steepness() -> None:
    pairs = normal(50, 2).repeat_interleave(2, 0)
    x = torch.cat([torch.tensor([0.0, 1.0] * 50)[:, None], pairs], 1)
    result = result_of(grouped(classifier(lambda x: x[:, 0] + x[:, 1], x, FLAG), ["f", "m"] * 50), CHECK)

    assert measures(result, "lipschitz_largest")[""].value is None
    assert any(
        c.startswith("100 rows have a neighbour that is the same in all that counts here") for c in result.caveats
    )


def test_one_answer_for_all_is_said() -> None:
    result = result_of(grouped(classifier(lambda x: 0 * x[:, 0] + 1, normal(60, 2)), ["f", "m"] * 30), CHECK)

    assert measures(result, "consistency")[""].value == 1.0 == measures(result, "consistency_by_chance")[""].value
    assert measures(result, "cross_group_excess")["sex"].value == 0.0
    assert "Every row gets the same answer, so that all rows agree, whatever they are." in result.caveats


def test_missing_small_and_single_groups() -> None:
    x = normal(60, 2)
    case = classifier(lambda x: x[:, 0], x)
    some = result_of(grouped(case, ["f"] * 25 + ["m"] * 25 + ["x"] * 4 + [MISSING] * 6), CHECK)
    one = result_of(grouped(case, ["f"] * 60), CHECK)

    assert set(measures(some, "consistency")) == {"", "sex=f", "sex=m"}
    assert any(c.endswith("not compared by themselves: x (4).") for c in some.caveats)
    assert measures(one, "cross_group_excess")["sex"].value is None
    assert "sex has one group only: there is nothing to compare." in one.caveats


def test_as_many_rows_are_taken_as_asked_for() -> None:
    assert measures(result_of(by_sex(1.0), CHECK, samples=100), "consistency")[""].n == 100
    assert measures(result_of(by_sex(1.0), CHECK, samples=0), "consistency")[""].n == 400


def test_more_than_two_classes_agree_by_class() -> None:
    case = zoo.case(nn.Linear(4, 3), normal(48, 4), 3)
    result = result_of(case, CHECK)

    assert measures(result, "consistency")[""].n == 48
    assert result.tables[0].rows[0][10:12] == (None, None)  # nobody is favoured


def test_rows_that_are_not_finite_are_left_out_and_said() -> None:
    x = normal(60, 2)
    x[40, 1] = math.nan
    case = grouped(classifier(lambda x: x[:, 0], x), ["f", "m"] * 30)
    result = CHECKS[CHECK].run(Context(case.model, case.data), samples=0)

    assert measures(result, "consistency")[""].n == 59
    assert "1 of 60 rows hold or give NaN or infinity and are left out." in result.caveats


def test_what_each_row_counts_is_kept_so_that_two_audits_can_be_paired() -> None:
    case = by_sex(1.0)
    kept = arrays_of(case.model, case.data, CHECK)
    whole = kept[f"{CHECK}/{score_key('consistency', '')}"]
    women = kept[f"{CHECK}/{score_key('consistency', 'sex=f')}"]
    found = measures(result_of(case, CHECK), "consistency")

    assert whole.mean() == pytest.approx(found[""].value, abs=1e-6)
    assert np.nanmean(women) == pytest.approx(found["sex=f"].value, abs=1e-6)
    assert int(np.isfinite(women).sum()) == 200


def still() -> zoo.Case:
    """Sex is all that varies."""
    x = torch.cat([torch.tensor([0.0, 1.0] * 20)[:, None], torch.ones(40, 2)], 1)
    return grouped(classifier(lambda x: x[:, 0] - 0.5, x, FLAG), ["f", "m"] * 20)


def given() -> zoo.Case:
    case = by_sex(1.0)
    return zoo.Case(None, replace(case.data, given=Given(("no", "yes"), np.zeros(400, np.int64), None)))


def few() -> zoo.Case:
    return grouped(classifier(lambda x: x[:, 0], normal(6, 2)), ["f", "m"] * 3)


def value() -> zoo.Case:
    return grouped(regression(lambda x: x[:, 0], normal(20, 2)), ["f", "m"] * 10)


NOT: list[tuple[Callable[[], zoo.Case], str]] = [
    (zoo.inplace_relu, "the inputs are images; this is about rows of columns"),
    (zoo.texts, "the inputs are texts; this is about rows of columns"),
    (value, "the model returns a value, not classes"),
    (given, "the audit has predictions only, and their table has no other columns"),
    (few, "6 rows can be used; 5 neighbours need at least 7"),
    (still, "no column is left to say which rows are alike: every input that varies is a sensitive column"),
    (lambda: classifier(lambda x: x[:, 0], normal(20, 2)), "the audit file names no sensitive columns"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "why"), NOT)
def test_it_does_not_apply(case: Callable[[], zoo.Case], why: str) -> None:
    assert not_applicable(case(), CHECK) == why


def test_the_order_of_the_rows_does_not_decide_between_equals() -> None:
    """Rows sorted by answer, all equal in what counts: neighbours are drawn, so that both groups disagree as often."""
    x = torch.cat([torch.tensor([0.0] * 100 + [1.0] * 100)[:, None], torch.zeros(200, 1)], 1)
    x[:2, 1] = torch.tensor([1e-3, -1e-3])
    columns = (Column("hidden", 0, 1, "flag"), Column("a", 1, 2))
    case = classifier(lambda x: x[:, 0] - 0.5, x, columns)
    data = replace(case.data, groups={"hidden": Labels.of(["f", "m"] * 100)})
    m = measures(result_of(zoo.Case(case.model, data), CHECK), "cross_group_excess")["hidden"]

    assert m.low <= 0 <= m.high


@needs_shared
def test_alike_people_in_adult_get_the_same_answer() -> None:
    result = result_of(adult(4000), CHECK, samples=2000)
    found, chance = measures(result, "consistency"), measures(result, "consistency_by_chance")[""].value

    assert chance < 0.75
    assert found[""].low > 0.88
    assert found["sex=Female"].low > found["sex=Male"].high  # nearly all of the women are told the same
    assert any(c.startswith("By sex, the nearest row of another group lies") for c in result.caveats)
