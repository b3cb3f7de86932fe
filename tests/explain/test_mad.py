"""Distances in MADs against hand counts and a plain double loop; rows in units of their file."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from auditor.columns import Column
from auditor.explain.counterfactual.mad import Distance
from auditor.tables.file_units import decoded, encoded, said
from tests import zoo

COLUMNS = (
    Column("a", 0, 1),
    Column("rare", 1, 2),
    Column("same", 2, 3),
    Column("flag", 3, 4, "flag"),
    Column("city", 4, 7, "category", ("x", "y", "z")),
)
ROWS = np.array([[1, 0, 5, 0, 0], [2, 0, 5, 1, 1], [4, 0, 5, 0, 2], [8, 4, 5, 0, 0]], np.float64)


def test_numbers_count_in_mads_or_deviations_and_others_one_each() -> None:
    distance = Distance.of(ROWS, COLUMNS)

    assert distance.scale.tolist() == [1.5, np.std([0, 0, 0, 4]), 0, 1, 1]  # medians: 3, then of 2, 1, 1, 5
    assert distance.parts(ROWS[0], ROWS[3]).tolist() == pytest.approx([7 / 1.5, 4 / np.sqrt(3), 0, 0, 0])
    assert distance.parts(ROWS[0] + 9, ROWS[0]).tolist()[2:] == [0, 1, 1]


def test_the_nearest_row_is_that_of_a_double_loop() -> None:
    distance = Distance.of(ROWS, COLUMNS)
    others = ROWS + np.array([[0.5, 0, 1, 0, 1]])
    expected = np.array([[distance.parts(a, b).sum() for b in ROWS] for a in others])

    assert distance.nearest(others, ROWS) == pytest.approx(expected.min(1))
    assert distance.nearest(ROWS, ROWS).tolist() == [0, 0, 0, 0]
    left_out = np.array([0, -1, 2, 3])
    expected = np.array([[distance.parts(a, b).sum() for b in ROWS] for a in ROWS])
    assert distance.nearest(ROWS, ROWS, left_out) == pytest.approx(
        [np.delete(expected[0], 0).min(), 0, np.delete(expected[2], 2).min(), np.delete(expected[3], 3).min()]
    )


def test_what_is_usual_is_the_95th_percentile_without_the_row_itself() -> None:
    rows = np.cumsum(np.arange(101.0))[:, None]  # gaps of 1, 2, ... 100
    distance = Distance.of(rows, (Column("a", 0, 1),))
    gaps = [1, *range(1, 101)]  # of each row to the one before it, of the first to the second

    assert distance.usual(rows) == pytest.approx(np.percentile(gaps, 95) / distance.scale[0])
    assert distance.usual(rows[:1]) is None


def test_a_row_is_what_stood_in_the_file_and_goes_back_to_the_same_input() -> None:
    columns = (
        Column("income", 0, 1, mean=40_123.4567, std=17_890.123),
        Column("rate", 1, 2, mean=0.0123, std=0.0045),
        Column("huge", 2, 3, mean=1e9, std=3e8),
        Column("plain", 3, 4),
    )
    raw = np.array([[41_000, 0.0175, 1_234_567_890, 41_000], [39_999.5, -0.002, 7e8, 1.25e-7]])
    x = torch.from_numpy(((raw - [c.mean for c in columns]) / [c.std for c in columns]).astype(np.float32))

    rows = decoded(x, columns)

    assert rows[:, :2].tolist() == raw[:, :2].tolist()
    assert rows[:, 2] == pytest.approx(raw[:, 2], rel=1e-7)
    assert rows[:, 3] == pytest.approx(raw[:, 3], rel=1e-6)  # not rounded away, small as it is
    assert torch.equal(encoded(rows, rows + 1, x, columns), x)


def test_columns_that_stay_keep_their_elements() -> None:
    case = zoo.categories()
    x = case.data.read(np.arange(4))
    x[0, 2:] = torch.tensor([0.2, 0.3, 0.1])  # no value at all
    own = decoded(x, case.data.columns)
    rows = own.copy()
    rows[:, 0] += 10

    assert own[0].tolist()[2] == 3
    assert torch.equal(encoded(rows, own, x, case.data.columns)[:, 1:], x[:, 1:])
    assert encoded(rows, own, x, case.data.columns)[:, 0] == pytest.approx(x[:, 0] + 1, abs=1e-6)


def test_values_in_words() -> None:
    assert [said(v, COLUMNS[4]) for v in (0.0, 2.0, 3.0)] == ["x", "z", "(none of the values)"]
    assert [said(v, COLUMNS[0]) for v in (41_000.0, 0.30000000000000004, 12_345_678.0)] == ["41000", "0.3", "12345678"]
