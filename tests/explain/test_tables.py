"""Pieces in batches, columns that go together, permutation, partial dependence and ALE: by hand and by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.explain.ale import ale_curves
from auditor.explain.alike import Ranks, close_pairs, groups_alike
from auditor.explain.batched import Floats, Run, in_batches
from auditor.explain.partial import grid_of, ice_curves, shown_values, steps_of
from auditor.explain.permutation import partners, permuted

TWO = (Column("a", 0, 1), Column("b", 1, 2))
CITY = Column("city", 1, 4, "category", ("x", "y", "z"))


def normal(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def run_of(function: Callable[[Tensor], Tensor]) -> Run:
    return lambda x: function(x.double()).numpy()


# ---- batches -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1, 3, 4, 7, 100])
def test_pieces_share_batches_of_one_size_and_come_back_apart(size: int) -> None:
    seen: list[int] = []

    def run(x: Tensor) -> Floats:
        seen.append(len(x))
        return 2 * x[:, 0].double().numpy()

    pieces = [torch.arange(float(n))[:, None] for n in (2, 5, 1, 9)]

    assert [p.tolist() for p in in_batches(run, pieces, size)] == [(2 * p[:, 0]).tolist() for p in pieces]
    assert sum(seen) == 17 and set(seen[:-1]) <= {size} and seen[-1] <= size


def test_pieces_are_made_when_they_are_needed() -> None:
    made: list[int] = []

    def pieces() -> object:
        for i in range(5):
            made.append(i)
            yield torch.zeros(4, 1)

    next(in_batches(run_of(lambda x: x[:, 0]), pieces(), 4))

    assert made == [0]


# ---- columns that go together ------------------------------------------------------------------------------------
def test_how_closely_columns_go_together() -> None:
    a, noise = normal(400, 1), normal(400, 1, 1)
    columns = (Column("a", 0, 1), Column("cube", 1, 2), Column("noise", 2, 3), Column("same", 3, 4))
    ranks = Ranks.of(torch.cat([a, -(a**3), noise, torch.ones(400, 1)], 1), columns)

    assert ranks.correlations(0) == pytest.approx([0, 1, abs(np.corrcoef(_ranks(a), _ranks(noise))[0, 1]), 0])
    assert [pair[:2] for pair in close_pairs(ranks, 0.9)] == [(0, 1)]


def _ranks(x: Tensor) -> Floats:
    return x[:, 0].argsort().argsort().double().numpy()


def test_a_category_goes_with_the_number_that_it_decides_in_any_order() -> None:
    city = torch.arange(300) % 3
    number = torch.tensor([5.0, -1.0, 2.0])[city]  # no order of x, y, z gives this order
    x = torch.cat([number[:, None], torch.eye(3)[city]], 1)
    ((first, second, how),) = close_pairs(Ranks.of(x, (Column("n", 0, 1), CITY)), 0.9)

    assert (first, second) == (0, 1) and how == pytest.approx(1)


def test_a_value_of_few_rows_is_no_company() -> None:
    rare = torch.zeros(100, 3)
    rare[:98, 0], rare[98:, 1] = 1, 1
    x = torch.cat([rare[:, 1:2], rare], 1)  # 2 of 100 rows

    assert close_pairs(Ranks.of(x, (Column("city2", 0, 1, "category", ("q",)), CITY)), 0.9) == []


def test_rows_of_a_group_are_alike_in_what_goes_with_the_column() -> None:
    a = normal(500, 1)
    x = torch.cat([a, a + 0.01 * normal(500, 1, 1), normal(500, 1, 2)], 1)
    columns = tuple(Column(n, i, i + 1) for i, n in enumerate("abc"))
    ranks = Ranks.of(x, columns)
    group = groups_alike(x, ranks, 0, 0)

    assert np.mean([x[group == g, 0].std() for g in np.unique(group)]) < 0.1
    assert np.bincount(np.unique(group, return_inverse=True)[1]).min() >= 10
    assert len(np.unique(groups_alike(x, ranks, 2, 0))) == 1


# ---- permutation -------------------------------------------------------------------------------------------------
def test_partners_are_others_of_the_group_each_once() -> None:
    group = np.array([3, 1, 3, 1, 3, 7, 3, 1])
    found = partners(group, np.random.default_rng(0))

    assert sorted(found) == list(range(8))
    assert (group[found] == group).all()
    assert [i for i in range(8) if found[i] == i] == [5]  # alone


def test_the_importance_of_a_linear_model_is_twice_the_variance_of_its_term() -> None:
    # E (w x - w x')^2 = 2 w^2 var(x) (Fisher et al. 2019, theorem 2)
    x = normal(4000, 2)
    run = run_of(lambda x: (3 * x[:, 0] - x[:, 1])[:, None])
    y = run(x)[:, 0]
    effects = list(
        permuted(run, lambda o: (o[:, 0] - y) ** 2, x, TWO, [np.zeros(4000, int)] * 2, repeats=5, size=512, seed=0)
    )
    spread = x.double().var(0)

    assert effects[0].mean() == pytest.approx(2 * 9 * float(spread[0]), rel=0.05)
    assert effects[1].mean() == pytest.approx(2 * float(spread[1]), rel=0.05)


def test_permutation_importance_is_that_of_scikit_learn() -> None:
    from sklearn.inspection import permutation_importance
    from sklearn.linear_model import LogisticRegression

    x = normal(1500, 3)
    y = (x[:, 0] - 0.5 * x[:, 1] + 0.4 * normal(1500, 1, 1)[:, 0] > 0).long().numpy()
    model = LogisticRegression().fit(x.numpy(), y)
    columns = tuple(Column(n, i, i + 1) for i, n in enumerate("abc"))
    wrong = model.predict(x.numpy()) != y

    def effect(p: Floats) -> Floats:
        return (p.argmax(1) != y).astype(float) - wrong

    groups = [np.zeros(1500, int)] * 3
    ours = permuted(lambda x: model.predict_proba(x.numpy()), effect, x, columns, groups, repeats=20, size=999, seed=0)
    theirs = permutation_importance(model, x.numpy(), y, n_repeats=20, random_state=0)

    # both are means over 20 random shuffles: within four of their standard errors
    error = 4 * np.sqrt(2 / 20) * theirs.importances_std + 1e-3
    assert (np.abs([e.mean() for e in ours] - theirs.importances_mean) < error).all()


def test_of_correlated_copies_neither_is_worth_anything_once_the_other_is_known() -> None:
    a = normal(1000, 1)
    x = torch.cat([a, a + 0.02 * normal(1000, 1, 1)], 1)
    run = run_of(lambda x: x.sum(1, keepdim=True))
    y = run(x)[:, 0]
    ranks = Ranks.of(x, TWO)
    everyone, alike = [np.zeros(1000, int)] * 2, [groups_alike(x, ranks, i, 0) for i in range(2)]
    effect = lambda o: np.abs(o[:, 0] - y)  # noqa: E731
    marginal, conditional = (
        [e.mean() for e in permuted(run, effect, x, TWO, g, repeats=3, size=4096, seed=0)] for g in (everyone, alike)
    )

    assert min(marginal) > 1
    assert max(conditional) < 0.1 * min(marginal)


# ---- partial dependence ------------------------------------------------------------------------------------------
def test_partial_dependence_is_that_of_scikit_learn() -> None:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import partial_dependence

    x = normal(200, 2)
    forest = RandomForestRegressor(5, random_state=0).fit(x.numpy(), (x[:, 0] * x[:, 1]).numpy())
    grid = grid_of(x, TWO[0], 9)
    (ice,) = ice_curves(lambda x: forest.predict(x.numpy()), x, TWO[:1], [grid], 64)
    theirs = partial_dependence(forest, x.numpy(), [0], kind="both", custom_values={0: grid.raw}, method="brute")

    assert ice.mean(0) == pytest.approx(theirs["average"][0], abs=1e-9)
    assert np.allclose(ice, theirs["individual"][0], atol=1e-9)


def test_a_grid_of_values_that_occur() -> None:
    x = torch.cat([torch.tensor([0.0] * 90 + list(range(1, 11)))[:, None], torch.eye(3)[torch.arange(100) % 2]], 1)
    number = grid_of(x, Column("gain", 0, 1, mean=10.0, std=2.0), 5)
    city = grid_of(x, CITY, 5)

    assert number.raw.tolist() == [0, 2, 5, 8, 10]  # of the distinct values: nine rows of ten hold the same
    assert number.shares.sum() == pytest.approx(1) and number.shares[0] == pytest.approx(0.905)  # row 1 counts half
    assert shown_values(Column("gain", 0, 1, mean=10.0, std=2.0), number) == [10, 14, 20, 26, 30]
    assert shown_values(CITY, city) == ["x", "y"]
    assert city.parts.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert city.shares.tolist() == [0.5, 0.5]


def test_rows_that_have_none_of_the_values_have_a_place_on_the_grid() -> None:
    grid = grid_of(torch.tensor([[9.0, 0, 0, 0], [9, 0, 1, 0]]), CITY, 5)

    assert shown_values(CITY, grid) == ["y", "(none of the values)"]
    assert grid.parts.tolist() == [[0, 1, 0], [0, 0, 0]]


def test_small_steps_add_up() -> None:
    ice = np.array([[0.0, 0.6, 1.2, 1.0], [0, 0.6, 0.6, 0.6], [3, 2, 1, 2], [5, 5, 5, 5]])
    rises, falls = steps_of(ice, 0.9)

    assert rises.tolist() == [True, False, True, False]
    assert falls.tolist() == [False, False, True, False]


# ---- ALE ---------------------------------------------------------------------------------------------------------
def test_ale_of_a_linear_model_is_its_line_whatever_goes_together() -> None:
    a = normal(600, 1)
    x = torch.cat([a, a + 0.1 * normal(600, 1, 1)], 1)
    edges = grid_of(x, TWO[0], 12).raw
    (found,) = ale_curves(run_of(lambda x: 3 * x[:, 0] + 5 * x[:, 1]), x, TWO[:1], [edges], 100)

    assert found == pytest.approx(3 * (edges - x[:, 0].double().mean().item()), abs=1e-5)


def test_ale_by_hand() -> None:
    # edges 0, 1, 3: rows at 0, 1 in the first interval, 2, 3 in the second; f = b x^2
    x = torch.tensor([[0.0, 1], [1, 3], [2, 10], [3, 20]])
    (found,) = ale_curves(run_of(lambda x: x[:, 1] * x[:, 0] ** 2), x, TWO[:1], [np.array([0.0, 1.0, 3.0])], 3)
    effects = np.array([0, (1 + 3) / 2, 2 + (10 * 8 + 20 * 8) / 2])  # 0, 2, 122
    mean = (0 + 2 + 62 + 122) / 4  # at the rows' own values, along the lines

    assert found == pytest.approx(effects - mean)


def test_where_columns_go_together_partial_dependence_is_off_and_ale_is_not() -> None:
    # b = a in the data, f = a for rows near it and wild where no row is (Apley & Zhu 2020, section 1)
    a = normal(1000, 1)
    x = torch.cat([a, a], 1)
    trap = run_of(lambda x: x[:, 0] + 100 * ((x[:, 0] - x[:, 1]).abs() > 1))
    grid = grid_of(x, TWO[0], 20)
    (ale,), (ice,) = (
        list(ale_curves(trap, x, TWO[:1], [grid.raw], 512)),
        list(ice_curves(trap, x, TWO[:1], [grid], 512)),
    )
    inside = slice(2, -2)  # the outermost intervals are wider than 1

    assert np.diff(ale)[inside] == pytest.approx(np.diff(grid.raw)[inside], abs=1e-5)
    assert np.ptp(ice.mean(0)) > 10 * np.ptp(ale[inside])


def test_one_edge_has_no_effect() -> None:
    (found,) = ale_curves(run_of(lambda x: x[:, 0]), torch.ones(4, 2), TWO[:1], [np.ones(1)], 8)

    assert found.tolist() == [0]
