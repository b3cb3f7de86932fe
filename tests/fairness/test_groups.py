"""Which groups are compared, and what is said of the others."""

from __future__ import annotations

import numpy as np

from auditor.columns import Labels
from auditor.contingency import MISSING
from auditor.fairness.groups import Groups


def test_named_groups_with_rows_enough_are_compared_the_others_are_said() -> None:
    groups = Groups.of("race", Labels.of(["a"] * 20 + ["b"] * 12 + ["c"] * 3 + [MISSING] * 5), 10)

    assert groups.names == ("a", "b")
    assert groups.codes.tolist() == [0] * 20 + [1] * 12 + [2] * 3 + [-1] * 5
    assert groups.sizes.tolist() == [20, 12]
    assert groups.comparable and not groups.two
    assert groups.slice(1) == "race=b"
    assert groups.caveats == (
        "Groups by race of fewer than 10 rows are not compared by themselves: c (3).",
        "race is missing in 5 rows, which are left out.",
    )


def test_two_groups_are_two_whatever_is_missing() -> None:
    assert Groups.of("sex", Labels.of(["f"] * 20 + ["m"] * 20 + [MISSING] * 9), 10).two


def test_one_group_is_not_comparable() -> None:
    one = Groups.of("sex", Labels.of(["f"] * 20 + [MISSING] * 20), 10)

    assert not one.comparable
    assert "sex has one group only: there is nothing to compare." in one.caveats
    assert not Groups.of("sex", Labels.of([MISSING] * 20), 10).comparable


def test_a_group_needs_others_to_stand_against() -> None:
    groups = Groups.of("sex", Labels.of(["f"] * 50 + ["m"] * 9), 10)

    assert groups.names == () and not groups.comparable
    assert groups.caveats == ("Groups by sex of fewer than 10 rows are not compared by themselves: m (9).",)
    assert Groups.of("sex", Labels.of(["f"] * 50 + ["m"] * 6 + ["x"] * 4), 10).names == ("f",)


def test_names_that_do_not_occur_are_no_groups() -> None:
    labels = Labels(("a", "b", "never"), np.repeat([0, 1], 20))

    assert Groups.of("g", labels, 10).names == ("a", "b")
    assert Groups.of("g", labels, 10).caveats == ()


def test_of_a_hundred_groups_the_largest_are_compared() -> None:
    names = [f"g{i:03}" for i in range(100) for _ in range(10 + i)]
    groups = Groups.of("town", Labels.of(names), 10)

    assert groups.names == tuple(f"g{i:03}" for i in range(80, 100))
    assert groups.caveats == ("town has 100 groups: the 20 largest are compared, each with all other rows.",)
    assert int((groups.codes == 20).sum()) == len(names) - int(groups.sizes.sum())
