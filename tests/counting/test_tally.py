"""Counts against loops over the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.columns import Labels
from auditor.contingency import Cell
from auditor.counting import tally as module
from auditor.counting.crossings import crossing_of, crossings
from auditor.counting.tally import BINS, Rows, Tally, tallied, tally
from tests.counting.counted import masks, random_rows, rows_of

some = st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("xyz"), st.sampled_from("ab")), min_size=1)


@given(some)
def test_every_crossing_is_counted(given: list[tuple[bool, bool, str, str]]) -> None:
    groups = {"first": [r[2] for r in given], "second": [r[3] for r in given]}
    rows = rows_of(groups, [r[0] for r in given], [r[1] for r in given])

    for attributes in (("first",), ("second",), ("first", "second")):
        found = dict(tallied(rows, attributes, {}))
        assert set(found) == {tuple(r[2 + list(groups).index(a)] for a in attributes) for r in given}
        for group, cell in found.items():
            own = [(p, a) for p, a, *g in given if tuple(g[list(groups).index(n)] for n in attributes) == group]
            assert cell == Cell(
                tp=sum(p and a for p, a in own),
                fp=sum(p and not a for p, a in own),
                fn=sum(a and not p for p, a in own),
                tn=sum(not a and not p for p, a in own),
            )


def test_a_name_that_occurs_in_no_row_is_no_group() -> None:
    labels = Labels(("a", "ghost", "b"), np.array([0, 2, 2]))
    some = np.array([True, False, True])
    found = tallied(Rows(3, {"g": labels}, lambda at: some[at], lambda at: ~some[at]), ("g",), {})

    assert [group for group, _ in found] == [("a",), ("b",)]
    assert found.n == 3


def test_sums_are_those_of_loops_whatever_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_rows(500)
    monkeypatch.setattr(module, "BATCH", 64)
    every = tally(rows, crossing_of(("a", "b", "c"), rows.groups))

    for attributes in crossings(("a", "b", "c"), 0):
        coarse = every.over(crossing_of(attributes, rows.groups))
        for g in coarse.present:
            mask = masks(rows, attributes)[coarse.crossing.group(g)]
            p, y = rows.score[mask].astype(float), rows.actual(slice(0, 500))[mask]
            assert coarse.sums is not None
            assert coarse.sums.mean(g) == pytest.approx((p.sum(), (p**2).sum(), mask.sum()))
            assert coarse.sums.brier(g) == pytest.approx((((p - y) ** 2).sum(), ((p - y) ** 4).sum(), mask.sum()))
            bins = coarse.sums.bins(g)
            place = np.minimum((p * BINS).astype(int), BINS - 1)
            expected = [v for b in np.unique(place) for i in [place == b] for v in (i.sum(), p[i].sum(), y[i].sum())]
            assert bins == pytest.approx(expected)


def test_codes_of_one_byte_do_not_overflow() -> None:
    """Three attributes of 40 groups, whose codes are stored in a byte each, make 64,000 groups."""
    random = np.random.default_rng(0)
    names = tuple(map(str, range(40)))
    groups = {a: Labels(names, random.integers(0, 40, 3000).astype(np.uint8)) for a in "abc"}
    answers = random.random(3000) < 0.5
    rows = Rows(3000, groups, lambda at: answers[at], lambda at: ~answers[at])
    found = dict(tallied(rows, ("a", "b", "c"), {}))
    expected = {tuple(map(str, g)) for g in zip(*(groups[a].codes.tolist() for a in "abc"), strict=True)}

    assert set(found) == expected
    assert sum(cell.n for cell in found.values()) == 3000


def test_rows_are_counted_once_where_all_attributes_together_form_few_groups() -> None:
    rows = random_rows(50)
    kept: dict[tuple[str, ...], Tally] = {}
    for attributes in crossings(("a", "b", "c"), 0):
        tallied(rows, attributes, kept)

    assert list(kept) == [("a", "b", "c")]


def test_many_groups_are_counted_crossing_by_crossing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_rows(200)
    expected = {a: dict(tallied(rows, a, {})) for a in crossings(("a", "b", "c"), 2)}
    monkeypatch.setattr(module, "MOST_CELLS", 12)
    kept: dict[tuple[str, ...], Tally] = {}

    assert {a: dict(tallied(rows, a, kept)) for a in crossings(("a", "b", "c"), 2)} == expected
    assert ("a", "b", "c") not in kept
