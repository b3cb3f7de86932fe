"""Columns of every kind as names, which a slice can be read back from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from auditor.columns import Column, Labels
from auditor.fairness.slice_columns import MOST_COLUMNS, columns_of, slice_text
from auditor.registry import Context
from auditor.subject import Data, Model
from reports.words import groups_of
from tests import zoo
from tests.reports.records import HOSTILE


def read(
    x: torch.Tensor,
    columns: tuple[Column, ...],
    groups: dict[str, Sequence[str]] | None = None,
    others: Mapping[str, Any] | None = None,
) -> dict[str, list[str]]:
    """The names of every row by column, "" where it has none."""
    data = Data.of(x, torch.zeros(len(x), dtype=torch.long), groups, columns=columns)
    model = None if others is not None else Model(torch.nn.Identity(), ("no", "yes"))
    found, _ = columns_of(Context(model, replace(data, others=None if others is None else lambda: others)))
    return {name: [labels.names[c] if c >= 0 else "" for c in labels.codes] for name, labels in found.items()}


def test_numbers_of_many_values_are_ranges_in_units_of_the_file_and_all_else_stays_as_it_is() -> None:
    age = torch.arange(17, 57).float()
    years = torch.arange(40) % 4
    kind = torch.nn.functional.one_hot(torch.arange(40) % 3, 3).float()
    kind[5] = 0
    columns = (
        Column("age", 0, 1, mean=38.6, std=13.6),
        Column("years", 1, 2, mean=1.5, std=1.25),
        Column("kind", 2, 5, "category", ("x", "y", "z")),
        Column("code", 5, 6, "flag"),
    )
    x = torch.cat([((age - 38.6) / 13.6)[:, None], ((years - 1.5) / 1.25)[:, None], kind, age[:, None]], 1)
    x[7, 1] = torch.nan
    found = read(x, columns)

    assert [found["age"][i] for i in (0, 9, 10, 39)] == ["up to 26", "up to 26", "over 26 to 36", "over 46 to 56"]
    assert found["years"][:4] == ["0", "1", "2", "3"] and found["years"][7] == "(missing)"
    assert found["kind"][:6] == ["x", "y", "z", "x", "y", "(none of the values)"]
    assert found["code"][:2] == ["17", "18"]  # a flag's numbers stand for something: no ranges


def test_sensitive_columns_come_first_and_not_twice_and_their_missing_values_are_none() -> None:
    case = zoo.categories()
    groups = {"sex": ["f", "(missing)"] * (len(case.data) // 2), "city": ["a", "b"] * (len(case.data) // 2)}
    found = read(case.data.read(np.arange(len(case.data))), case.data.columns, groups)

    assert list(found) == ["sex", "city", "age", "member"]
    assert found["sex"][:2] == ["f", ""] and found["city"][:2] == ["a", "b"]


def test_other_columns_of_a_table_of_predictions() -> None:
    pay = np.array([1.5, np.nan, 2.5, 1.5])
    others = {"pay": pay, "work": Labels.of(["x", "", "(missing)", "y"]), "sex": Labels.of(["f"] * 4)}
    found = read(torch.zeros(4, 0), (), {"sex": ["f", "f", "m", "m"]}, others)

    assert found == {
        "sex": ["f", "f", "m", "m"],
        "pay": ["1.5", "(missing)", "2.5", "1.5"],
        "work": ["x", "(empty)", "(missing)", "y"],
    }


def test_other_columns_follow_the_rows_that_are_taken() -> None:
    held: dict[str, Any] = {"pay": np.array([1.0, 2.0, 3.0]), "work": Labels.of(["x", "y", "z"])}
    data = replace(Data.of(torch.zeros(3, 0), torch.zeros(3, dtype=torch.long)), others=lambda: held)
    taken = data.at(np.array([2, 0]))

    assert taken.others is not None
    assert taken.others()["pay"].tolist() == [3.0, 1.0] and list(taken.others()["work"]) == ["z", "x"]
    assert Data.of(torch.zeros(3, 0), torch.zeros(3, dtype=torch.long)).at(np.array([1])).others is None


def test_of_very_many_columns_the_first_are_taken() -> None:
    x = torch.zeros(5, 100)
    data = Data.of(x, torch.zeros(5, dtype=torch.long), {"sex": ["f"] * 5})
    found, more = columns_of(Context(Model(torch.nn.Identity(), ("no", "yes")), data))

    assert len(found) == MOST_COLUMNS == 60 and more == 41
    assert list(found)[:2] == ["sex", "x[0]"]


ODD = ("R&D", "a=b", "a&b=c", "&", "=", "", "x&linf@0.1", "words@2", "a&", "=x&y", "two\nlines", *HOSTILE)


@pytest.mark.parametrize("odd", ODD)
def test_whatever_columns_and_values_are_called_a_slice_is_read_back_from_its_text(odd: str) -> None:
    others = {odd: Labels.of([odd, "plain"]), "job": Labels.of(["x", odd]), "last": Labels.of([odd, odd])}
    data = replace(Data.of(torch.zeros(2, 0), torch.zeros(2, dtype=torch.long)), others=lambda: others)
    columns, more = columns_of(Context(None, data))
    for row in range(2):
        where = [(i, int(labels.codes[row])) for i, labels in enumerate(columns.values())]
        parts = [(name, labels.names[labels.codes[row]]) for name, labels in columns.items()]

        assert groups_of(slice_text(columns, where)) == parts
        assert [groups_of(slice_text(columns, [at])) for at in where] == [[part] for part in parts]
    assert len(columns) == 3 and more == 0


def test_values_that_read_the_same_are_one() -> None:
    labels = Labels.of(["a&b=c", "a+b:c", "R&D"])
    found = read(torch.zeros(3, 0), (), None, {"x": labels})

    assert found == {"x": ["a+b:c", "a+b:c", "R&D"]}
