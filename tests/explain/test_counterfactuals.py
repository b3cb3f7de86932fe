"""Counterfactuals: the nearest by hand, every constraint kept, confirmed by the model, the same in any batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from auditor.columns import Column, Relation
from auditor.explain.counterfactual.counterfactuals import Table, Way, counterfactuals
from auditor.explain.counterfactual.mad import Distance
from auditor.explain.counterfactual.trials import nearest
from auditor.subject import Model
from auditor.tables.constraints import Constraints
from auditor.tables.file_units import decoded
from tests import zoo

A, B = Column("a", 0, 1), Column("b", 1, 2)
STEP = 0.01  # of a MAD: the coarsest step that numbers stop at


class Score(nn.Module):
    """Two classes by the sign of a function of the input, through Python and numpy: nothing has a gradient."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function, self.largest = function, 0

    def forward(self, x: Tensor) -> Tensor:
        self.largest = max(self.largest, len(x))
        z = torch.from_numpy(np.asarray(self.function(x.detach().numpy()), np.float32))
        return torch.stack([-z, z], 1)


def search(
    model: Model,
    x: Tensor,
    reference: Tensor,
    columns: Sequence[Column],
    relations: Sequence[Relation] = (),
    *,
    ways: int = 1,
    size: int = 64,
) -> list[tuple[Way, ...]]:
    """Ways to any other answer, from the rows of `reference`."""
    with torch.no_grad():
        answers, now = model(reference).argmax(1), model(x).argmax(1)
    rows = decoded(reference, columns)
    table = Table(rows, answers.numpy(), Constraints.of(columns, relations, rows), Distance.of(rows, columns))
    accepted = torch.arange(len(model.classes)) != now[:, None]
    return counterfactuals(model, x, accepted, table, ways=ways, size=size)


def grid(low: float = -4.0, high: float = 4.0, columns: int = 2) -> Tensor:
    """Reference rows all over a square."""
    return torch.cartesian_prod(*[torch.linspace(low, high, 9)] * columns)


def only(found: list[tuple[Way, ...]]) -> Way:
    ((way,),) = found
    return way


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


# ---- batches and black boxes -------------------------------------------------------------------------------------
def mixed_case(seed: int, *, integer: bool, rising: bool, tied: bool) -> tuple[Model, Tensor, tuple[Column, ...]]:
    """A network on a whole number, two numbers, a flag and a category, with 60 rows."""
    g = torch.Generator().manual_seed(seed)
    module = nn.Sequential(nn.Linear(7, 8), nn.Tanh(), nn.Linear(8, 3))
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.randn(p.shape, generator=g))
    whole = torch.randint(0, 9, (60, 1), generator=g).float()
    numbers = torch.randn(60, 2, generator=g)
    flag = torch.randint(0, 2, (60, 1), generator=g).float()
    category = torch.eye(3)[torch.randint(0, 3, (60,), generator=g)]
    columns = (
        Column("whole", 0, 1, mean=4.0, std=2.5, integer=integer, high=7.0),
        Column("first", 1, 2, increasing_only=rising, mutable=not tied or rising),
        Column("second", 2, 3, low=-1.0),
        Column("flag", 3, 4, "flag", increasing_only=rising),
        Column("city", 4, 7, "category", ("x", "y", "z"), mutable=integer),
    )
    return Model(module, ("a", "b", "c")), torch.cat([(whole - 4) / 2.5, numbers, flag, category], 1), columns


