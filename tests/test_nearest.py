"""Names that somebody may have meant: the nearest first, and none that is far off."""

from __future__ import annotations

import pytest

from auditor.nearest import did_you_mean, nearest

KNOWN = ("performance.accuracy", "fairness.groups", "fairness.robustness", "explain.shap", "explain.sanity")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("performance.acuracy", ["performance.accuracy"]),
        ("Fairness.Group", ["fairness.groups"]),
        ("accuracy", ["performance.accuracy"]),
        ("explain.shapp", ["explain.shap"]),
        ("nothing of the kind", []),
        ("", []),
    ],
)
def test_the_nearest_are_named(name: str, found: list[str]) -> None:
    assert nearest(name, KNOWN) == found


def test_those_as_near_are_named_together_and_no_more_than_asked_for() -> None:
    slices = [f"race={i}" for i in range(9)]

    assert len(nearest("race=x", slices)) == 3
    assert len(nearest("race=x", slices, 5)) == 5
    assert did_you_mean("sex=F", ("sex=f", "sex=m")).startswith("did you mean sex=f")


def test_nothing_near_adds_nothing() -> None:
    assert did_you_mean("q" * 10_000, KNOWN) == ""
