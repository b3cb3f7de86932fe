"""fairness.explanations: exact on linear models, adding up on others, silent where there is nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.checks.fairness_explanations import MOST_COLUMNS
from auditor.columns import Column, Labels
from auditor.contingency import MISSING
from auditor.registry import CHECKS, Context
from auditor.subject import Data, Model
from auditor.types import Measure
from tests import zoo
from tests.checks.audited import measures, not_applicable, result_of
from tests.checks.tables import classifier, normal, regression
from tests.fairness.adult import adult
from tests.shared import needs_shared

CHECK = "fairness.explanations"
WEIGHTS = torch.tensor([2.0, -1.0, 0.5, 0.0])


def grouped(case: zoo.Case, names: list[str], attribute: str = "sex") -> zoo.Case:
    return zoo.Case(case.model, replace(case.data, groups={attribute: Labels.of(names)}))


def total(parts: Iterable[Measure]) -> float:
    return math.fsum(m.value for m in parts if m.value is not None)


def shifted(rows: int, columns: int = 4, seed: int = 0) -> tuple[Tensor, list[str]]:
    """Rows of which every fourth is a woman's, with the first column 1.5 lower and the second .5 higher."""
    sex = ["f", "m", "m", "m"] * (rows // 4)
    x = normal(rows, columns, seed)
    women = torch.tensor([s == "f" for s in sex]).float()
    x[:, 0] -= 1.5 * women
    x[:, 1] += 0.5 * women
    return x, sex


def test_of_a_linear_model_a_part_is_weight_times_difference_of_means() -> None:
    x, sex = shifted(200)
    result = result_of(grouped(regression(lambda x: x @ WEIGHTS, x), sex), CHECK, samples=0)
    women = torch.tensor([s == "f" for s in sex])
    expected = WEIGHTS.double() * (x[women].double().mean(0) - x[~women].double().mean(0))
    parts = measures(result, "gap_contribution")

    assert list(parts) == [f"sex=f&column=c{i}" for i in range(4)]
    assert [m.value for m in parts.values()] == pytest.approx(expected.tolist(), abs=1e-6)
    assert measures(result, "score_gap")["sex=f"].value == pytest.approx(float(expected.sum()), abs=1e-6)
    assert parts["sex=f&column=c3"].value == 0.0 == parts["sex=f&column=c3"].low


@pytest.mark.parametrize("columns", [4, 18])
def test_parts_add_up_to_the_gap_in_probability(columns: int) -> None:
    """Counted with 4 columns, estimated with 18; the gap is that of the probabilities themselves."""
    x, sex = shifted(120, columns)
    case = grouped(classifier(lambda x: x[:, 0] * x[:, 1] + x[:, 2].sin() - x[:, 3:].sum(1), x), sex)
    result = result_of(case, CHECK, samples=0)
    with torch.no_grad():
        p = case.model(x).softmax(1)[:, 1].double()
    women = torch.tensor([s == "f" for s in sex])
    gap = float(p[women].mean() - p[~women].mean())
    parts = measures(result, "gap_contribution").values()

    assert total(parts) == pytest.approx(gap, abs=1e-6)
    assert measures(result, "score_gap")["sex=f"].value == pytest.approx(gap, abs=1e-6)
    assert measures(result, "gap_ledger_error")["sex=f"].value < 1e-4
    name, value, *_ = result.tables[0].rows[-1]
    assert name == "all columns: the gap" and value == pytest.approx(gap, abs=1e-6)


def test_a_planted_gap_comes_through_the_planted_column() -> None:
    x, sex = shifted(400)
    result = result_of(grouped(classifier(lambda x: 2 * x[:, 0], x), sex), CHECK, samples=0)
    gap, parts = measures(result, "score_gap")["sex=f"], measures(result, "gap_contribution")

    assert gap.high < -0.2
    assert parts["sex=f&column=c0"].value == pytest.approx(gap.value, abs=1e-6)
    assert all(parts[f"sex=f&column=c{i}"].value == 0.0 for i in (1, 2, 3))
    assert result.tables[0].rows[0][0] == "c0"


def test_where_there_is_none_none_is_found() -> None:
    """Of 20 draws of groups that have nothing to do with the rows, 2 intervals of the gap leave out 0 at most."""
    found = 0
    for seed in range(20):
        case = classifier(lambda x: x[:, 0] * x[:, 1] + x[:, 2], normal(120, 3, seed))
        names = np.random.default_rng(seed).choice(["f", "m"], 120).tolist()
        (m,) = measures(result_of(grouped(case, names), CHECK), "score_gap").values()
        found += not m.low <= 0 <= m.high

    assert found <= 2


def test_the_attribute_itself_takes_all_where_it_alone_decides() -> None:
    result = result_of(zoo.biased_table(), CHECK, samples=0)
    parts = measures(result, "gap_contribution")
    gap = 1 / (1 + math.exp(-2.0)) - 1 / (1 + math.exp(2.0))

    assert abs(parts["group=a&column=group"].value) == pytest.approx(gap, abs=1e-6)
    assert parts["group=a&column=skill"].value == 0.0


def test_of_more_groups_each_stands_against_all_others() -> None:
    x, _ = shifted(120)
    result = result_of(grouped(regression(lambda x: x @ WEIGHTS, x), ["a", "b", "c", "b"] * 30, "race"), CHECK)

    assert list(measures(result, "score_gap")) == ["race=a", "race=b", "race=c"]
    assert len(result.tables) == 3
    assert measures(result, "score_gap")["race=a"].value < -1


def test_a_category_is_one_column() -> None:
    case = zoo.categories()
    found = measures(result_of(case, CHECK), "gap_contribution")

    assert {s.partition("column=")[2] for s in found} == {"age", "member", "city"}


def test_as_many_rows_of_each_side_are_drawn_as_asked_for() -> None:
    x, sex = shifted(200)
    case = grouped(regression(lambda x: x @ WEIGHTS, x), sex)

    assert measures(result_of(case, CHECK, samples=30), "score_gap")["sex=f"].counts[::3] == (30, 30)
    assert measures(result_of(case, CHECK, samples=0), "score_gap")["sex=f"].counts[::3] == (50, 150)


def test_missing_and_small_groups_are_left_out_and_said() -> None:
    x, _ = shifted(60)
    names = ["f"] * 25 + ["m"] * 25 + ["x"] * 4 + [MISSING] * 6
    result = result_of(grouped(regression(lambda x: x @ WEIGHTS, x), names), CHECK, samples=0)

    assert list(measures(result, "score_gap")) == ["sex=f", "sex=m"]
    assert measures(result, "score_gap")["sex=f"].counts[::3] == (25, 29)
    assert any(c.endswith("not compared by themselves: x (4).") for c in result.caveats)


def test_one_group_has_no_gap_never_zero() -> None:
    x, _ = shifted(40)
    result = result_of(grouped(regression(lambda x: x @ WEIGHTS, x), ["f"] * 40), CHECK)
    (m,) = result.measures

    assert (m.name, m.slice, m.value, m.low) == ("score_gap", "sex", None, None)
    assert "sex has one group only: there is nothing to compare." in result.caveats


def test_of_a_model_that_says_one_thing_there_is_nothing_to_split() -> None:
    x, sex = shifted(60)
    result = result_of(grouped(classifier(lambda x: 0 * x[:, 0], x), sex), CHECK)

    assert measures(result, "gap_ledger_error")["sex=f"].value is None
    assert "The model gives every row the same score: there is no gap to split." in result.caveats
    assert result.tables[0].rows[0][-1] is None  # no share of a gap of nothing


class Guessing(nn.Module):
    """Another answer each time it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def forward(self, x: Tensor) -> Tensor:
        self.asked += 1
        return x @ WEIGHTS + math.sin(self.asked) * x[:, 0]


def test_a_model_that_does_not_answer_twice_the_same_leaves_an_error() -> None:
    x, sex = shifted(60)
    model = Model(Guessing(), (), output="value", bounds=(torch.full((4,), -50.0), torch.full((4,), 50.0)))
    case = grouped(zoo.Case(model, Data.of(x, x[:, 0])), sex)

    assert measures(result_of(case, CHECK), "gap_ledger_error")["sex=f"].value > 0.01


def test_rows_that_are_not_finite_are_left_out_and_said() -> None:
    x, sex = shifted(60)
    x[40, 2] = math.nan
    case = grouped(regression(lambda x: x @ WEIGHTS, x), sex)
    result = CHECKS[CHECK].run(Context(case.model, case.data), samples=0)

    assert measures(result, "score_gap")["sex=f"].counts[::3] == (14, 45)
    assert "1 of 60 rows hold or give NaN or infinity and are left out." in result.caveats


WIDE = normal(20, MOST_COLUMNS + 1)
NOT: list[tuple[Callable[[], zoo.Case], str]] = [
    (zoo.inplace_relu, "the inputs are images; this is about rows of columns"),
    (zoo.texts, "the inputs are texts; this is about rows of columns"),
    (lambda: zoo.case(nn.Linear(4, 3), normal(24, 4), 3),
     "no class is favourable; name one of the 3 with [data] positive"),
    (lambda: grouped(regression(lambda x: x[:, 0], WIDE), ["f", "m"] * 10),
     "201 columns share the gap; at most 200 do"),
    (lambda: regression(lambda x: x[:, 0], normal(20, 2)), "the audit file names no sensitive columns"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "why"), NOT)
def test_it_does_not_apply(case: Callable[[], zoo.Case], why: str) -> None:
    assert not_applicable(case(), CHECK) == why


def test_a_third_class_can_be_the_favourable_one() -> None:
    case = zoo.case(nn.Linear(4, 3), normal(24, 4), 3)
    result = result_of(zoo.Case(case.model, replace(case.data, positive=2)), CHECK, samples=0)

    assert any(c.startswith("Scores are the probability of 'c'.") for c in result.caveats)


@needs_shared
def test_the_gap_by_sex_in_adult_comes_through_marriage() -> None:
    """Women's mean probability is .15 to .2 lower; marital status and relationship make up more than half of it."""
    case = adult(4000)
    result = result_of(case, CHECK, samples=300)
    gap, parts = measures(result, "score_gap")["sex=Female"], measures(result, "gap_contribution")
    p = case.model(case.data.read(np.arange(4000))).softmax(1)[:, 1].detach().numpy()
    women = case.data.groups["sex"].codes == 0
    marriage = total(parts[f"sex=Female&column={c}"] for c in ("marital_status", "relationship"))

    assert gap.low < p[women].mean() - p[~women].mean() < gap.high < 0
    assert marriage < 0.5 * gap.value
    assert total(m for s, m in parts.items() if s.startswith("sex")) == pytest.approx(gap.value, abs=1e-6)


def test_columns_of_one_name_are_told_apart() -> None:
    x, sex = shifted(40)
    columns = tuple(Column("same", i, i + 1) for i in range(4))
    found = measures(result_of(grouped(regression(lambda x: x @ WEIGHTS, x, columns), sex), CHECK), "gap_contribution")

    assert len(found) == 4
