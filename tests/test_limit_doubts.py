"""Limits that look like a slip: each kind found, and the right limit left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from auditor.errors import UsageError
from auditor.limit_doubts import doubtful
from auditor.policy import judge
from auditor.policy_names import need_known
from auditor.stats import difference, mean, measured, rate
from auditor.types import Acceptance, Baseline, Limit, Measure, Policy, Shift, Verdict
from tests.reports.compared import ACCURACY, outcome, record

MORE, LESS = rate("accuracy", 90, 100), replace(rate("fpr", 10, 100), better="lower")


def said(measure: Measure, **bounds: float) -> list[str]:
    audit = record(outcome(ACCURACY, measure)).audit
    return doubtful(judge(audit, Policy("p", (Limit(ACCURACY, measure.name, **bounds),))))


GAP = measured("demographic_parity_difference", "sex", "largest-gap", (30, 90, 52, 110), n=200, better="lower")
RATIO = measured("impact_ratio", "sex=F", "ratio-to-best", (30, 90, 52, 110), n=200, better="higher")
APART = replace(difference("accuracy_difference", (30, 90), (52, 110)), better="neither")
BALANCED = measured("balanced_accuracy", "", "balanced-accuracy", (30, 12, 10, 48), n=100, better="higher")
SIZE = replace(mean("shift", range(9)), method="student-of-sizes", better="lower")


@pytest.mark.parametrize(
    ("measure", "bounds", "words"),
    [
        (MORE, {"fail_above": 0.95}, "asks for at most 0.95, and more of it is better: was the other side meant?"),
        (LESS, {"warn_below": 0.1}, "asks for at least 0.1, and less of it is better"),
        (MORE, {"fail_below": 95},
         "The limit of 95 on accuracy (performance.accuracy) is met by no figure there can be, from 0 to 1: was 0.95"),
        (MORE, {"fail_below": 0}, "is met by every figure there can be, from 0 to 1."),
        (LESS, {"fail_above": 1.0}, "is met by every figure there can be, from 0 to 1."),
        (LESS, {"fail_above": -0.1}, "is met by no figure"),
        (GAP, {"fail_above": 10}, "10 on demographic_parity_difference (performance.accuracy) is met by every figure"),
        (GAP, {"warn_above": 10}, "from 0 to 1: was 0.1 meant?"),
        (GAP, {"warn_above": 1000}, "is met by every figure there can be, from 0 to 1."),
        (RATIO, {"fail_below": 80}, "is on a ratio, which is 1 where two rates are equal: was 0.8 meant?"),
        (APART, {"fail_above": 5}, "is met by every figure there can be, from -1 to 1: was 0.05 meant?"),
        (APART, {"fail_below": -5}, "is met by every figure there can be, from -1 to 1: was -0.05 meant?"),
        (BALANCED, {"fail_below": 75}, "was 0.75 meant?"),
        (SIZE, {"fail_above": -1}, "is met by no figure there can be, from 0 on."),
    ],
)  # fmt: skip
def test_a_slip_is_named(measure: Measure, bounds: dict[str, float], words: str) -> None:
    (found,) = said(measure, **bounds)

    assert words in found


@pytest.mark.parametrize(
    ("measure", "bounds"),
    [
        (MORE, {"fail_below": 0.8}),
        (MORE, {"fail_below": 1.0}),
        (LESS, {"fail_above": 0.0}),
        (Measure("rules", "", 3.0, 10, better="lower"), {"fail_above": 5}),
        (replace(MORE, better="neither"), {"fail_above": 0.5}),
        (GAP, {"fail_above": 0.1}),
        (RATIO, {"fail_below": 0.8}),
        (replace(RATIO, better="neither"), {"fail_below": 0.8, "fail_above": 1.25}),
        (APART, {"fail_below": -0.05, "fail_above": 0.05}),
        (SIZE, {"fail_above": 500}),
        (measured("odds", "", "odds", (14, 9), n=23), {"fail_above": 3}),
        (replace(SIZE, method="student"), {"fail_above": -40}),
    ],
)
def test_a_limit_that_makes_sense_is_left_alone(measure: Measure, bounds: dict[str, float]) -> None:
    assert said(measure, **bounds) == []


def test_a_change_that_no_rate_can_exceed_is_named() -> None:
    shift = Shift(ACCURACY, "accuracy", "", 0.9, 100, 0.0, -0.05, 0.05)
    audit = replace(
        record(outcome(ACCURACY, MORE)).audit, baseline=Baseline("b", "0" * 64, Verdict.PASS, "p", (shift,))
    )

    for most, count in ((5.0, 1), (1.0, 1), (0.05, 0)):
        found = doubtful(judge(audit, Policy("p", (Limit(ACCURACY, "accuracy", fail_worse_by=most),))))
        assert [f"worse by more than {most:g}" in said for said in found] == [True] * count


KNOWN = {ACCURACY: ("accuracy", "majority_share"), "fairness.robustness": ("*_accuracy",)}
SETTINGS = {ACCURACY: (), "fairness.robustness": ("smallest_group", "depth")}


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (Limit("performance.acuracy", "accuracy"),
         "'performance.acuracy' is on no check; did you mean performance.accuracy? known: fairness.robustness"),
        (Limit("nothing", "accuracy"), "'nothing' is on no check; known: fairness.robustness, performance.accuracy"),
        (Limit(ACCURACY, "acuracy"), "names the measure 'acuracy'; did you mean accuracy? it has accuracy, majority"),
        (Limit(ACCURACY, "accuracy", warn_below="majority"), "names the measure 'majority'; did you mean majority_sha"),
        (Limit("fairness.robustness", "accuracy"), "it has *_accuracy"),
        (Limit(ACCURACY, required=True, settings={"nosuch": 1}), "asks for the setting 'nosuch'; it has none"),
        (Limit("fairness.robustness", required=True, settings={"dept": 1}),
         "asks for the setting 'dept'; did you mean depth? it has smallest_group, depth"),
    ],
)  # fmt: skip
def test_a_limit_on_what_does_not_exist_is_refused(limit: Limit, message: str) -> None:
    with pytest.raises(UsageError) as e:
        need_known(Policy("p", (limit,)), KNOWN, SETTINGS)
    assert message in str(e.value)


def test_of_many_checks_the_one_that_was_meant_is_named_before_the_line_is_cut() -> None:
    many = {f"topic.check_with_a_long_name_{i}": ("m",) for i in range(60)} | KNOWN

    with pytest.raises(UsageError) as e:
        need_known(Policy("p", (Limit("performance.accurac", "accuracy"),)), many, {})
    assert len(str(e.value)) == 600 and "did you mean performance.accuracy?" in str(e.value)


def test_limits_on_what_exists_are_not() -> None:
    limits = (
        Limit(ACCURACY, "accuracy", warn_below="majority_share"),
        Limit("fairness.robustness", "robust_accuracy", settings={"depth": 2}),
        Limit(ACCURACY, required=True),
    )

    need_known(Policy("p", limits), KNOWN, SETTINGS)


@pytest.mark.parametrize(
    ("finding", "message"),
    [
        ("a.b/c", "'a.b/c' is on no check; known: fairness.robustness, performance.accuracy"),
        ("performance.acuracy/accuracy", "is on no check; did you mean performance.accuracy?"),
        (f"{ACCURACY}/acuracy/sex=F", "names the measure 'acuracy'; did you mean accuracy? it has accuracy, majority"),
    ],
)
def test_an_acceptance_of_what_does_not_exist_is_refused(finding: str, message: str) -> None:
    policy = Policy("p", (), (Acceptance(finding, "Ann", "known", date(2100, 1, 1)),))

    with pytest.raises(UsageError) as e:
        need_known(policy, KNOWN, SETTINGS)
    assert str(e.value).startswith(f"policy 'p': [[accept]] finding {finding!r} ") and message in str(e.value)


def test_an_acceptance_that_meets_no_finding_is_said() -> None:
    audit = record(outcome(ACCURACY, MORE)).audit
    limits = (Limit(ACCURACY, "accuracy", fail_below=0.5),)
    for finding in (f"{ACCURACY}/accuracy", f"{ACCURACY}/accuracy/race=Martian"):
        policy = Policy("p", limits, (Acceptance(finding, "Ann", "known", date(2100, 1, 1)),))
        (said,) = doubtful(judge(audit, policy))
        assert said == f"The policy accepts {finding} (Ann), and no limit gives a finding of that id."


@pytest.mark.parametrize(("until", "count"), [((2028, 11, 23), 0), ((2028, 11, 24), 1), ((9999, 12, 31), 1)])
def test_an_acceptance_of_more_than_two_years_is_said(until: tuple[int, int, int], count: int) -> None:
    failing = Limit(ACCURACY, "accuracy", fail_below=0.999)
    accepted = Acceptance(f"{ACCURACY}/accuracy", "Ann", "known", date(*until))
    audit = judge(record(outcome(ACCURACY, MORE)).audit, Policy("p", (failing,), (accepted,)), date(2026, 11, 23))

    found = doubtful(audit, date(2026, 11, 23))
    assert len(found) == count and doubtful(audit) == []
    assert all(f"until {accepted.expires}, more than 2 years after 2026-11-23" in f for f in found)


def test_an_acceptance_that_is_needed_is_not() -> None:
    failing = Limit(ACCURACY, "accuracy", fail_below=0.999)
    accepted = Acceptance(f"{ACCURACY}/accuracy", "Ann", "known", date(2100, 1, 1))

    assert doubtful(judge(record(outcome(ACCURACY, MORE)).audit, Policy("p", (failing,), (accepted,)))) == []
