"""Limits that come out otherwise: by what was measured, and by another policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.comparing.flips import Flip, flips, same_policy
from auditor.policy import judge
from auditor.types import Audit, Bound, Limit, Measure, Policy, Status
from tests.reports.compared import ACCURACY, outcome, record, right

LAX, STRICT = (
    Policy(name, (Limit(ACCURACY, "accuracy", fail_below=b),)) for name, b in (("lax", 0.5), ("strict", 0.9))
)


def of(good: int, policy: Policy) -> Audit:
    """An audit in which `good` of 200 rows are right."""
    return judge(right([1.0] * good + [0.0] * (200 - good)).audit, policy)


def flipped(before: Audit, after: Audit) -> list[tuple[Status | None, Status | None, str]]:
    return [(f.before, f.after, f.cause) for f in flips(before, judge(before, after.policy), after)]


P, F, OPEN = Status.PASS, Status.FAIL, Status.INCONCLUSIVE


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ((196, STRICT), (120, STRICT), [(P, F, "figures")]),
        ((120, STRICT), (196, STRICT), [(F, P, "figures")]),
        ((182, STRICT), (196, STRICT), [(OPEN, P, "figures")]),
        ((196, STRICT), (197, STRICT), []),
        ((140, LAX), (140, STRICT), [(P, F, "policy")]),
        ((196, LAX), (140, STRICT), [(P, F, "figures")]),
        ((140, LAX), (196, STRICT), [(F, P, "figures"), (P, F, "policy")]),
        ((140, STRICT), (140, LAX), [(F, P, "policy")]),
    ],
)
def test_whether_the_figures_or_the_policy_let_a_limit_come_out_otherwise(
    before: tuple[int, Policy], after: tuple[int, Policy], found: list[tuple[Status, Status, str]]
) -> None:
    assert flipped(of(*before), of(*after)) == found


def test_a_flip_names_its_limit_also_where_that_is_another_figure() -> None:
    policy = Policy("p", (Limit(ACCURACY, "accuracy", warn_below="majority_share"),))

    def sides(good: int, share: float) -> Audit:
        (o,) = right([1.0] * good + [0.0] * (200 - good)).audit.outcomes
        return judge(record(outcome(ACCURACY, *o.measures, Measure("majority_share", "", share, 200))).audit, policy)

    (found,) = flips(sides(150, 0.5), sides(150, 0.5), sides(150, 0.9))
    assert found == Flip(
        ACCURACY, "accuracy", "", Bound("warn", "below", 0.9, "majority_share"), P, Status.WARN, "figures"
    )


def test_what_is_judged_on_one_side_only_did_not_flip() -> None:
    more = replace(of(140, STRICT), outcomes=())

    assert flipped(of(140, STRICT), more) == flipped(more, of(140, STRICT)) == []


def test_a_limit_of_the_second_policy_alone_is_told_of_the_first_audit() -> None:
    none = Policy("none")

    assert flipped(of(140, none), of(140, STRICT)) == [(None, F, "policy")]
    assert flipped(of(140, STRICT), of(140, none)) == [(F, None, "policy")]


def test_the_worst_comes_first() -> None:
    limits = tuple(Limit(ACCURACY, "accuracy", **{f"{kind}_below": 0.9}) for kind in ("warn", "fail"))
    policy = Policy("p", limits)

    assert [a for _, a, _ in flipped(of(198, policy), of(120, policy))] == [F, Status.WARN]


def test_policies_are_the_same_whatever_they_are_called() -> None:
    again = Policy("other", (replace(LAX.limits[0], line=7),), file="p.toml")

    assert same_policy(LAX, again)
    assert not same_policy(LAX, STRICT)
