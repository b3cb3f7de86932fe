"""The parts of a gap against Shapley values from their definition, Welch's interval against scipy's."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.stats import ttest_ind
from torch import Tensor

from auditor.columns import Column, Labels
from auditor.explain.games import Floats
from auditor.fairness.contributions import Versus, mean_difference, shapley_values, split, versus
from auditor.fairness.groups import Groups
from auditor.subject import Model
from tests.checks.tables import Function, normal

COLUMNS = (Column("a", 0, 1), Column("city", 1, 4, "category", ("x", "y", "z")), Column("b", 4, 5))


def value(x: Tensor) -> Tensor:
    return x[:, 0] * x[:, 1] + (x[:, 4] * x[:, 0]).tanh() + x[:, 2] * x[:, 4] ** 2


def by_definition(row: Tensor, background: Tensor) -> list[float]:
    """Mean over all orders of what each column adds when it takes the row's values, whole columns at a time."""
    found = np.zeros(len(COLUMNS))
    orders = list(permutations(range(len(COLUMNS))))
    for order in orders:
        shown = background.clone()
        before = float(value(shown).double().mean())
        for i in order:
            shown[:, COLUMNS[i].start : COLUMNS[i].stop] = row[COLUMNS[i].start : COLUMNS[i].stop]
            after = float(value(shown).double().mean())
            found[i] += (after - before) / len(orders)
            before = after
    return found.tolist()


def test_they_are_shapley_values_with_a_category_as_one_player() -> None:
    x, background = normal(20, 5, 1), normal(7, 5, 2)
    model = Model(Function(value), (), output="value")
    found = shapley_values(model, x, background, COLUMNS, 0, 128, 0, 64)

    assert found.shape == (20, 3)
    for row, values in zip(x, found, strict=True):
        assert values == pytest.approx(by_definition(row, background), abs=1e-5)


def test_each_group_is_drawn_in_order_and_set_against_as_many_others() -> None:
    groups = Groups.of("race", Labels.of(["a", "b", "c", "a"] * 10 + ["(missing)"] * 5), 2)
    order = np.random.default_rng(0).permutation(45)
    found = list(versus(groups, order, 6))

    assert [v.slice for v in found] == ["race=a", "race=b", "race=c"]
    for v, g in zip(found, range(3), strict=True):
        assert v.inside.tolist() == [r for r in order if groups.codes[r] == g][:6]
        assert v.outside.tolist() == [r for r in order if groups.codes[r] not in {g, -1}][:6]


def test_of_two_groups_the_smaller_is_set_against_the_larger_alone() -> None:
    groups = Groups.of("sex", Labels.of(["f"] * 30 + ["m"] * 20), 2)
    (v,) = versus(groups, np.arange(50), 0)

    assert (v.slice, len(v.inside), len(v.outside)) == ("sex=m", 20, 30)


def test_a_group_without_rows_that_can_be_used_is_left_out() -> None:
    groups = Groups.of("sex", Labels.of(["f"] * 30 + ["m"] * 20), 2)

    assert list(versus(groups, np.arange(30), 0)) == []


def test_the_interval_is_welchs() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(1, 3, 12), random.normal(0, 1, 40)
    m = mean_difference("d", first, second, "sex=f")
    theirs = ttest_ind(first, second, equal_var=False).confidence_interval(0.95)

    assert m.value == pytest.approx(first.mean() - second.mean())
    assert (m.low, m.high) == pytest.approx((theirs.low, theirs.high))
    assert m.n == 52


def test_parts_that_do_not_add_up_are_told() -> None:
    scores = np.array([0.9, 0.7, 0.2, 0.4])
    values: Floats = np.stack([scores - 0.5, np.zeros(4)], 1)
    v = Versus("g=a", np.array([0, 1]), np.array([2, 3]))
    whole, short = split(v, values, scores, ("a", "b")), split(v, values * 0.9, scores, ("a", "b"))

    assert whole.error.value == pytest.approx(0.0, abs=1e-12)
    assert short.error.value == pytest.approx(0.1)
    assert whole.parts[0].value == pytest.approx(0.5) == whole.gap.value
    assert [m.slice for m in whole.parts] == ["g=a&column=a", "g=a&column=b"]


def test_without_a_gap_and_parts_there_is_nothing_to_leave() -> None:
    v = Versus("g=a", np.array([0, 1]), np.array([2, 3]))

    assert split(v, np.zeros((4, 1)), np.full(4, 0.3), ("a",)).error.value is None


def test_places_among_rows() -> None:
    v = Versus("g=a", np.array([7, 3]), np.array([9])).among(np.array([3, 5, 7, 9]))

    assert (v.inside.tolist(), v.outside.tolist()) == ([2, 0], [3])


@pytest.mark.parametrize("budget", [32, 256])
def test_of_many_columns_values_still_add_up(budget: int) -> None:
    """20 columns are too many to count all coalitions: the values are estimates, their sum is none."""
    x, background = normal(40, 20, 3), normal(8, 20, 4)
    model = Model(Function(lambda x: (x[:, 0] * x[:, 1] + x[:, 2:].sum(1)).sigmoid()), (), output="value")
    columns = tuple(Column(f"c{i}", i, i + 1) for i in range(20))
    found = shapley_values(model, x, background, columns, 0, budget, 0, 64)
    with torch.no_grad():
        expected = model(x).double() - model(background).double().mean()

    assert found.sum(1) == pytest.approx(expected.numpy(), abs=1e-6)
