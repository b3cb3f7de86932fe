"""fairness.proxies: a planted proxy, the attribute itself, nothing, and what cannot be told."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.audit import run
from auditor.columns import Column, Labels
from auditor.contingency import MISSING
from auditor.given import Given
from auditor.registry import CHECKS, Context
from auditor.selection import Selection
from auditor.subject import Data, Model
from auditor.types import Limit, Measure, Policy, Result
from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of
from tests.checks.tables import classifier, normal
from tests.fairness.adult import adult
from tests.shared import needs_shared

CHECK = "fairness.proxies"


def table(x: Tensor, names: list[str], columns: tuple[Column, ...] = (), attribute: str = "sex") -> zoo.Case:
    case = classifier(lambda x: x[:, 0], x, columns)
    return zoo.Case(case.model, replace(case.data, groups={attribute: Labels.of(names)}))


def planted(rows: int = 600, shift: float = 2.0, seed: int = 0) -> zoo.Case:
    """Of four columns the third lies `shift` higher in the rows of men."""
    sex = ["f", "m"] * (rows // 2)
    x = normal(rows, 4, seed)
    x[:, 2] += torch.tensor([shift * (s == "m") for s in sex])
    return table(x, sex)


def known(m: Measure) -> tuple[float, float, float]:
    assert m.value is not None and m.low is not None and m.high is not None
    return m.value, m.low, m.high


def test_a_planted_proxy_is_found_and_stands_first() -> None:
    """Two normal columns `shift` apart have an area of P(z > -shift / sqrt 2)."""
    result = result_of(planted(), CHECK)
    whole, alone = measures(result, "attribute_auc")["sex"], measures(result, "column_auc")
    expected = NormalDist().cdf(2 / math.sqrt(2))

    assert next(iter(alone)) == "sex&column=c2"
    for m in (whole, alone["sex&column=c2"]):
        value, low, high = known(m)
        assert value == pytest.approx(expected, abs=0.03)
        assert 0.5 < low < expected < high
    assert [row[0] for row in result.tables[0].rows[:2]] == ["all inputs", "c2"]
    for other in ("c0", "c1", "c3"):
        _, low, high = known(alone[f"sex&column={other}"])
        assert low <= 0.5 <= high


@pytest.mark.parametrize(("shift", "status"), [(3.0, "fail"), (0.0, "pass")])
def test_a_limit_is_judged_by_it(shift: float, status: str) -> None:
    case = planted(600, shift)
    policy = Policy("p", (Limit(CHECK, "attribute_auc", fail_above=0.8),))
    o = run(case.model, case.data, selection=Selection(only=(CHECK,)), policy=policy).outcome(CHECK)

    assert o is not None and o.status == status


def test_where_there_is_none_none_is_found() -> None:
    """Of 15 draws an interval for all inputs lies above .5 twice at most."""
    found = [known(measures(result_of(planted(120, 0.0, seed), CHECK), "attribute_auc")["sex"]) for seed in range(15)]

    assert sum(low > 0.5 for _, low, _ in found) <= 2
    assert np.mean([value for value, _, _ in found]) == pytest.approx(0.5, abs=0.05)


def test_what_columns_tell_only_together_is_told_by_all_of_them() -> None:
    x = normal(1200, 3)
    result = result_of(table(x, ["m" if v > 0 else "f" for v in (x[:, 0] * x[:, 1]).tolist()]), CHECK)

    assert known(measures(result, "attribute_auc")["sex"])[1] > 0.85
    assert all(known(m)[1] <= 0.5 for m in measures(result, "column_auc").values())


def test_of_more_groups_each_has_its_figure() -> None:
    x = normal(600, 2)
    race = ["a", "b", "c"] * 200
    x[:, 1] += torch.tensor([3.0 * (r == "c") for r in race])
    result = result_of(table(x, race, attribute="race"), CHECK)
    found = measures(result, "attribute_auc")

    assert list(found) == ["race=a", "race=b", "race=c"]
    assert known(found["race=c"])[1] > 0.9
    assert known(found["race=a"])[2] < 0.85
    assert known(measures(result, "column_auc")["race=c&column=c1"])[1] > 0.9
    assert result.tables[0].rows[1][:1] + result.tables[0].rows[1][4:5] == ("c1", "c")


def itself(copy: str) -> Result:
    """Sex among the inputs under the name `copy`, beside a weak proxy and a column that says nothing."""
    sex = ["f", "m"] * 300
    flag = torch.tensor([float(s == "m") for s in sex])[:, None]
    x = torch.cat([flag, normal(600, 2)], 1)
    x[:, 1] += flag[:, 0]
    return result_of(table(x, sex, (Column(copy, 0, 1, "flag"), Column("weak", 1, 2), Column("none", 2, 3))), CHECK)


@pytest.mark.parametrize("copy", ["sex", "gender"])
def test_the_attribute_itself_is_told_from_what_the_others_tell(copy: str) -> None:
    result = itself(copy)
    without, _, high = known(measures(result, "attribute_auc_without_itself")["sex"])

    assert known(measures(result, "attribute_auc")["sex"])[0] == pytest.approx(1.0)
    assert without == pytest.approx(NormalDist().cdf(1 / math.sqrt(2)), abs=0.04)
    assert high < 0.9
    assert [row[0] for row in result.tables[0].rows] == ["all inputs", copy, "all but itself", "weak", "none"]
    assert any(c.startswith(f"sex is itself an input ({copy})") for c in result.caveats)


def test_without_another_input_nothing_is_said_of_the_others() -> None:
    sex = ["f", "m"] * 50
    x = torch.tensor([float(s == "m") for s in sex])[:, None]
    m = measures(result_of(table(x, sex, (Column("sex", 0, 1, "flag"),)), CHECK), "attribute_auc_without_itself")["sex"]

    assert (m.value, m.low, m.n) == (None, None, 100)


def test_missing_and_small_groups_are_said_and_not_compared() -> None:
    sex = ["f", "m"] * 280 + ["x"] * 9 + [MISSING] * 31
    result = result_of(table(normal(600, 3), sex), CHECK)
    found = measures(result, "attribute_auc")

    assert list(found) == ["sex=f", "sex=m"]  # each against all others, those few among them
    assert found["sex=f"].n == 569
    assert "Groups by sex of fewer than 10 rows are not compared by themselves: x (9)." in result.caveats
    assert "sex is missing in 31 rows, which are left out." in result.caveats


def test_one_group_has_no_figure_never_one_half() -> None:
    result = result_of(table(normal(60, 2), ["f"] * 60), CHECK)
    m = measures(result, "attribute_auc")["sex"]

    assert (m.value, m.low, m.high, m.n) == (None, None, None, 60)
    assert "sex has one group only: there is nothing to compare." in result.caveats
    assert not result.tables


def test_a_group_a_row_has_no_figure_either() -> None:
    result = result_of(table(normal(60, 2), [f"p{i}" for i in range(60)]), CHECK)

    assert measures(result, "attribute_auc")["sex"].value is None


def test_columns_without_values_are_lived_with() -> None:
    x = normal(200, 3)
    x[::3, 0], x[:, 1] = math.nan, math.nan
    x[:, 2] += torch.tensor([3.0, 0.0] * 100)

    case = table(x, ["f", "m"] * 100)
    result = CHECKS[CHECK].run(Context(case.model, case.data), samples=0)

    assert known(measures(result, "attribute_auc")["sex"])[1] > 0.9
    assert known(measures(result, "column_auc")["sex&column=c1"])[0] == 0.5


def test_as_many_rows_are_taken_as_asked_for() -> None:
    assert measures(result_of(planted(), CHECK, samples=100), "attribute_auc")["sex"].n == 100
    assert measures(result_of(planted(), CHECK, samples=0), "attribute_auc")["sex"].n == 600


def test_of_many_columns_those_that_go_with_it_closely_are_told_one_by_one() -> None:
    x = normal(200, 60)
    x[:, 57] += torch.tensor([3.0, 0.0] * 100)
    result = result_of(table(x, ["f", "m"] * 100), CHECK)

    assert len(measures(result, "column_auc")) == 40
    assert next(iter(measures(result, "column_auc"))) == "sex&column=c57"
    assert any(c.startswith("Of 60 columns the 40 that go with sex most closely") for c in result.caveats)


def test_of_images_it_is_said_what_the_model_has_kept() -> None:
    """The last layer's input is the image: told where the images of a group are brighter, and not else."""
    case = zoo.planted_patch()
    x = torch.rand(200, 1, zoo.SIDE, zoo.SIDE, generator=torch.Generator().manual_seed(0))
    sex = ["f", "m"] * 100
    bright = x.clone()
    bright[1::2] = bright[1::2] * 0.5 + 0.5
    y = torch.zeros(200, dtype=torch.long)
    told, not_told = (
        measures(result_of(zoo.Case(case.model, Data.of(some, y, {"sex": sex})), CHECK), "representation_auc")["sex"]
        for some in (bright, x)
    )

    assert known(told)[1] > 0.9
    assert known(not_told)[1] <= 0.5 <= known(not_told)[2]


