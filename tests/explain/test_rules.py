"""Conditions in words, trees as rules, anchors: against what was planted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from auditor.columns import Column
from auditor.explain.anchors import Anchor, Background, anchors, predicates
from auditor.explain.batched import Floats
from auditor.explain.conditions import Condition, words_of
from auditor.explain.surrogate import Rule, follows, holds, jaccard, mixed_rows, r_squared, surrogate

AGE = Column("age", 0, 1, mean=40.0, std=10.0)
CITY = Column("city", 1, 4, "category", ("x", "y", "z"))
COLUMNS = (AGE, CITY, Column("member", 4, 5, "flag"))


def people(rows: int, seed: int = 0) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    city = torch.eye(3)[torch.randint(0, 3, (rows,), generator=chance)]
    member = torch.randint(0, 2, (rows, 1), generator=chance).float()
    return torch.cat([torch.randn(rows, 1, generator=chance), city, member], 1)


# ---- words -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Condition(0, low=-1.5), "age > 25"),
        (Condition(0, high=0.25), "age <= 42.5"),
        (Condition(0, -1.5, 0.25), "25 < age <= 42.5"),
        (Condition(1, values=frozenset({1})), "city = y"),
        (Condition(1, values=frozenset({0, 1})), "city = x or y"),
        (Condition(1, values=frozenset({1, 2, 3})), "city is not x"),
        (Condition(1, values=frozenset({3})), "city = (none of the values)"),
        (Condition(2, low=0.5), "member = 1"),
        (Condition(2, high=0.5), "member = 0"),
    ],
)
def test_conditions_are_in_the_units_of_the_file(condition: Condition, words: str) -> None:
    column = COLUMNS[condition.column]

    assert words_of(condition, column, column.name, binary=column.kind == "flag") == words


def test_a_flag_that_stands_for_more_is_named_by_its_number() -> None:
    kind = Column("kind", 0, 1, "flag")

    assert words_of(Condition(0, 1.5, 2.5), kind, "kind", binary=False) == "kind = 2"
    assert words_of(Condition(0, low=1.5), kind, "kind", binary=False) == "kind > 1.5"


# ---- trees -------------------------------------------------------------------------------------------------------
def planted(x: Tensor) -> Floats:
    """A tree of depth 2: those over 43, and of the others those in y."""
    return ((x[:, 0] > 0.3) | (x[:, 2] > 0.5)).double().numpy()


def test_a_model_that_is_a_small_tree_is_told_in_its_own_rules() -> None:
    x, fresh = people(3000), people(2000, 1)
    found = surrogate(x, planted(x), len(x), COLUMNS, classify=True, seed=0)
    fidelity, enough = follows(found.tree.predict(fresh.numpy()), planted(fresh), classify=True)
    old, in_y, others = sorted(found.rules, key=lambda r: (-r.answer, len(r.conditions)))

    assert enough and fidelity == pytest.approx(1, abs=2e-3)
    assert found.stability == 1
    assert (old.answer, in_y.answer, others.answer) == (1, 1, 0)
    assert old.conditions == (Condition(0, low=pytest.approx(0.3, abs=0.01)),)
    assert in_y.conditions[0] == others.conditions[0] == Condition(0, high=old.conditions[0].low)
    assert in_y.conditions[1:] == (Condition(1, values=frozenset({1})),)
    assert others.conditions[1:] == (Condition(1, values=frozenset({0, 2, 3})),)


def test_every_row_meets_one_rule_and_it_says_what_the_tree_says() -> None:
    x = people(1000)
    y = ((x[:, 0] > 0) ^ (x[:, 4] > 0.5) ^ (x[:, 1] > 0.5)).double().numpy()
    found = surrogate(x, y, len(x), COLUMNS, classify=True, seed=0)
    met = np.stack([holds(r, x, COLUMNS) for r in found.rules])

    assert (met.sum(0) == 1).all()
    assert (np.array([r.answer for r in found.rules])[met.argmax(0)] == found.tree.predict(x.numpy())).all()


def test_leaves_beside_each_other_that_say_the_same_are_one_rule() -> None:
    x = people(1000)
    y = (x[:, 0] > 1).double().numpy()
    y[:5] = 1 - y[:5]  # a few odd rows make the tree go on
    rules = surrogate(x, y, len(x), COLUMNS, classify=True, seed=0).rules

    assert len(rules) == 2 and [len(r.conditions) for r in rules] == [1, 1]


def test_parity_of_many_columns_is_followed_by_no_small_tree() -> None:
    bits = torch.randint(0, 2, (4000, 10), generator=torch.Generator().manual_seed(0)).float()
    columns = tuple(Column(f"b{i}", i, i + 1, "flag") for i in range(10))
    y = (bits.sum(1) % 2).double().numpy()
    found = surrogate(bits[:2000], y[:2000], 2000, columns, classify=True, seed=0)
    fidelity, enough = follows(found.tree.predict(bits[2000:].numpy()), y[2000:], classify=True)

    assert not enough and fidelity < 0.6
    assert found.stability < 0.3


@pytest.mark.parametrize(
    ("right", "common", "enough"),
    [(95, 50, True), (89, 50, False), (95, 89, True), (94, 89, False), (90, 80, True), (100, 100, True)],
)
def test_rules_must_be_right_and_close_half_of_the_gap(right: int, common: int, enough: bool) -> None:
    told = np.array([0.0] * common + [1.0] * (100 - common))
    said = told.copy()
    said[: 100 - right] = 2

    assert follows(said, told, classify=True) == (right / 100, enough)


def test_r_squared() -> None:
    told = np.array([1.0, 2.0, 3.0])

    assert r_squared(told, told) == 1
    assert r_squared(np.full(3, 2.0), told) == 0
    assert r_squared(np.array([1.0, 2.0, 4.0]), told) == pytest.approx(0.5)
    assert r_squared(told, np.ones(3)) is None


def test_rules_are_the_same_whatever_their_thresholds() -> None:
    a, b, c = (Rule((Condition(0, low=t),), 1) for t in (0.1, 0.2, 0.3))
    other = Rule((Condition(0, high=0.1),), 1)

    assert jaccard([a], [b], classify=True) == 1
    assert jaccard([a, other], [c], classify=True) == 0.5
    assert jaccard([a], [Rule(a.conditions, 0)], classify=True) == 0
    assert jaccard([a], [Rule(a.conditions, 0)], classify=False) == 1


def test_mixed_rows_hold_values_that_occur_and_whole_categories() -> None:
    x = people(500)
    mixed = mixed_rows(x, COLUMNS, 0)

    assert set(mixed[:, 0].tolist()) <= set(x[:, 0].tolist())
    assert (mixed[:, 1:4].sum(1) == 1).all()
    changed = (mixed[:, 0] != x[:, 0]).float().mean()
    assert 0.4 < changed < 0.6


# ---- anchors -----------------------------------------------------------------------------------------------------
def test_predicates_are_the_quarter_of_a_number_and_the_very_value_of_others() -> None:
    background = Background(people(1000), COLUMNS)
    row = torch.tensor([-3.0, 0, 0, 1, 1])
    age, city, member = predicates(row, background)

    assert age.low == -np.inf and age.high == pytest.approx(np.quantile(background.raw[:, 0], 0.25), abs=0.01)
    assert city.values == {2}
    assert member == Condition(2, 0.5, 1.5)


def test_a_column_that_is_the_same_everywhere_cannot_anchor() -> None:
    x = people(100)
    x[:, 0] = 1.0

    assert [p.column for p in predicates(x[0], Background(x, COLUMNS))] == [1, 2]


def test_the_rows_drawn_meet_the_conditions_and_are_else_as_the_background() -> None:
    background = Background(people(2000), COLUMNS)
    conditions = (Condition(0, low=0.5), Condition(1, values=frozenset({2})))
    drawn = background.draw(people(1)[0], conditions, 1000, np.random.default_rng(0))

    assert (drawn[:, 0] > 0.5).all() and (drawn[:, 3] == 1).all()
    assert float(drawn[:, 4].mean()) == pytest.approx(float(background.x[:, 4].mean()), abs=0.06)
    assert len(drawn[:, 0].unique()) > 100  # within its bounds the number is free


def search(model: Callable[[Tensor], Tensor], x: Tensor, draws: int = 100) -> list[Anchor]:
    background = Background(people(2000, 9), COLUMNS)
    own = model(x).double().numpy()

    def run(x: Tensor) -> Floats:
        return model(x).double().numpy()

    return anchors(run, lambda s, out: out == own[s], x, background, target=0.95, draws=draws, size=512, seed=0)


def test_one_column_that_decides_is_the_anchor() -> None:
    x = people(6)
    for row, found in zip(x, search(lambda x: x[:, 2] > 0.5, x), strict=True):
        if row[2] > 0.5:
            (condition,) = found.conditions
            assert (condition.column, condition.values) == (1, frozenset({1}))
            assert found.kept == found.draws == 1000
            assert found.covered / found.of == pytest.approx(1 / 3, abs=0.05)


def test_two_columns_that_decide_together_are_found_together() -> None:
    row = torch.tensor([[2.0, 0, 1, 0, 1]])
    (found,) = search(lambda x: (x[:, 2] > 0.5) & (x[:, 4] > 0.5), row)

    assert {c.column for c in found.conditions} == {1, 2}
    assert found.kept == found.draws


def test_of_an_answer_that_never_changes_every_row_is_an_anchor() -> None:
    (found,) = search(lambda x: x[:, 0] > 99, people(1))

    assert (found.conditions, found.kept, found.covered) == ((), 1000, 2000)


def test_the_figures_are_those_of_fresh_draws() -> None:
    # a coin decides: whatever was lucky in the search, one in two keeps the answer
    coin = torch.Generator().manual_seed(1)
    toss = lambda x: torch.randint(0, 2, (len(x),), generator=coin)  # noqa: E731
    (found,) = search(toss, people(1), draws=20)

    assert found.kept / found.draws == pytest.approx(0.5, abs=0.15)
    assert found.draws == 200
