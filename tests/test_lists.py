"""Lists in a sentence."""

from __future__ import annotations

from auditor.lists import listed


def test_the_first_are_named_and_the_others_counted() -> None:
    names = [f"c{i}" for i in range(1205)]

    assert listed(names, 3) == "c0, c1, c2 and 1,202 more"
    assert listed(names[:3], 3) == "c0, c1, c2"
    assert listed([], 3) == ""
