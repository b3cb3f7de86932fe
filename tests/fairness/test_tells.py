"""What columns tell of groups, together and alone, and how closely they go with them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats.contingency import association
from sklearn.metrics import roc_auc_score

from auditor.columns import Column
from auditor.fairness.crossfit import folds_of
from auditor.fairness.tells import by_columns, by_vectors, cramers_v, values_of

NAN = float("nan")


def numbers(count: int) -> tuple[Column, ...]:
    return tuple(Column(f"c{i}", i, i + 1) for i in range(count))


def told(x: torch.Tensor, columns: tuple[Column, ...], codes: np.ndarray) -> float:
    found = by_columns(x, columns, codes, folds_of(codes, 0), 0)
    return float(roc_auc_score(codes == 1, found[:, 1]))


def test_what_two_columns_say_only_together_is_found() -> None:
    x = torch.randn(600, 3, generator=torch.Generator().manual_seed(0))
    codes = (x[:, 0] * x[:, 1] > 0).long().numpy()

    assert told(x, numbers(3), codes) > 0.9
    assert abs(roc_auc_score(codes, by_vectors(x.double().numpy(), codes, folds_of(codes, 0))[:, 1]) - 0.5) < 0.07


def test_missing_infinite_and_still_columns_are_lived_with() -> None:
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    codes = (x[:, 0] > 0).long().numpy()
    x[::7, 0], x[3, 1], x[:, 2], x[:, 3] = NAN, math.inf, 5.0, NAN

    assert told(x, numbers(4), codes) > 0.9


def test_a_category_tells_by_its_values_and_not_by_their_order() -> None:
    which = torch.arange(300) % 6
    x = torch.nn.functional.one_hot(which, 6).float()
    column = Column("city", 0, 6, "category", tuple("uvwxyz"))
    codes = np.isin(which.numpy(), (0, 3, 4)).astype(np.int64)

    assert told(x, (column,), codes) == 1.0


def test_a_flag_of_more_values_than_trees_take_is_lived_with() -> None:
    x = torch.arange(600.0)[:, None]

    assert told(x, (Column("id", 0, 1, "flag"),), (np.arange(600) >= 300).astype(np.int64)) > 0.95


def test_of_many_columns_the_line_alone_is_asked() -> None:
    x = torch.randn(300, 201, generator=torch.Generator().manual_seed(0))
    codes = (x[:, 0] > 0).long().numpy()
    folds = folds_of(codes, 0)

    assert by_columns(x, numbers(201), codes, folds, 0) == pytest.approx(by_vectors(x.double().numpy(), codes, folds))


def test_values_are_categories_or_ranges_of_as_many_rows() -> None:
    column = Column("city", 0, 3, "category", ("x", "y", "z"))
    x = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]])
    assert values_of(x, column).tolist() == [1, 0, 2, 1]

    number = torch.randn(400, 1, generator=torch.Generator().manual_seed(0))
    number[:40] = NAN
    found = values_of(number, Column("c", 0, 1))
    assert np.bincount(found).tolist() == [18] * 20 + [40]
    assert len(set(found[:40].tolist())) == 1
    order = np.argsort(number[40:, 0].numpy())
    assert (np.diff(found[40:][order]) >= 0).all()


def test_a_number_that_is_mostly_one_value_keeps_it_apart() -> None:
    number = torch.cat([torch.zeros(90), torch.arange(1.0, 11.0)])[:, None]

    assert len(set(values_of(number, Column("gain", 0, 1))[:90].tolist())) == 1
    assert values_of(number, Column("gain", 0, 1))[95] != values_of(number, Column("gain", 0, 1))[0]


def test_cramers_v_is_the_corrected_one() -> None:
    """[[30, 10], [20, 40]]: chi-square 16.667, n 100, so V^2 = (.16667 - 1/99) / (1 - 1/99)."""
    values, codes = np.repeat([0, 0, 1, 1], [30, 10, 20, 40]), np.repeat([0, 1, 0, 1], [30, 10, 20, 40])
    plain = association(np.array([[30, 10], [20, 40]]), method="cramer")
    expected = math.sqrt((plain**2 - 1 / 99) / (1 - 1 / 99))

    assert plain**2 == pytest.approx(1 / 6)
    assert cramers_v(values, codes) == pytest.approx(expected)


def test_cramers_v_at_its_ends_and_where_it_cannot_be_said() -> None:
    codes = np.arange(60) % 3

    assert cramers_v(codes, codes) == pytest.approx(1.0)
    assert cramers_v(np.arange(60) // 3 % 2, codes) == 0.0
    assert cramers_v(np.zeros(60, np.int64), codes) is None
    assert cramers_v(np.arange(60), codes) is None  # each row a value of its own


def test_of_many_values_that_say_nothing_chance_is_taken_off() -> None:
    random = np.random.default_rng(0)
    found, plain = [], []
    for _ in range(30):
        values, codes = random.integers(0, 40, 500), random.integers(0, 4, 500)
        found.append(cramers_v(values, codes))
        table = np.zeros((40, 4), int)
        np.add.at(table, (values, codes), 1)
        plain.append(association(table, method="cramer"))

    assert np.mean(found) < 0.06
    assert np.mean(plain) > 0.2
