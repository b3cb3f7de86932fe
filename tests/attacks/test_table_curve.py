"""Attacks on tables against every legal row of small ones, exact distances, and rows that only illegal ones break."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.attacks.curve import Frontiers
from auditor.attacks.tables.curve import ATTACKS, GRADIENTS, SEARCHES, table_curve
from auditor.columns import Column, Relation
from auditor.subject import Data, Model
from auditor.tables.ball import ball_of
from tests import zoo
from tests.attacks.small_tables import EPSILONS, apart, curve_of, illegal, in_file_units, nearest_by_hand, small
from tests.attacks.test_curve import exact_linear


class Score(nn.Module):
    """Two classes by the sign of a numpy function of the input: no gradient, and none can be asked for."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function, self.rows, self.largest = function, 0, 0

    def forward(self, x: Tensor) -> Tensor:
        self.rows, self.largest = self.rows + len(x), max(self.largest, len(x))
        z = torch.from_numpy(np.asarray(self.function(x.numpy()), np.float32))
        return torch.stack([-z, z], 1)


def net(seed: int) -> nn.Module:
    module = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 3))
    generator = torch.Generator().manual_seed(seed)
    for p in module.parameters():
        p.data = 0.6 * torch.randn(p.shape, generator=generator)
    return module


class Forest(nn.Module):
    """Eight trees of scikit-learn: no gradient anywhere."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        from sklearn.ensemble import RandomForestClassifier

        draw = np.random.default_rng(seed)
        x = draw.normal((0, 3, 0.5, 0.5, 0.5, 0.5, 4), (1, 3, 0.5, 0.5, 0.5, 0.5, 4), (1000, 7))
        scores = np.maximum(x @ draw.normal(size=(7, 8)), 0) @ draw.normal(size=(8, 3))
        self.trees = RandomForestClassifier(8, max_depth=4, random_state=seed)
        self.trees.fit(x.astype(np.float32), (scores - scores.mean(0)).argmax(1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self.trees.predict_proba(x.numpy()).astype(np.float32))


def attacked(
    model: Model,
    x: Tensor,
    y: Tensor,
    columns: tuple[Column, ...],
    epsilons: tuple[float, ...] = EPSILONS,
    relations: tuple[Relation, ...] = (),
    seen: Tensor | None = None,
    **settings: object,
) -> Frontiers:
    known = x if seen is None else seen
    ball = ball_of(model, columns, relations, Data.of(known, torch.zeros(len(known)).long(), columns=columns))
    with model.frozen():
        return table_curve(model, x, y, epsilons, ball, **{"steps": 10, **settings})


def said(model: Model, x: Tensor) -> Tensor:
    with torch.no_grad():
        return model(x).argmax(1)


# ---- against all legal rows --------------------------------------------------------------------------------------
@pytest.mark.parametrize("relation", ["none", "equals", "at_most"])
@pytest.mark.parametrize(("kind", "seed"), [("net", 1), ("net", 4), ("forest", 0), ("forest", 2)])
def test_finds_what_brute_force_over_all_legal_rows_finds(kind: str, seed: int, relation: str) -> None:
    """Whole numbers, one that only rises, a category, a flag, a sum or bound: in seed 4, 2 of 1,008 rows break one."""
    case = small(net(seed) if kind == "net" else Forest(seed), relation, seed)
    distance = nearest_by_hand(case)
    expected = (np.array(EPSILONS)[None] < distance[:, None] - 1e-9).sum(1)

    found = curve_of(case)

    assert found.index.tolist() == expected.tolist()
    broken = expected < len(EPSILONS)
    assert broken.any()
    assert (found.distance.numpy()[broken] >= distance[broken] - 1e-5).all()
    assert np.mean(found.distance.numpy()[broken] <= distance[broken] + 1e-5) >= 0.95


@pytest.mark.parametrize("relation", ["none", "equals", "at_most"])
@pytest.mark.parametrize("attacks", [ATTACKS, GRADIENTS, SEARCHES], ids=["all", "gradients", "searches"])
def test_every_witness_is_legal_and_wrong_by_an_independent_hand(relation: str, attacks: tuple[object, ...]) -> None:
    case = small(net(3), relation, 3)
    before, seen = in_file_units(case.x, case.columns), np.array(in_file_units(case.x, case.columns)).round(5)

    found = curve_of(case, attacks)

    after, answers = in_file_units(found.witness, case.columns), said(case.model, found.witness)
    broken = np.flatnonzero(found.index.numpy() < len(EPSILONS))
    assert len(broken)
    for i in range(len(before)):
        assert illegal(before[i], after[i], case.columns, case.relations, seen) == []
        far = apart(before[i], after[i], case.columns, seen.std(0))
        assert (int(answers[i]) != int(case.y[i])) == (i in broken)
        if i in broken:
            assert far == pytest.approx(float(found.distance[i]), abs=1e-4)
            assert far <= EPSILONS[int(found.index[i])] + 1e-5
        else:
            assert (far, float(found.distance[i])) == (0, 0)


def test_together_the_attacks_leave_no_more_standing_than_each_alone() -> None:
    for seed in range(3):
        case = small(net(seed), "at_most", seed)
        both, *alone = (curve_of(case, attacks).index for attacks in (ATTACKS, GRADIENTS, SEARCHES))
        for other in alone:
            assert all((both > k).sum() <= (other > k).sum() for k in range(len(EPSILONS)))


# ---- exact distances ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("attacks", [ATTACKS, GRADIENTS, SEARCHES], ids=["all", "gradients", "searches"])
def test_a_linear_model_breaks_exactly_beyond_its_distance(attacks: tuple[object, ...]) -> None:
    case = zoo.linear_table()
    batch = next(case.data.batches(100))
    distance, right = exact_linear(case, batch.x), said(case.model, batch.x) == batch.y
    ladder = (0.05, 0.1, 0.2, 0.4, 0.8)

    found = attacked(case.model, batch.x, batch.y, case.data.columns, ladder, attacks=attacks)

    expected = torch.where(right, (torch.tensor(ladder)[None] < distance[:, None]).sum(1), 0)
    assert found.index.tolist() == expected.tolist()
    broken = right & (expected < len(ladder))
    assert found.distance[broken].tolist() == pytest.approx(distance[broken].tolist(), abs=2e-3)


@pytest.mark.parametrize(("offset", "spread"), [(0.0, 1.0), (2000.0, 5.0), (100.0, 0.1), (-3e5, 300.0)])
def test_inputs_far_from_zero_break_where_they_should(offset: float, spread: float) -> None:
    numbers = torch.randn(50, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = (offset + spread * numbers).float()
    head = nn.Linear(1, 2)
    head.weight.data, head.bias.data = torch.tensor([[0.0], [1.0]]), torch.tensor([0.0, -offset])
    model = Model(head, ("under", "over"), bounds=(x.amin(0), x.amax(0)), unit=torch.tensor([spread]))
    distance = (x.double() - offset)[:, 0].abs() / spread

    found = attacked(model, x, (x[:, 0] > offset).long(), (Column("a", 0, 1),))

    assert found.index.tolist() == (torch.tensor(EPSILONS).double()[None] < distance[:, None]).sum(1).tolist()


def test_along_a_sum_a_linear_model_breaks_at_the_distance_of_its_linear_programme() -> None:
    """Max of w x over |x_i| <= e with x_0 + x_1 + x_2 = 0: by hand e times (largest less smallest weight)."""
    w = torch.tensor([0.5, -1.0, 0.7])
    head = nn.Linear(3, 2)
    head.weight.data, head.bias.data = torch.stack([-w / 2, w / 2]), torch.zeros(2)
    x = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    x[:, 2] = -x[:, 0] - x[:, 1]
    columns = tuple(Column(f"x{i}", i, i + 1) for i in range(3))
    model = Model(head, ("no", "yes"), bounds=(torch.full((3,), -50.0), torch.full((3,), 50.0)), unit=torch.zeros(3))
    relation = Relation(((0, 1.0), (1, 1.0), (2, 1.0)), equals=0.0)
    s = x.double().std(0, correction=0)

    found = attacked(model, x, said(model, x), columns, (0.1, 0.2, 0.4, 0.8), (relation,))

    from scipy.optimize import linprog

    for i in range(len(x)):
        for k, e in enumerate((0.1, 0.2, 0.4, 0.8)):
            sign = 1 if said(model, x)[i] else -1
            reach = [(-e * t, e * t) for t in s.tolist()]
            lp = linprog(sign * w.double().numpy(), A_eq=[[1, 1, 1]], b_eq=[0], bounds=reach)
            breaks = sign * float(x[i].double() @ w.double()) + lp.fun < -1e-6
            assert (int(found.index[i]) <= k) == breaks


# ---- what only an illegal row would break ------------------------------------------------------------------------
A, B = Column("a", 0, 1), Column("b", 1, 2)


def grid() -> Tensor:
    return torch.cartesian_prod(torch.arange(-2.0, 3), torch.arange(-2.0, 3))


@pytest.mark.parametrize(
    ("columns", "relations", "function"),
    [
        ((replace(A, mutable=False), B), (), lambda x: 0.5 - x[:, 0]),
        ((replace(A, integer=True), B), (), lambda x: np.abs(x[:, 0] - np.round(x[:, 0])) < 0.01),
        ((replace(A, increasing_only=True), B), (), lambda x: x[:, 0] + 0.5),
        ((replace(A, high=0.5), B), (), lambda x: 0.75 - x[:, 0]),
        ((A, B), (Relation(((0, 1.0), (1, 1.0)), equals=0.0),), lambda x: np.abs(x[:, 0] + x[:, 1]) < 0.01),
        ((A, B), (Relation(((0, 1.0), (1, 1.0)), at_most=0.0),), lambda x: 0.25 - x[:, 0] - x[:, 1]),
        ((replace(A, kind="flag"), B), (), lambda x: np.abs(x[:, 0] - np.round(x[:, 0])) < 0.01),
        ((A, B), (), lambda x: 2.05 - x[:, 0]),
    ],
    ids=["immutable", "whole", "rising", "range", "equals", "at most", "flag", "never seen"],
)  # fmt: skip
def test_a_row_that_only_an_illegal_change_breaks_stands(
    columns: tuple[Column, ...], relations: tuple[Relation, ...], function: object
) -> None:
    def score(x: np.ndarray) -> np.ndarray:
        values = function(x)
        return np.where(values, 1.0, -1.0) if values.dtype == bool else values

    wide = Model(Score(score), ("no", "yes"), bounds=(-4.0, 4.0))
    model = replace(wide, bounds=(grid().amin(0), grid().amax(0)), unit=torch.zeros(2) if relations else 1.0)
    x, y, ladder = torch.zeros(1, 2), torch.ones(1).long(), (0.5, 1.0, 3.0)

    found = attacked(model, x, y, columns, ladder, relations, grid())
    without_the_rule = attacked(wide, x, y, (A, B), ladder, (), grid())

    assert (int(found.index[0]), float(found.distance[0])) == (3, 0.0)
    assert int(without_the_rule.index[0]) < 3


def test_a_row_that_breaks_a_relation_stays_on_its_side_or_is_brought_onto_it() -> None:
    relation = Relation(((0, 1.0), (1, 1.0)), equals=0.0)
    model = Model(
        Score(lambda x: 1.5 - x[:, 0]), ("no", "yes"), bounds=(grid().amin(0), grid().amax(0)), unit=torch.zeros(2)
    )
    x = torch.tensor([[1.0, 1.0]])

    found = attacked(model, x, torch.ones(1).long(), (A, B), (0.5, 1.0, 3.0), (relation,), grid())

    assert float(found.witness.sum()) == pytest.approx(0, abs=1e-5)
    assert float(found.witness[0, 0]) > 1.5
    assert float(found.distance[0]) == pytest.approx(2.5 / 2**0.5, abs=0.01)  # b falls to -1.5, in its deviations


def test_a_value_beyond_its_range_stays_or_moves_back_into_it() -> None:
    model = Model(Score(lambda x: x[:, 0] - 3.5), ("no", "yes"), bounds=(grid().amin(0), grid().amax(0)))
    x = torch.tensor([[4.0, 0.0]])

    found = attacked(model, x, torch.ones(1).long(), (A, B), (1.0, 1.9, 2.1, 5.0), (), grid())

    assert int(found.index[0]) == 2  # 3.4 would break it, but is as illegal as 4 is
    assert float(found.witness[0, 0]) == pytest.approx(2.0)


# ---- models without gradients, categories ------------------------------------------------------------------------
def test_search_finds_what_gradients_cannot() -> None:
    """Two columns and a category at once, where no single change says anything."""
    columns = (A, B, Column("c", 2, 5, "category", ("x", "y", "z")))
    trap = Score(lambda x: np.where((x[:, 0] > 0.4) & (x[:, 1] < -0.4) & (x[:, 4] > 0.5), -1.0, 1.0))
    draw = np.random.default_rng(0)
    seen = torch.from_numpy(
        np.concatenate([draw.uniform(-2, 2, (60, 2)), np.eye(3)[draw.integers(0, 3, 60)]], 1)
    ).float()
    model = Model(trap, ("no", "yes"), bounds=(seen.amin(0), seen.amax(0)))
    x, y = torch.tensor([[0.0, 0, 1, 0, 0]]), torch.ones(1).long()

    found = {name: attacked(model, x, y, columns, (0.5, 1.0, 2.0), (), seen, attacks=attacks, steps=20)
             for name, attacks in (("gradient", GRADIENTS[:1]), ("search", SEARCHES))}  # fmt: skip

    assert int(found["gradient"].index[0]) == 3
    assert (int(found["search"].index[0]), float(found["search"].distance[0])) == (1, 1.0)


def test_steps_break_where_a_tree_splits() -> None:
    model = Model(Score(lambda x: np.where(x[:, 0] > 0.7, -1.0, 1.0)), ("no", "yes"), bounds=(-5.0, 5.0))

    found = attacked(model, torch.zeros(1, 2), torch.ones(1).long(), (A, B), (0.5, 1.0, 2.0), (), grid())

    assert float(found.distance[0]) == pytest.approx(0.7, abs=1e-3)


def test_a_category_takes_values_that_rows_hold_and_from_a_deviation_on() -> None:
    columns = (Column("c", 0, 3, "category", ("x", "y", "z")),)
    head = nn.Linear(3, 3)
    head.weight.data, head.bias.data = torch.eye(3), torch.zeros(3)
    seen = torch.eye(3)
    model = Model(head, ("x", "y", "z"))

    found = attacked(model, seen, torch.arange(3), columns, (0.99, 1.0))
    never = attacked(model, seen[:2], torch.arange(2), columns, (0.99, 1.0))
    unknown = attacked(model, torch.zeros(1, 3), torch.zeros(1).long(), columns, (0.99, 1.0), (), seen)

    assert (found.index.tolist(), found.distance.tolist()) == ([1, 1, 1], [1, 1, 1])
    assert never.witness.argmax(1).tolist() == [1, 0]
    assert (int(unknown.index[0]), float(unknown.witness.sum())) == (1, 1.0)  # none of the values becomes one


def test_a_tie_goes_to_the_class_that_the_model_names() -> None:
    model = Model(Score(lambda x: np.where(x[:, 0] > 0.7, 0.0, 1.0)), ("no", "yes"), bounds=(-5.0, 5.0))
    ladder, x = (0.5, 1.0), torch.zeros(1, 2)

    named_first = attacked(model, x, torch.ones(1).long(), (A, B), ladder, (), grid())
    named_second = attacked(replace(model, module=Score(lambda x: np.where(x[:, 0] > 0.7, 0.0, -1.0))), x,
                            torch.zeros(1).long(), (A, B), ladder, (), grid())  # fmt: skip

    assert (int(named_first.index[0]), int(named_second.index[0])) == (1, 2)


# ---- wrong rows, seeds, memory -----------------------------------------------------------------------------------
def test_a_wrong_answer_is_broken_at_nothing() -> None:
    case = zoo.linear_table()
    batch = next(case.data.batches(100))
    wrong = said(case.model, batch.x) != batch.y

    found = attacked(case.model, batch.x, batch.y, case.data.columns)

    assert wrong.sum() == 4
    assert found.index[wrong].tolist() == [0] * 4
    assert found.distance[wrong].tolist() == [0] * 4
    assert torch.equal(found.witness[wrong], batch.x[wrong])


def test_an_answer_that_is_nan_is_wrong() -> None:
    model = Model(Score(lambda x: x[:, 0] * np.nan), ("no", "yes"))

    assert attacked(model, grid(), torch.zeros(25).long(), (A, B)).index.tolist() == [0] * 25


def test_the_same_seed_gives_the_same_rows_and_no_row_depends_on_the_others() -> None:
    case = small(net(2), "at_most", 2)
    whole, again = (curve_of(case, seed=7) for _ in range(2))
    ball = ball_of(case.model, case.columns, case.relations, case.data)
    ids = torch.arange(len(case.x))
    with case.model.frozen():
        parts = [
            table_curve(case.model, case.x[i], case.y[i], EPSILONS, ball, steps=10, seed=7, ids=i.numpy())
            for i in ids.split(9)
        ]

    assert torch.equal(whole.witness, again.witness)
    assert torch.equal(torch.cat([p.index for p in parts]), whole.index)
    assert torch.allclose(torch.cat([p.witness for p in parts]), whole.witness, atol=1e-5)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_never_more_inputs_at_once_than_asked_for(size: int) -> None:
    trap = Score(lambda x: 0.7 - x[:, 0])
    model = Model(trap, ("no", "yes"), bounds=(-5.0, 5.0))

    attacked(model, torch.zeros(5, 2), torch.ones(5).long(), (A, B), (0.5, 1.0), (), grid(), size=size, steps=2)

    assert trap.largest <= size
    assert trap.largest == size or size == 64  # noqa: PLR1714


def test_more_columns_than_can_be_tried_one_by_one() -> None:
    head = nn.Linear(900, 2)
    torch.manual_seed(0)
    head.weight.data = torch.randn(2, 900)
    x = torch.randn(4, 900)
    columns = tuple(Column(f"c{i}", i, i + 1) for i in range(900))
    model = Model(head, ("no", "yes"), bounds=(torch.full((900,), -50.0), torch.full((900,), 50.0)))
    w, b = (head.weight[1] - head.weight[0]).detach(), (head.bias[1] - head.bias[0]).detach()
    distance = (x @ w + b).abs() / w.abs().sum()

    found = attacked(model, x, said(model, x), columns, (0.001, 0.01, 0.1), steps=3)

    assert found.index.tolist() == (torch.tensor([0.001, 0.01, 0.1])[None] < distance[:, None]).sum(1).tolist()


@pytest.mark.parametrize("epsilons", [(1e-9,), (1e9,)])
def test_tiny_and_huge_epsilons(epsilons: tuple[float, ...]) -> None:
    case = zoo.linear_table()
    batch = next(case.data.batches(100))
    right = said(case.model, batch.x) == batch.y

    found = attacked(case.model, batch.x, batch.y, case.data.columns, epsilons, steps=3)

    assert int((found.index > 0).sum()) == (int(right.sum()) if epsilons[0] < 1 else 0)
    assert bool((found.witness.abs() <= 50).all())