RELATION = Relation(((0, 0.5), (1, 1.0), (2, 1.0)), at_most=2.5)
EQUAL = Relation(((1, 1.0), (2, -2.0)), equals=0.25)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_every_way_keeps_every_constraint_and_is_answered_otherwise(
    seed: int, integer: bool, rising: bool, tied: bool, equal: bool
) -> None:
    model, x, columns = mixed_case(seed, integer=integer, rising=rising, tied=tied)
    relations = [*([RELATION] if tied else []), *([EQUAL] if equal else [])]
    own = decoded(x, columns)

    found = search(model, x[:12], x, columns, relations, ways=3)

    for row, ways in enumerate(found):
        with torch.no_grad():
            now = int(model(x[row : row + 1]).argmax())
            then = [int(model(way.x[None]).argmax()) for way in ways]
        assert all(answer != now for answer in then)
        assert [way.answer for way in ways] == then
        for way in ways:
            before, after = own[row], way.values
            changed = tuple(np.flatnonzero(before != after).tolist())
            assert way.changed == changed
            assert np.allclose(decoded(way.x[None], columns)[0], after, atol=1e-5)
            for i, c in enumerate(columns):
                if i not in changed:
                    assert torch.equal(way.x[c.start : c.stop], x[row, c.start : c.stop])
                    continue
                assert c.mutable
                assert own[:, i].min() <= after[i] <= own[:, i].max()
                assert c.low <= after[i] <= c.high
                assert not c.integer or after[i] == round(after[i])
                assert not c.increasing_only or after[i] >= before[i]
                if c.kind != "number":
                    assert float(way.x[c.start : c.stop].sum()) in (0.0, 1.0)
            for r in relations:
                total = sum(weight * after[i] for i, weight in r.weights)
                if not any(i in changed for i, _ in r.weights):
                    continue
                if r.equals is not None:
                    assert total == pytest.approx(r.equals, abs=1e-6)
                else:
                    assert total <= r.at_most + 1e-6


def test_rows_in_one_batch_get_what_each_gets_alone() -> None:
    model, x, columns = mixed_case(3, integer=True, rising=True, tied=True)

    together = search(model, x[:20], x, columns, [RELATION], ways=3, size=64)
    alone = [search(model, x[i : i + 1], x, columns, [RELATION], ways=3, size=7)[0] for i in range(20)]

    assert sum(map(bool, together)) > 10
    for some, same in zip(together, alone, strict=True):
        assert [(w.changed, w.values.tolist()) for w in some] == [(w.changed, w.values.tolist()) for w in same]


def test_a_few_rows_at_once_get_what_all_get(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, columns = mixed_case(3, integer=True, rising=True, tied=True)
    together = search(model, x[:20], x, columns, [RELATION], ways=3)
    monkeypatch.setattr("auditor.explain.counterfactual.counterfactuals.HELD", 3 * len(columns))

    apart = search(model, x[:20], x, columns, [RELATION], ways=3)

    assert [[w.values.tolist() for w in ways] for ways in apart] == [
        [w.values.tolist() for w in ways] for ways in together
    ]


def test_of_each_row_the_nearest_candidates_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.explain.counterfactual.trials.MOST", 2)

    kept = nearest(np.array([4, 1, 4, 4, 1, 9]), np.array([3.0, 1.0, 2.0, 1.0, 5.0, 7.0]))

    assert kept.tolist() == [1, 2, 3, 4, 5]
    assert nearest(np.zeros(0, np.int64), np.zeros(0)).tolist() == []


def test_never_more_inputs_at_once_than_asked_for() -> None:
    module = Score(lambda x: 3 * x[:, 0] + x[:, 1])

    search(Model(module, ("no", "yes")), grid(), grid(), (A, B), size=100)

    assert module.largest == 100


def test_a_program_is_searched_as_its_module() -> None:
    model, x, columns = mixed_case(5, integer=False, rising=False, tied=False)
    program = replace(model, module=torch.jit.script(model.module))

    found = [[w.values.tolist() for w in ways] for ways in search(model, x[:8], x, columns)]
    as_program = [[w.values.tolist() for w in ways] for ways in search(program, x[:8], x, columns)]

    assert as_program == found
    assert any(found)


def test_one_column_and_many() -> None:
    narrow = only(search(Model(Score(lambda x: x[:, 0]), ("no", "yes")), -torch.ones(1, 1), grid()[:, :1], (A,)))
    columns = [Column(f"c{i}", i, i + 1) for i in range(500)]
    x = torch.randn(80, 500, generator=torch.Generator().manual_seed(0))
    weights = torch.randn(500, generator=torch.Generator().manual_seed(1)).numpy()
    wide = search(Model(Score(lambda x: x @ weights), ("no", "yes")), x[:2], x, columns, size=4096)

    assert narrow.values[0] == pytest.approx(0, abs=0.02)
    assert all(1 <= len(way.changed) < 40 for (way,) in wide)
