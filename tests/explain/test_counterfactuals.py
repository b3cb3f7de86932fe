"""Counterfactuals: the nearest by hand, every constraint kept, confirmed by the model, the same in any batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.columns import Column, Relation
from auditor.explain.counterfactual.counterfactuals import Table, counterfactuals
from auditor.explain.counterfactual.mad import Distance
from auditor.subject import Model
from auditor.tables.constraints import Constraints
from auditor.tables.file_units import decoded
from tests import zoo
from tests.explain.searched import STEP, A, B, Score, grid, only, search


# ---- the nearest -------------------------------------------------------------------------------------------------
def test_on_a_linear_model_it_is_the_cheapest_single_column_to_the_boundary() -> None:
    case = zoo.linear_table()
    x = case.data.read(np.arange(zoo.ROWS))
    w, bias = np.array([2.0, -1.0, 0.5]), 0.25
    rows = x.double().numpy()
    mad = np.median(np.abs(rows - np.median(rows, 0)), 0)

    found = search(case.model, x, x, case.data.columns)

    for row, (way,) in zip(rows, found, strict=True):
        needed = row - (row @ w + bias) / w  # the value of each column that lies on the boundary by itself
        possible = (needed >= rows.min(0)) & (needed <= rows.max(0))
        expected = np.where(possible, np.abs(needed - row) / mad, np.inf).min()
        assert len(way.changed) == 1
        assert expected <= way.distance + 1e-6
        assert way.distance <= expected + STEP + 1e-6


def test_two_columns_change_where_one_is_not_enough() -> None:
    model = Model(Score(lambda x: np.minimum(x[:, 0], x[:, 1]) - 1), ("no", "yes"))

    way = only(search(model, torch.zeros(1, 3), grid(columns=3), (A, B, Column("c", 2, 3))))

    assert way.changed == (0, 1)  # and the third as it was
    assert way.values.tolist() == pytest.approx([1, 1, 0], abs=STEP * 2)
    assert (way.values[:2] > 1).all()


def test_what_is_changed_without_need_is_put_back() -> None:
    model = Model(Score(lambda x: np.minimum(x[:, 0], x[:, 1]) - 1 + x[:, 2] / 10), ("no", "yes"))
    reference = grid(columns=3) + torch.tensor([0, 0, 4.5])  # the third column is no row's 0, and helps alone

    way = only(search(model, torch.zeros(1, 3), reference, (A, B, Column("c", 2, 3))))

    assert way.changed == (0, 1)


def test_real_rows_are_starts_with_what_may_not_change_as_it_was() -> None:
    model = Model(Score(lambda x: np.minimum(x[:, 0], x[:, 1]) - 1), ("no", "yes"))
    fixed = Column("c", 2, 3, mutable=False)

    way = only(search(model, torch.full((1, 3), 0.1), grid(columns=3), (A, B, fixed)))  # every real row differs in c

    assert way.changed == (0, 1)


def test_several_ways_change_other_columns_and_none_asks_for_more_than_another() -> None:
    model = Model(Score(lambda x: 2 * x[:, 0] + x[:, 1] - 1), ("no", "yes"))

    (ways,) = search(model, torch.zeros(1, 2), grid(), (A, B), ways=3)

    assert [way.changed for way in ways] == [(0,), (1,)]
    assert ways[0].distance == pytest.approx(0.5 / 2, abs=STEP)  # the MAD of -4, -3, ... 4 is 2
    assert ways[1].distance == pytest.approx(1 / 2, abs=STEP)


def test_two_small_changes_come_before_a_huge_one() -> None:
    model = Model(Score(lambda x: np.maximum(x[:, 0] - 90, np.minimum(x[:, 1], x[:, 2]) - 1)), ("no", "yes"))
    reference = torch.cat([grid(columns=3), torch.tensor([[100.0, 0, 0]])])

    (ways,) = search(model, torch.zeros(1, 3), reference, (A, B, Column("c", 2, 3)), ways=3)

    assert [way.changed for way in ways] == [(1, 2), (0,)]
    assert [round(way.distance) for way in ways] == [1, 45]  # a MAD is 2


def test_the_other_classes_are_all_accepted_or_the_one_that_is_sought() -> None:
    head = nn.Linear(1, 3)
    head.weight.data, head.bias.data = torch.tensor([[-1.0], [0.0], [1.0]]), torch.tensor([0.0, 0.5, 0.0])
    model, rows = Model(head, ("low", "middle", "high")), torch.linspace(-3, 3, 13)[:, None]
    raw = decoded(rows, (A,))
    with torch.no_grad():
        answers = model(rows).argmax(1).numpy()
    table = Table(raw, answers, Constraints.of((A,), (), raw), Distance.of(raw, (A,)))
    any_other, high = torch.tensor([[False, True, True], [False, False, True]])

    (near,), (far,) = (counterfactuals(model, torch.tensor([[-1.0]]), a[None], table)[0] for a in (any_other, high))

    assert (near.answer, far.answer) == (1, 2)
    assert near.values[0] == pytest.approx(-0.5, abs=0.02)
    assert far.values[0] == pytest.approx(0.5, abs=0.02)


def test_a_category_and_a_flag_take_one_of_their_values() -> None:
    city = Column("city", 0, 3, "category", ("x", "y", "z"))
    member = Column("member", 3, 4, "flag")
    one_hot = torch.eye(3)[torch.arange(12) % 3]
    reference = torch.cat([one_hot, (torch.arange(12) % 2)[:, None].float()], 1)
    by_city = Model(Score(lambda x: x[:, 2] - 0.5), ("no", "yes"))
    by_member = Model(Score(lambda x: 0.5 - x[:, 3]), ("no", "yes"))

    moved = only(search(by_city, reference[:1], reference, (city, member)))
    unset = only(search(by_city, torch.tensor([[0.0, 0, 0, 1]]), reference, (city, member)))  # none of the values
    flipped = only(search(by_member, reference[:1], reference, (city, member)))

    assert (moved.changed, moved.x.tolist(), moved.distance) == ((0,), [0, 0, 1, 0], 1)
    assert (unset.before.tolist(), unset.x.tolist()) == ([3, 1], [0, 0, 1, 1])
    assert (flipped.changed, flipped.x.tolist(), flipped.distance) == ((1,), [1, 0, 0, 1], 1)


def test_numbers_are_in_units_of_the_file() -> None:
    income = Column("income", 0, 1, mean=40_000.0, std=20_000.0)
    model = Model(Score(lambda x: x[:, 0] - 0.3), ("denied", "approved"))  # approved above 46,000

    way = only(search(model, torch.tensor([[0.05]]), torch.linspace(-2, 2, 41)[:, None], (income,)))

    assert way.before.tolist() == [41_000]
    assert way.values[0] == pytest.approx(46_000, abs=200)  # a step: the MAD is 20,000
    assert way.values[0] % 100 == 0
    assert float(way.x[0]) == pytest.approx((way.values[0] - 40_000) / 20_000)


# ---- every constraint, where the way without it would break it ---------------------------------------------------
UP = Model(Score(lambda x: 3 * x[:, 0] + x[:, 1]), ("no", "yes"))
LOW_ROW, HIGH_ROW = torch.tensor([[-1.0, -1.0]]), torch.tensor([[1.0, 1.0]])


@pytest.mark.parametrize(
    ("column", "row", "free", "bound"),
    [
        ({"mutable": False}, LOW_ROW, [0.34, -1], [-1, 3]),
        ({"high": 0.2}, LOW_ROW, [0.34, -1], [0.2, -0.59]),
        ({"low": -0.2}, HIGH_ROW, [-0.34, 1], [-0.2, 0.59]),
        ({"integer": True}, LOW_ROW, [0.34, -1], [1, -1]),
        ({"increasing_only": True}, HIGH_ROW, [-0.34, 1], [1, -3]),
    ],
    ids=["mutable", "max", "min", "integer", "increasing_only"],
)
def test_a_column_keeps_what_is_said_of_it(
    column: dict[str, object], row: Tensor, free: list[float], bound: list[float]
) -> None:
    without = only(search(UP, row, grid(), (A, B)))
    within = only(search(UP, row, grid(), (replace(A, **column), B)))

    assert without.values.tolist() == pytest.approx(free, abs=0.02)
    assert within.values.tolist() == pytest.approx(bound, abs=0.02)
    if "integer" in column:
        assert within.values[0] == 1


def test_what_is_at_most_so_much_is_kept() -> None:
    budget = Relation(((0, 1.0), (1, 1.0)), at_most=-0.8)

    without, within = (only(search(UP, LOW_ROW, grid(), (A, B), r)) for r in ((), (budget,)))

    assert without.values.sum() > -0.8
    assert within.values.sum() <= -0.8 + 1e-6
    assert within.changed == (0, 1)
    assert 3 * within.values[0] + within.values[1] > 0


def test_a_total_stays_the_sum_of_its_parts() -> None:
    columns = (Column("total", 0, 1, mean=10.0, std=5.0), *(Column(n, i, i + 1) for i, n in ((1, "a"), (2, "b"))))
    parts = grid(0, 8)
    reference = torch.cat([(parts.sum(1, keepdim=True) - 10) / 5, parts], 1)
    same = Relation(((0, 1.0), (1, -1.0), (2, -1.0)), equals=0.0)
    model = Model(Score(lambda x: x[:, 0] * 5 + 10 - 6.25), ("no", "yes"))  # the total alone decides
    row = torch.tensor([[(3 - 10) / 5, 1.0, 2.0]])

    without, within = (only(search(model, row, reference, columns, r)) for r in ((), (same,)))
    total, a, b = within.values.tolist()

    assert without.changed == (0,)
    assert len(within.changed) == 2
    assert total == pytest.approx(a + b, abs=1e-6)
    assert float(within.x[0] * 5 + 10) == pytest.approx(float(within.x[1:].sum()), abs=1e-5)  # as far as float32 goes
    assert total == pytest.approx(6.25, abs=0.05)
    assert {a, b} & {1.0, 2.0}  # one of them as it was


def test_a_relation_whose_columns_are_not_changed_is_not_judged() -> None:
    broken = Relation(((1, 1.0),), equals=3.0)  # the row has -1 there

    way = only(search(UP, LOW_ROW, grid(), (A, B), (broken,)))

    assert way.changed == (0,)


def test_a_column_that_is_the_same_in_every_reference_row_does_not_move() -> None:
    reference = grid()
    reference[:, 0] = 0.5

    way = only(search(UP, torch.tensor([[0.5, -3.0]]), reference, (A, B)))

    assert way.changed == (1,)


def test_where_nothing_admissible_turns_the_answer_the_row_has_no_way() -> None:
    fixed = [replace(c, mutable=False) for c in (A, B)]
    constant = Model(Score(lambda x: 0 * x[:, 0] + 1), ("no", "yes"))

    assert search(UP, LOW_ROW, grid(), fixed) == [()]
    assert search(constant, LOW_ROW, grid(), (A, B)) == [()]
    assert search(UP, torch.cat([LOW_ROW, HIGH_ROW]), grid(), (replace(A, high=-1.0), replace(B, high=-1.0)))[0] == ()


def test_an_answer_that_cannot_be_said_turns_nothing() -> None:
    model = Model(Score(lambda x: np.where(x[:, 0] > 0, np.nan, -1.0)), ("no", "yes"))

    assert search(model, LOW_ROW, grid(), (A, B)) == [()]