def test_of_texts_too() -> None:
    found = measures(result_of(zoo.texts(), CHECK), "representation_auc")

    assert known(found["sex"])[0] > 0
    assert found["race"].value is None  # none has the ten rows it takes


def test_wide_inputs_of_many_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from auditor.checks import fairness_proxies

    monkeypatch.setattr(fairness_proxies, "FEWEST_ROWS", 50)
    monkeypatch.setattr(fairness_proxies, "MOST_ELEMENTS", 400)
    result = result_of(planted(), CHECK)

    assert measures(result, "attribute_auc")["sex"].n == 100
    assert "100 of 600 rows are taken, as inputs are wide." in result.caveats


def test_it_does_not_apply_without_groups_or_inputs() -> None:
    case = planted(60)
    assert (
        not_applicable(zoo.Case(case.model, replace(case.data, groups={})), CHECK)
        == "the audit file names no sensitive columns"
    )
    given = replace(case.data, given=Given(("no", "yes"), np.zeros(60, np.int64), None))
    assert (
        not_applicable(zoo.Case(None, given), CHECK)
        == "the audit has predictions only, and their table has no other columns"
    )


@needs_shared
def test_relationship_and_marital_status_tell_sex_in_adult() -> None:
    """Husbands and wives: all inputs tell sex in 92 of 100 pairs, relationship alone in 86."""
    result = result_of(adult(4000), CHECK, samples=0)
    value, low, _ = known(measures(result, "attribute_auc")["sex"])
    order = [s.partition("=")[2] for s in measures(result, "column_auc") if s.startswith("sex&")]

    assert 0.9 < low < value < 0.95
    assert order[0] == "relationship" and set(order[1:3]) == {"marital_status", "occupation"}
    assert known(measures(result, "column_auc")["sex&column=relationship"])[0] == pytest.approx(0.87, abs=0.02)
    assert list(measures(result, "column_auc"))[-1].startswith("race=")


def test_a_model_of_several_inputs_has_columns() -> None:
    result = result_of(zoo.several_inputs(), CHECK)

    assert {s.partition("column=")[2] for s in measures(result, "column_auc")} == {"kind", "numbers[0]", "numbers[1]"}


class Still(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros(len(x), 2)


def test_what_the_model_says_does_not_matter() -> None:
    case = planted()
    other = zoo.Case(Model(Still(), ("no", "yes"), bounds=case.model.bounds), case.data)

    assert result_of(case, CHECK) == result_of(other, CHECK)
