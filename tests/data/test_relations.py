"""[[relations]] and what [[columns]] says of changes: read into the data, and kept by attacks."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from auditor.columns import Relation
from auditor.errors import UsageError
from tests.data.reading import SPEC, read

PLAIN = {"path": "t.csv", "target": "y"}


def test_a_relation_is_read_by_the_places_of_its_columns(table: Path) -> None:
    given = [{"weights": {"member": 2.0, "age": -1.0}, "at_most": 3.5}, {"weights": {"age": 1.0}, "equals": 0}]

    found = read(table, SPEC, relations=given)

    assert found.data.relations == (
        Relation(((1, 2.0), (0, -1.0)), None, 3.5),
        Relation(((0, 1.0),), 0.0, None),
    )
    assert found.data.at(found.data.row_ids[:2]).relations == found.data.relations
    assert read(table, SPEC).data.relations == ()


def test_attacks_that_move_each_element_alone_leave_the_columns_of_a_relation(table: Path) -> None:
    free = read(table, SPEC)
    bound = read(table, SPEC, relations=[{"weights": {"age": 1.0}, "at_most": 100}])

    assert torch.as_tensor(free.unit).tolist()[0] > 0
    assert torch.as_tensor(bound.unit).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("income", "names 'income', which is no input column of 't.csv'; it has: age, city"),
        ("city", "names 'city', which is a category; expected numbers and flags"),
    ],
)
def test_a_relation_of_what_is_no_number_is_refused_in_one_line(table: Path, name: str, message: str) -> None:
    columns = [{"name": "age"}, {"name": "city", "kind": "category", "values": ["x", "y"]}]

    with pytest.raises(UsageError, match="relations") as e:
        read(table, PLAIN, columns=columns, relations=[{"weights": {name: 1.0}, "equals": 0}])

    assert message in str(e.value)
    assert "\n" not in str(e.value)


def test_what_is_said_of_a_columns_changes_is_kept_in_units_of_the_file(table: Path) -> None:
    age = {"name": "age", "mean": 25.0, "std": 2.0, "min": 22, "integer": True}
    member = {"name": "member", "kind": "flag", "increasing_only": True, "mutable": False}

    first, second = read(table, PLAIN, columns=[age, member]).data.columns

    assert (first.low, first.high, first.integer, first.increasing_only) == (22, math.inf, True, False)
    assert (first.mutable, first.continuous) == (True, False)  # changes may move it, attacks do not
    assert (second.mutable, second.integer, second.increasing_only) == (False, False, True)
    assert (second.low, second.high) == (-math.inf, math.inf)
