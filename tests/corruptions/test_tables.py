"""Mistakes in tables by hand: in the units of the file, as far as the audit file allows of a column."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from auditor.columns import Column, Relation
from auditor.corruptions.kinds import Part
from auditor.corruptions.tables import FACTORS, NOISE, legal, table_kind
from auditor.errors import NotApplicable
from auditor.registry import Context
from auditor.subject import Data, Model
from auditor.tables.file_units import decoded

COLUMNS = (
    Column("income", 0, 1, mean=40000.0, std=10000.0),
    Column("age", 1, 2, mean=40.0, std=10.0, integer=True, low=18, high=100),
    Column("member", 2, 3, kind="flag"),
    Column("city", 3, 6, kind="category", values=("x", "y", "z")),
)
ROWS = np.array([[41234.0, 37.0, 1.0, 0.0], [9876.0, 64.0, 0.0, 2.0], [55555.0, 23.0, 1.0, 1.0]])


def inputs(rows: np.ndarray, columns: tuple[Column, ...] = COLUMNS) -> torch.Tensor:
    x = torch.zeros(len(rows), columns[-1].stop)
    for i, c in enumerate(columns):
        if c.kind == "category":
            x[torch.arange(len(rows)), c.start + torch.from_numpy(rows[:, i]).long()] = 1
        else:
            number = c.kind == "number"
            x[:, c.start] = torch.from_numpy((rows[:, i] - (c.mean if number else 0)) / (c.std if number else 1))
    return x


def context(columns: tuple[Column, ...] = COLUMNS, rows: np.ndarray = ROWS, **facts: object) -> Context:
    data = Data.of(inputs(rows, columns), torch.zeros(len(rows), dtype=torch.int64), columns=columns)
    return Context(None, replace(data, **facts))


FREE = Model(nn.Identity(), ("no", "yes"), bounds=(-np.inf, np.inf))


def after(family: str, severity: int, ctx: Context | None = None, model: Model = FREE) -> np.ndarray:
    ctx = ctx or context()
    x = ctx.data.read(np.arange(len(ctx.data)))
    return decoded(table_kind(ctx, model).families[family](Part(x, ctx.data.row_ids), severity), ctx.data.columns)


@pytest.mark.parametrize(
    ("severity", "income"),
    [(1, [41200, 9880, 55600]), (2, [41000, 9900, 55500]), (3, [41000, 9900, 56000]), (4, [40000, 10000, 55000]),
     (5, [40000, 10000, 60000])],
)  # fmt: skip
def test_rounding_to_digits_by_hand(severity: int, income: list[float]) -> None:
    found = after("rounding", severity)

    assert found[:, 0].tolist() == pytest.approx(income, rel=1e-5)
    assert found[:, 2:].tolist() == ROWS[:, 2:].tolist()
    # ages stay whole, and in their range
    ages = {1: [37, 64, 23], 2: [37, 64, 23], 3: [37, 64, 23], 4: [35, 65, 25], 5: [40, 60, 20]}[severity]
    assert found[:, 1].tolist() == ages


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_a_unit_mistake_multiplies_one_number_of_the_row_or_is_not_made(severity: int) -> None:
    for seed in range(5):
        found = after("unit_mistake", severity, replace(context(), seed=seed))
        for own, row in zip(ROWS, found, strict=True):
            changed = np.flatnonzero(row != own)
            # an age times ten is beyond 100, and an age divided is no whole number or below 18
            assert changed.tolist() in ([], [0])
            assert len(changed) == 0 or row[0] == pytest.approx(own[0] * FACTORS[severity - 1], rel=1e-5, abs=0.01)


def test_without_a_range_every_row_has_one_unit_mistake() -> None:
    free = tuple(replace(c, integer=False, low=-np.inf, high=np.inf) for c in COLUMNS)
    found = after("unit_mistake", 3, context(free))

    assert ((found != ROWS).sum(1) == 1).all()
    assert found[found != ROWS] == pytest.approx(1000 * ROWS[found != ROWS], rel=1e-5)


def test_noise_has_the_share_of_a_deviation_that_it_says() -> None:
    generator = np.random.default_rng(0)
    rows = np.stack([generator.normal(40000, 10000, 3000), generator.normal(40, 10, 3000)], 1)
    columns = (COLUMNS[0], replace(COLUMNS[1], integer=False, low=-np.inf, high=np.inf))
    ctx = context(columns, rows)
    for severity, share in enumerate(NOISE, 1):
        away = after("noise", severity, ctx) - rows
        assert away.std(0) == pytest.approx(share * rows.std(0), rel=0.05)
        assert np.abs(away.mean(0) / rows.std(0)).max() < 0.05


def test_noise_keeps_what_the_file_says_of_a_column() -> None:
    ages = after("noise", 5)[:, 1]

    assert (ages == ages.round()).all()
    assert ((ages >= 18) & (ages <= 100)).all()


def test_values_that_lie_outside_a_range_already_may_stay() -> None:
    own = np.array([[50000.0, 120.0, 1.0, 0.0]])

    assert legal(own, own.copy(), COLUMNS, near=True)[0, 1] == 120
    assert legal(own, np.array([[50000.0, 130.0, 1.0, 0.0]]), COLUMNS, near=True)[0, 1] == 120
    assert legal(own, np.array([[50000.0, 50.5, 1.0, 0.0]]), COLUMNS, near=False)[0, 1] == 120


def test_columns_of_like_kind_are_swapped_and_no_others() -> None:
    found = after("swapped_columns", 1)  # income and age alone are alike: no income is an age

    assert (found[:, 2:] == ROWS[:, 2:]).all()
    assert (found[:, 1] == ROWS[:, 1]).all()
    assert found[:, 0].tolist() == pytest.approx(ROWS[:, 1].tolist(), rel=1e-4)


def test_draws_depend_on_the_row_and_not_on_its_part() -> None:
    ctx = context()
    kind = table_kind(ctx, FREE)
    for corrupt in kind.families.values():
        x = ctx.data.read(np.arange(3))
        whole = corrupt(Part(x, ctx.data.row_ids), 5)
        assert torch.equal(whole[2:], corrupt(Part(x[2:], ctx.data.row_ids[2:]), 5))


def test_what_cannot_be_done_is_said() -> None:
    relation = Relation(((0, 1.0), (1, 1.0)), at_most=1e9)
    said = " ".join(table_kind(context(relations=(relation,)), FREE).caveats)

    assert "by swaps alone: member, city" in said
    assert "whole numbers, a range or one direction" in said
    assert "age" in said
    assert "do not keep the relations" in said


def test_columns_without_numbers_or_likes_are_not_applicable() -> None:
    columns = (Column("member", 0, 1, kind="flag"), Column("city", 1, 4, kind="category", values=("x", "y", "z")))

    with pytest.raises(NotApplicable, match="nothing to mistake"):
        table_kind(context(columns, ROWS[:, 2:]), FREE)


def test_missing_values_stay_missing() -> None:
    rows = ROWS.copy()
    rows[1, 0] = np.nan
    ctx = context(rows=rows)
    for family in ("noise", "rounding", "unit_mistake"):
        assert np.isnan(after(family, 3, ctx)[1, 0])
        assert np.isfinite(after(family, 3, ctx)[0]).all()


def test_columns_that_may_not_change_or_never_do_stay() -> None:
    columns = (replace(COLUMNS[0], mutable=False), *COLUMNS[1:], Column("rate", 6, 7, mean=2.0, std=1.0))
    rows = np.concatenate([ROWS, np.full((3, 1), 3.14159)], 1)
    ctx = context(columns, rows)
    for family in table_kind(ctx, FREE).families:
        for severity in (1, 5):
            found = after(family, severity, ctx)
            assert found[:, [0, 4]] == pytest.approx(rows[:, [0, 4]], rel=1e-6)
    assert (after("noise", 5, ctx)[:, 1] != rows[:, 1]).any()
    assert any("may not change by the audit file, or never do" in c and "income, rate" in c
               for c in table_kind(ctx, FREE).caveats)  # fmt: skip


def test_a_column_that_only_grows_never_falls() -> None:
    columns = (replace(COLUMNS[0], increasing_only=True), *COLUMNS[1:])
    for family in ("noise", "rounding", "unit_mistake"):
        for severity in range(1, 6):
            assert (after(family, severity, context(columns))[:, 0] >= ROWS[:, 0] - 1e-2).all()
    assert (after("noise", 5, context(columns))[:, 0] > ROWS[:, 0] + 1).any()


def test_noise_stays_in_the_range_that_was_seen_and_a_unit_mistake_does_not() -> None:
    seen = inputs(ROWS)
    held = Model(nn.Identity(), ("no", "yes"), bounds=(seen.min(0).values, seen.max(0).values))
    low, high = ROWS.min(0), ROWS.max(0)

    for severity in range(1, 6):
        for family in ("noise", "rounding"):
            found = after(family, severity, model=held)
            assert (found >= low - 1e-2).all()
            assert (found <= high + 1e-2).all()
    assert after("unit_mistake", 3, model=held)[:, 0].max() > 1000 * low[0]
