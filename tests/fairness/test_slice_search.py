"""The search for slices against one that enumerates every one of them with sets of rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, product

import numpy as np
import pytest

from auditor.fairness.slice_search import Slice, distinct, inside, search
from auditor.integers import Integers

Where = tuple[tuple[int, int], ...]


def every_slice(columns: Sequence[Integers], depth: int) -> Iterator[tuple[Where, set[int]]]:
    """Every slice of up to `depth` columns, and its rows."""
    values = [sorted({int(v) for v in c if v >= 0}) for c in columns]
    for level in range(1, depth + 1):
        for which in combinations(range(len(columns)), level):
            for at in product(*(values[i] for i in which)):
                where = tuple(zip(which, at, strict=True))
                yield where, rows_of(where, columns)


def rows_of(where: Where, columns: Sequence[Integers]) -> set[int]:
    return {i for i in range(len(columns[0])) if all(columns[c][i] == v for c, v in where)}


def tells(where: Where, rows: set[int], wrong: set[int], columns: Sequence[Integers]) -> bool:
    """Whether every value takes a fifth of the rows away and leaves more wrong ones than chance does."""
    for left_out in where:
        wider = rows_of(tuple(part for part in where if part != left_out), columns)
        n, k, drawn = len(wider), len(wider & wrong), len(rows)
        if drawn > 0.8 * n:
            return False
        spread = math.sqrt(drawn * k / n * (n - k) / n * (n - drawn) / (n - 1))  # of the hypergeometric distribution
        if len(rows & wrong) - drawn * k / n <= 1.645 * spread:
            return False
    return True


def brute_force(
    columns: Sequence[Integers], flags: np.ndarray, *, top: int, depth: int, smallest: int, alpha: float
) -> list[Slice]:
    n, wrong = len(flags), set(np.flatnonzero(flags).tolist())
    found = []
    for where, rows in every_slice(columns, depth):
        if len(rows) < smallest:
            continue
        share = len(rows & wrong) / len(rows)
        score = alpha * (share / (len(wrong) / n) - 1) - (1 - alpha) * (n / len(rows) - 1)
        if score > 0 and tells(where, rows, wrong, columns):
            found.append(Slice(where, len(rows), len(rows & wrong), score))
    return sorted(found, key=lambda s: (-round(s.score, 9), len(s.where), s.where))[:top]


def random_table(seed: int, rows: int = 400) -> tuple[list[Integers], np.ndarray]:
    """Five columns of which some go together, one of them with rows of no value; errors that depend on two."""
    random = np.random.default_rng(seed)
    columns = [random.integers(0, k, rows) for k in (2, 3, 4, 5)]
    columns.append(np.where(random.random(rows) < 0.5, columns[1], random.integers(-1, 3, rows)))
    chance = 0.1 + 0.35 * ((columns[0] == 1) & (columns[2] == 2)) + 0.2 * (columns[4] == 0)
    return columns, random.random(rows) < chance


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("top", "depth", "smallest", "alpha"), [(3, 3, 20, 0.95), (50, 3, 5, 0.99), (10, 2, 32, 0.9)])
def test_the_best_are_those_of_all(seed: int, top: int, depth: int, smallest: int, alpha: float) -> None:
    columns, wrong = random_table(seed)
    settings = {"top": top, "depth": depth, "smallest": smallest, "alpha": alpha}
    expected = brute_force(columns, wrong, **settings)
    found = search(columns, wrong, **settings)

    assert expected
    assert [(s.where, s.rows, s.wrong) for s in found.slices] == [(s.where, s.rows, s.wrong) for s in expected]
    assert [s.score for s in found.slices] == pytest.approx([s.score for s in expected], abs=1e-9)


def test_what_cannot_be_among_the_best_is_not_counted() -> None:
    columns, wrong = random_table(0)
    every = sum(1 for _ in every_slice(columns, 3))

    assert search(columns, wrong, top=1, depth=3, smallest=20, alpha=0.95).scored < every / 2


def test_a_hand_count() -> None:
    sex, wrong = np.repeat([0, 1], [60, 40]), np.zeros(100, np.bool_)
    wrong[:6] = wrong[60:74] = True  # 6 of 60 and 14 of 40: .35 against .2 of all
    (found,) = search([sex], wrong, top=5, depth=3, smallest=10, alpha=0.95).slices

    assert found.where == ((0, 1),) and (found.rows, found.wrong) == (40, 14)
    assert found.score == pytest.approx(0.95 * (0.35 / 0.2 - 1) - 0.05 * (100 / 40 - 1))


def crossing(rows: int, seed: int = 0) -> tuple[list[Integers], np.ndarray]:
    """Wrong in .44 of the rows with the value 0 in the second and in the third column; by each alone in .2 always."""
    random = np.random.default_rng(seed)
    columns = [random.integers(0, k, rows) for k in (4, 3, 3, 2)]
    zeros = (columns[1] == 0) * 1 + (columns[2] == 0)
    return columns, random.random(rows) < np.array([0.26, 0.08, 0.44])[zeros]


PLANTED = ((1, 0), (2, 0))


def test_a_slice_of_two_columns_that_are_even_alone_is_found_first() -> None:
    columns, wrong = crossing(6000)
    found = search(columns, wrong, top=10, depth=3, smallest=60, alpha=0.95).slices

    for column in columns[1:3]:
        assert wrong[column == 0].mean() == pytest.approx(0.2, abs=0.02)
    assert found[0].where == PLANTED
    assert all(set(s.where) >= set(PLANTED) for s in found)


def test_rare_values_rows_of_no_value_and_constant_columns_are_no_slices() -> None:
    random = np.random.default_rng(1)
    rare, none, constant = random.integers(0, 5000, 3000), np.full(3000, -1), np.zeros(3000, np.int64)
    wrong = random.random(3000) < 0.2
    missing = np.where(wrong, -1, 0)  # wherever the model is wrong there is no value

    assert search([rare, none, constant, missing], wrong, top=10, depth=3, smallest=32, alpha=0.95).slices == ()


@pytest.mark.parametrize("every", [True, False])
def test_without_an_error_or_without_a_right_answer_there_is_no_slice(every: bool) -> None:
    columns, _ = random_table(0)

    assert search(columns, np.full(400, every), top=5, depth=3, smallest=20, alpha=0.95).slices == ()


def test_neither_the_order_of_rows_nor_the_codes_of_values_matter() -> None:
    columns, wrong = random_table(2)
    order = np.random.default_rng(0).permutation(400)
    settings = {"top": 20, "depth": 3, "smallest": 10, "alpha": 0.95}
    first = search(columns, wrong, **settings)
    second = search([np.where(c < 0, -1, 7 - c)[order] for c in columns], wrong[order], **settings)

    told = {(s.rows, s.wrong, tuple((c, 7 - v) for c, v in s.where)) for s in second.slices}
    assert told == {(s.rows, s.wrong, s.where) for s in first.slices} and second.scored == first.scored


def test_slices_of_nearly_the_same_rows_are_listed_once() -> None:
    columns, wrong = crossing(2000)
    columns = [*columns, columns[1], np.where(np.arange(2000) % 20 == 0, 1 - columns[2], columns[2])]
    found = search(columns, wrong, top=200, depth=3, smallest=40, alpha=0.95).slices
    listed = distinct(found, columns, 10)

    assert listed[0] == found[0] and 2 <= len(listed) < len(found)
    rows = [inside(s.where, columns) for s in listed]
    assert all((a & b).sum() <= 0.8 * (a | b).sum() for a, b in combinations(rows, 2))
    assert distinct(found, columns, 1) == [found[0]]
