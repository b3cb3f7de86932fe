"""Which values are missing, what stands in for them, and what the model answers, by hand and by brute force."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from auditor.columns import Column, Labels
from auditor.missing.answers import ALL, KINDS, answers_of, at_group
from auditor.missing.asked import asked
from auditor.missing.fill import fill_of, filled
from auditor.missing.nan import given_nan
from auditor.missing.patterns import SHARES, Draws, draws_of
from auditor.registry import Context
from auditor.subject import Data
from tests import zoo
from tests.checks.tables import classifier, normal, regression

COLUMNS = (
    Column("age", 0, 1, mean=40.0, std=10.0),
    Column("sort", 1, 4, "category", ("a", "b", "c")),
    Column("flag", 4, 5, "flag"),
)


def joined(rows: int, columns: int, size: int) -> Draws:
    parts = list(draws_of(3, rows, columns, size))
    return Draws(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("cells", "runs", "since")))


# ---- patterns ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_the_share_of_values_is_missing_and_more_so_at_larger_shares(kind: str) -> None:
    draws, before = joined(2000, 7, 64), np.zeros((2000, 7), np.bool_)
    for share in SHARES:
        missing = KINDS[kind](draws, share)

        assert missing.mean() == pytest.approx(share, abs=0.015)
        assert not (before & ~missing).any()
        before = missing


def test_draws_do_not_depend_on_the_batch() -> None:
    one, other = joined(100, 5, 100), joined(100, 5, 7)

    assert np.array_equal(one.cells, other.cells)
    assert np.array_equal(one.runs, other.runs)
    assert np.array_equal(one.since, other.since)


def test_a_run_is_of_neighbouring_columns_as_long_as_its_share() -> None:
    missing = joined(300, 10, 300).run(0.25)

    assert set(missing.sum(1)) == {2, 3}  # 2.5 on average
    turns = (missing != np.roll(missing, 1, axis=1)).sum(1)  # one start and one end, the last beside the first
    assert set(turns) == {2}
    assert set(missing.argmax(1)) > {0, 3, 6}


def test_an_outage_is_of_consecutive_rows_and_takes_all_their_values() -> None:
    missing = joined(50, 3, 8).outage(0.2)

    assert missing.all(1).sum() == missing.any(1).sum() == 10
    assert (missing[:, 0] != np.roll(missing[:, 0], 1)).sum() == 2


# ---- what stands in ----------------------------------------------------------------------------------------------
def table(ages: list[float], sorts: list[int], flags: list[float]) -> Tensor:
    sort = torch.cat([torch.eye(3), torch.zeros(1, 3)])[sorts]
    return torch.cat([(torch.tensor(ages)[:, None] - 40) / 10, sort, torch.tensor(flags)[:, None]], 1)


def test_numbers_are_filled_by_the_median_and_others_by_what_is_commonest() -> None:
    # 3 stands for a value that the category does not have: it is commonest and never filled in
    x = table([20, 30, 70, float("nan")], [3, 1, 3, 1], [0, 1, 1, 0])
    data = Data.of(x, torch.zeros(4, dtype=torch.long), columns=COLUMNS)
    median, mean = (fill_of(Context(None, data), COLUMNS, how) for how in ("median", "mean"))

    assert median.shown == ("30", "b", "0")  # of equally common ones the first
    assert median.x.tolist() == pytest.approx([-1.0, 0, 1, 0, 0])
    assert mean.shown[0] == "40"
    assert median.made_of == "4 audited rows"


def test_whole_numbers_stay_whole_and_the_reference_comes_first() -> None:
    whole = (replace(COLUMNS[0], integer=True), *COLUMNS[1:])
    x, other = table([20], [0], [0]), table([30, 31, 33, 34], [2, 2, 0, 1], [1, 1, 0, 1])
    sides = [Data.of(t, torch.zeros(len(t), dtype=torch.long), columns=whole) for t in (x, other)]
    ctx = Context(None, sides[0], sides[1])

    assert fill_of(ctx, whole, "mean").shown == ("32", "c", "1")
    assert fill_of(ctx, COLUMNS, "median").made_of == "4 reference rows"


def test_a_column_without_any_value_gets_the_files_mean_and_no_category() -> None:
    x = table([float("nan")] * 2, [3, 3], [float("nan")] * 2)
    data = Data.of(x, torch.zeros(2, dtype=torch.long), columns=COLUMNS)

    assert fill_of(Context(None, data), COLUMNS, "median").x.tolist() == [0, 0, 0, 0, 0]


def test_a_missing_category_is_filled_in_all_its_elements() -> None:
    x, fill = table([20, 60], [0, 1], [1, 0]), torch.tensor([9.0, 0, 0, 1, 5])
    one = filled(x, np.array([[False, True, False], [True, False, True]]), COLUMNS, fill)

    assert one.tolist() == [[-2, 0, 0, 1, 1], [9, 0, 1, 0, 5]]
    assert filled(x, np.array([False, False, True]), COLUMNS, fill)[:, 4].tolist() == [5, 5]


# ---- answers -----------------------------------------------------------------------------------------------------
def test_an_error_or_nan_in_one_row_leaves_the_others_their_answers() -> None:
    def logit(x: Tensor) -> Tensor:
        if (x[:, 0] > 5).any():
            raise ValueError
        return x[:, 0]

    x = torch.tensor([[1.0], [-1.0], [9.0], [float("nan")], [2.0]])
    answers, raised = asked(classifier(logit, x.clamp(max=4)).model, x)

    assert np.array_equal(answers, [1, 0, np.nan, np.nan, 1], equal_nan=True)
    assert raised.tolist() == [False, False, True, False, False]


def answered(one: zoo.Case, size: int = 11, **facts: Any) -> Any:
    columns = one.data.columns
    fill = torch.tensor([3.0, -1.0, 0.5])
    return answers_of(one.model, replace(one.data, **facts), columns, (0, 2), fill, size, 5), fill


def test_answers_are_those_of_rows_filled_by_hand() -> None:
    x = normal(60, 3)
    one = classifier(lambda x: x[:, 0] + x[:, 1] * x[:, 2], x)
    found, fill = answered(one)
    draws = next(draws_of(5, 60, 3, 60))

    for (kind, share), answers in found.kinds.items():
        missing = KINDS[kind](draws, share)
        for i in range(60):
            row = [float(fill[j] if missing[i, j] else x[i, j]) for j in range(3)]
            assert answers[i] == (row[0] + row[1] * row[2] > 0)
    for i in range(60):
        assert found.columns[2, ALL][i] == (x[i, 0] + x[i, 1] * fill[2] > 0)
        gone = draws.cells[i, 2] < 0.2
        assert found.columns[2, 0.2][i] == (x[i, 0] + x[i, 1] * (fill[2] if gone else x[i, 2]) > 0)
    assert set(found.columns) == {(c, s) for c in (0, 2) for s in (*SHARES, ALL)}


def test_answers_do_not_depend_on_the_batch() -> None:
    one = classifier(lambda x: x[:, 0] + x[:, 1], normal(40, 3))
    (first, _), (second, _) = answered(one, 7), answered(one, 64)

    assert all(np.array_equal(first.kinds[k], second.kinds[k]) for k in first.kinds)
    assert all(np.array_equal(first.columns[k], second.columns[k]) for k in first.columns)


def test_of_one_group_alone_values_are_missing() -> None:
    one = classifier(lambda x: x[:, 0], normal(80, 3))
    found, _ = answered(one)
    labels = Labels.of(["a", "b"] * 40)
    answers = at_group(found, labels, 1, 0.4)

    assert np.array_equal(answers[::2], found.clean[::2])
    assert np.array_equal(answers[1::2], found.kinds["random", 0.4][1::2])
    assert (answers != found.clean).any()


def test_scores_are_right_answers_or_errors() -> None:
    one = classifier(lambda x: x[:, 0], normal(5, 3))
    found, _ = answered(one)
    assert found.scores(np.array([1 - y if i == 2 else y for i, y in enumerate(found.y)])).tolist() == [1, 1, 0, 1, 1]

    values, _ = answered(regression(lambda x: x[:, 0], normal(3, 3)))
    assert values.scores(values.y + np.array([0, -2, np.nan])).tolist() == [0, pytest.approx(2), np.inf]


# ---- NaN ---------------------------------------------------------------------------------------------------------
def test_where_nan_is_answered_given_out_or_refused() -> None:
    def logit(x: Tensor) -> Tensor:
        if x[:, 2].isnan().any():
            raise ValueError
        return torch.where(x[:, 1] > 0, 1.0, -1.0) + 0.1 * x[:, 0]  # whether it is above 0 is never NaN

    one = classifier(logit, normal(40, 3))
    found = given_nan(one.model, one.data, one.data.columns, (0, 1, 2), 9, 0)
    by = {g.where: (g.n, g.nan, g.raises, g.silent) for g in found}

    assert by["c0"] == (32, 32, 0, 0)
    assert by["c1"] == (32, 0, 0, 32)
    assert by["c2"] == (32, 0, 32, 0)
    assert by["all values of each row"] == (40, 0, 40, 0)
    n, *parts = by["one value of each row"]
    assert n == sum(parts) == 40
    assert min(parts) > 5  # of 40 a third each
    says_no = next(g for g in found if g.where == "c1")
    few = one.data.take(32, 0)
    assert says_no.right == int((few.y == 0).sum())
