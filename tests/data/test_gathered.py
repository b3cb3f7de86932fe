"""A column that comes part by part is the column that comes at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.columns import Labels
from auditor.data import gathered
from auditor.data.gathered import Gathered, NumbersGathered
from auditor.errors import LoadError

MISSING = ("", "?")
DAY = 18_262 * 86_400_000_000  # the first moment of 2020, in microseconds
texts = st.one_of(st.none(), st.sampled_from(["a", "b", "", "?", "(missing)", "7", "é"]))


def held(parts: Sequence[pa.Array], most: int = 100) -> Labels | np.ndarray[Any, Any] | None:
    column, first = Gathered("g", MISSING, most), 0
    for part in parts:
        column.add(part, first)
        first += len(part)
    return column.held()


def names_of(*parts: pa.Array) -> list[str]:
    found = held(parts)
    assert isinstance(found, Labels)
    return list(found)


@given(st.lists(st.lists(texts), max_size=4), st.booleans())
def test_texts_are_the_same_in_parts_and_as_dictionaries(parts: list[list[str | None]], encode: bool) -> None:
    arrays = [pa.array(p, pa.string()) for p in parts]
    found = held([a.dictionary_encode() for a in arrays] if encode else arrays)

    expected = ["(missing)" if t in {None, "", "?", "(missing)"} else t for p in parts for t in p]
    assert isinstance(found, Labels)
    assert list(found) == expected
    assert found.names == tuple(sorted(set(expected) - {"(missing)"})) + ("(missing)",) * ("(missing)" in expected)
    assert found.codes.dtype == np.int8


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (pa.array([1, 2, None]), ["1", "2", "(missing)"]),
        (pa.array([1.0, 2.5, float("nan"), None, -0.0, 0.0]), ["1", "2.5", "(missing)", "(missing)", "0", "0"]),
        (pa.array([True, False, None]), ["true", "false", "(missing)"]),
        (pa.array([Decimal("12.50"), None]), ["12.50", "(missing)"]),
        (pa.array([date(2020, 1, 1), None]), ["2020-01-01", "(missing)"]),
        (pa.array([DAY, DAY + 11_045_000_000], pa.timestamp("us")), ["2020-01-01", "2020-01-01 03:04:05"]),
        (pa.array([3, 4, 3]).dictionary_encode(), ["3", "4", "3"]),
        (pa.nulls(2), ["(missing)", "(missing)"]),
    ],
)
def test_each_kind_of_value_reads_as_a_file_of_text_has_it(values: pa.Array, names: list[str]) -> None:
    assert names_of(values) == names
    assert names_of(values.slice(0, 1), values.slice(1)) == names


@pytest.mark.parametrize("values", [pa.array([[1]]), pa.array([{"a": 1}]), pa.array([b"a"])])
def test_what_no_table_has_is_refused(values: pa.Array) -> None:
    with pytest.raises(LoadError, match="column 'g' holds .*; expected text, numbers, dates, or true and false"):
        held([values])


def test_many_different_numbers_become_numbers_whatever_they_were_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathered, "MOST_NAMES", 3)
    stored = held([pa.array([1.5, None, 2.0]), pa.array([3.25, 4.0]), pa.array([float("nan"), 9e99])])
    written = held([pa.array(["1.5", "?", "2"]), pa.array([" 3.25", "4"]), pa.array(["", "9e99"])])

    for found in (stored, written):
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, [1.5, np.nan, 2, 3.25, 4, np.nan, 9e99])
    few = held([pa.array([1.5, 2.0, 1.5])])
    assert isinstance(few, Labels)


def test_text_among_many_numbers_is_refused_by_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathered, "MOST_NAMES", 3)

    with pytest.raises(LoadError, match=r"column 'g' holds 'x' in row 6 \(counted from 0\); expected a number"):
        held([pa.array(["1", "2", "3", "4", "5"]), pa.array(["6", "x"])])


def test_too_many_texts_are_not_kept() -> None:
    column = Gathered("g", MISSING, most=3)
    for i in range(5):
        column.add(pa.array([f"n{i}"]), i)

    assert column.too_many and column.held() is None


def test_numbers_are_parsed_where_they_are_text_and_are_numbers_at_once_elsewhere() -> None:
    column = NumbersGathered("p", MISSING)
    for part in (pa.array(["0.5", " 1e-3 ", "?"]), pa.array([0.25, None]), pa.array([7]), pa.array([True])):
        column.add(part, 0)

    np.testing.assert_array_equal(column.held(), [0.5, 1e-3, np.nan, 0.25, np.nan, 7, 1])
    with pytest.raises(LoadError, match=r"holds 'high' in row 12 \(counted from 0\)"):
        column.add(pa.array(["1", "2", "high"]), 10)
