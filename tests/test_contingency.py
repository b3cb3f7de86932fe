"""Counts against a loop over the rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from auditor.contingency import Cell, count
from auditor.subject import Labels

rows = st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("xyz"), st.sampled_from("ab")), min_size=1)


@given(rows)
def test_every_crossing_is_counted(given: list[tuple[bool, bool, str, str]]) -> None:
    predicted, actual = (np.array([r[i] for r in given]) for i in (0, 1))
    first, second = Labels.of([r[2] for r in given]), Labels.of([r[3] for r in given])

    table = dict(count(predicted, actual, [first, second]))

    assert set(table) == {(r[2], r[3]) for r in given}
    for group, cell in table.items():
        own = [(p, a) for p, a, *g in given if tuple(g) == group]
        assert cell == Cell(
            tp=sum(p and a for p, a in own),
            fp=sum(p and not a for p, a in own),
            fn=sum(a and not p for p, a in own),
            tn=sum(not a and not p for p, a in own),
        )


def test_rates_are_of_what_they_say() -> None:
    cell = Cell(tp=3, fp=5, fn=7, tn=11)

    assert cell.n == 26
    assert cell.selection_rate == (8, 26)
    assert cell.base_rate == (10, 26)
    assert cell.tpr == (3, 10)
    assert cell.fnr == (7, 10)
    assert cell.fpr == (5, 16)
    assert cell.tnr == (11, 16)
    assert cell.ppv == (3, 8)
    assert cell.npv == (11, 18)
    assert cell.accuracy == (14, 26)


def test_a_name_that_occurs_in_no_row_is_no_group() -> None:
    labels = Labels(("a", "ghost", "b"), np.array([0, 2, 2]))

    table = count(np.array([True, False, True]), np.array([True, True, False]), [labels])

    assert table.groups == (("a",), ("b",))
    assert table.n == 3
