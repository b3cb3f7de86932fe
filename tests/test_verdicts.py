"""The truth table of verdicts, row by row: the figure, what the policy says of it, status, verdict, exit code."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from auditor.policy import judge, limit_of
from auditor.stats import difference, rate
from auditor.types import (
    SCHEMA,
    Acceptance,
    Audit,
    Baseline,
    Limit,
    Measure,
    Outcome,
    Policy,
    Result,
    Shift,
    Status,
    Verdict,
)
from auditor.unanswered import unanswered
from reports.ci import exit_code
from reports.findings import findings

S, V = Status, Verdict
CHECK = "performance.accuracy"
TODAY = date(2026, 11, 23)
ABOVE, ASTRIDE, BELOW = (rate("accuracy", k, 1000) for k in (950, 800, 600))
FEW = rate("accuracy", 3, 3)
NO_VALUE = Measure("accuracy", "", None, 0, method="wilson", counts=(0, 0))


def audited(*measures: Measure, status: Status = Status.MEASURED, baseline: Baseline | None = None) -> Audit:
    """An audit of one check with these measures; without one where none are given."""
    outcome = Outcome(CHECK, "Accuracy", "", status, "", {}, (), Result(measures) if measures else None)
    return Audit(SCHEMA, {}, {}, {}, 0, Policy("none"), V.INCOMPLETE, (outcome,), baseline)


def accept(expires: date, finding: str = f"{CHECK}/accuracy") -> tuple[Acceptance, ...]:
    return (Acceptance(finding, "Ann", "until it is retrained", expires),)


VALID, ENDS_TODAY, EXPIRED = accept(date(2026, 12, 1)), accept(TODAY), accept(date(2026, 11, 22))
FAIL, WARN, MUST = {"fail_below": 0.8}, {"warn_below": 0.8}, {"fail_below": 0.8, "required": True}


@pytest.mark.parametrize(
    ("measure", "limit", "accepted", "status", "verdict", "code"),
    [
        # the interval above, astride, below the limit; too few rows; no value
        (ABOVE, FAIL, (), S.PASS, V.PASS, 0),
        (ASTRIDE, FAIL, (), S.INCONCLUSIVE, V.CONDITIONS, 0),
        (ASTRIDE, MUST, (), S.INCONCLUSIVE, V.INCOMPLETE, 2),
        (BELOW, FAIL, (), S.FAIL, V.FAIL, 1),
        (BELOW, WARN, (), S.WARN, V.CONDITIONS, 0),
        (FEW, FAIL, (), S.INCONCLUSIVE, V.CONDITIONS, 0),
        (FEW, MUST, (), S.INCONCLUSIVE, V.INCOMPLETE, 2),
        (NO_VALUE, FAIL, (), S.INCONCLUSIVE, V.CONDITIONS, 0),
        (NO_VALUE, MUST, (), S.INCONCLUSIVE, V.INCOMPLETE, 2),
        # accepted: the day it ends is in
        (BELOW, FAIL, VALID, S.WARN, V.CONDITIONS, 0),
        (BELOW, FAIL, ENDS_TODAY, S.WARN, V.CONDITIONS, 0),
        (BELOW, MUST, VALID, S.WARN, V.CONDITIONS, 0),
        (BELOW, WARN, VALID, S.WARN, V.CONDITIONS, 0),
        (ASTRIDE, MUST, VALID, S.WARN, V.CONDITIONS, 0),
        # accepted until a day that has passed: it fails, whatever it was
        (BELOW, FAIL, EXPIRED, S.FAIL, V.FAIL, 1),
        (BELOW, WARN, EXPIRED, S.FAIL, V.FAIL, 1),
        (ASTRIDE, FAIL, EXPIRED, S.FAIL, V.FAIL, 1),
        # what passes needs no acceptance, held or expired
        (ABOVE, FAIL, VALID, S.PASS, V.PASS, 0),
        (ABOVE, FAIL, EXPIRED, S.PASS, V.PASS, 0),
        # an acceptance of another finding changes nothing
        (BELOW, FAIL, accept(date(2027, 1, 1), f"{CHECK}/accuracy/class=a"), S.FAIL, V.FAIL, 1),
    ],
)
def test_a_figure_at_its_limit(
    measure: Measure,
    limit: dict[str, float],
    accepted: tuple[Acceptance, ...],
    status: Status,
    verdict: Verdict,
    code: int,
) -> None:
    policy = Policy("p", (Limit(CHECK, "accuracy", **limit),), accepted)

    found = judge(audited(measure), policy, on=TODAY)

    assert (found.outcomes[0].status, found.verdict, exit_code(found)) == (status, verdict, code)


@pytest.mark.parametrize("status", [S.SKIPPED, S.NOT_APPLICABLE])
@pytest.mark.parametrize("accepted", [(), VALID])
def test_what_is_missing_cannot_be_accepted(status: Status, accepted: tuple[Acceptance, ...]) -> None:
    found = judge(audited(status=status), Policy("p", (Limit(CHECK, "accuracy", **MUST),), accepted), on=TODAY)

    assert (found.outcomes[0].status, found.verdict, exit_code(found)) == (status, V.INCOMPLETE, 2)


@pytest.mark.parametrize("accepted", [(), VALID])
def test_an_error_cannot_be_accepted(accepted: tuple[Acceptance, ...]) -> None:
    found = judge(audited(status=S.ERROR), Policy("p", (Limit(CHECK, "accuracy", **FAIL),), accepted), on=TODAY)

    assert (found.verdict, exit_code(found)) == (V.INCOMPLETE, 2)


def test_a_figure_that_is_not_known_cannot_be_accepted() -> None:
    found = judge(audited(NO_VALUE), Policy("p", (Limit(CHECK, "accuracy", **MUST),), VALID), on=TODAY)

    assert (found.outcomes[0].status, found.verdict) == (S.INCONCLUSIVE, V.INCOMPLETE)


def test_one_accepted_finding_does_not_hide_another() -> None:
    other = rate("accuracy", 100, 1000, slice="class=a")
    policy = Policy("p", (Limit(CHECK, "accuracy", fail_below=0.8),), VALID)

    found = judge(audited(BELOW, other), policy, on=TODAY)

    assert [(j.slice, j.accepted, j.counts_as) for j in found.outcomes[0].judgements] == [
        ("", True, S.WARN), ("class=a", False, S.FAIL),
    ]  # fmt: skip
    assert found.verdict is V.FAIL
    assert found.outcomes[0].reason == "all 2 judgements failed; 1 accepted"


@pytest.mark.parametrize(("required", "verdict"), [(False, V.INCOMPLETE), (True, V.INCOMPLETE)])
def test_a_limit_on_a_slice_that_is_not_there_never_passes(required: bool, verdict: Verdict) -> None:
    limits = (Limit(CHECK, "accuracy", "", fail_below=0.8), Limit(CHECK, "accuracy", "sex=F", fail_below=0.8,
              required=required))  # fmt: skip

    found = judge(audited(ABOVE), Policy("p", limits), on=TODAY)

    assert (found.outcomes[0].status, found.verdict) == (S.PASS, verdict)
    assert [why for _, why in unanswered(found)] == ["accuracy has no slice sex=F; it has all rows"]


@pytest.mark.parametrize("measure", ["recall", "accuracy"])
def test_a_slice_of_a_measure_that_is_not_there_never_passes_either(measure: str) -> None:
    limits = (Limit(CHECK, "accuracy", "", fail_below=0.8), Limit(CHECK, measure, "class=cat", fail_below=0.8))

    assert judge(audited(ABOVE), Policy("p", limits), on=TODAY).verdict is V.INCOMPLETE


def test_a_bound_that_is_no_measure_at_that_slice_never_passes() -> None:
    limits = (Limit(CHECK, "accuracy", "", fail_below=0.8), Limit(CHECK, "accuracy", "", fail_below="recall"))

    found = judge(audited(ABOVE, rate("recall", 9, 10, slice="class=a")), Policy("p", limits), on=TODAY)

    assert found.verdict is V.INCOMPLETE


def test_a_judgement_knows_its_limit_where_another_has_the_same_bound() -> None:
    limits = (
        Limit(CHECK, "accuracy", fail_below=0.8, settings={"n": 1}, line=1),
        Limit(CHECK, "accuracy", fail_below=0.8, confidence=0.9, line=2),
        Limit(CHECK, "accuracy", "class=a", fail_below=0.8, line=3),
    )
    found = judge(audited(ABOVE, rate("accuracy", 900, 1000, slice="class=a")), Policy("p", limits), on=TODAY)

    given = [(j.slice, limit_of(found.policy, j)) for j in found.outcomes[0].judgements]
    assert given == [("", limits[1]), ("class=a", limits[1]), ("class=a", limits[2])]
    for place in (None, 3, -1):
        assert limit_of(found.policy, replace(found.outcomes[0].judgements[0], place=place)) is None


def test_a_limit_that_asks_for_much_confidence_holds_up_no_other() -> None:
    alone = (Limit(CHECK, "accuracy", "", fail_below=0.95),)
    other = Limit(CHECK, "accuracy", "class=a", warn_below=0.95, confidence=0.999999)
    measures = (rate("accuracy", 920, 1000), rate("accuracy", 985, 1000, slice="class=a"))

    for limits in (alone, (*alone, other)):
        assert judge(audited(*measures), Policy("p", limits), on=TODAY).verdict is V.FAIL


def test_a_limit_without_a_measure_asks_for_a_result() -> None:
    policy = Policy("p", (Limit(CHECK, required=True), Limit("a.b", required=True)))

    found = judge(audited(ABOVE), policy, on=TODAY)

    assert [(x.check, why) for x, why in unanswered(found)] == [("a.b", "there is no check a.b")]
    assert found.verdict is V.INCOMPLETE
    assert judge(audited(ABOVE), replace(policy, limits=policy.limits[:1]), on=TODAY).verdict is V.CONDITIONS


# ---- against a baseline --------------------------------------------------------------------------------------------
def moved(k: int, before: int = 950, n: int = 1000, better: str = "higher") -> tuple[Measure, Baseline]:
    """An accuracy of k of n with a baseline's of `before` of n, other rows."""
    now, then = rate("accuracy", k, n), rate("accuracy", before, n)
    change = difference("d", (k, n), (before, n))  # Newcombe's, which is what the two parts make
    parts = ((1, "wilson", now.counts), (-1, "wilson", then.counts))
    shift = Shift(CHECK, "accuracy", "", then.value, n, now.value - then.value, change.low, change.high, parts)
    return replace(now, better=better), Baseline("old", "0" * 64, V.PASS, "p", (shift,))


@pytest.mark.parametrize(
    ("k", "bound", "status", "verdict"),
    [
        (950, {"fail_worse_by": 0.05}, S.PASS, V.PASS),  # nothing moved: within 0.05 beyond chance
        (980, {"fail_worse_by": 0.0}, S.PASS, V.PASS),  # better beyond chance
        (700, {"fail_worse_by": 0.05}, S.FAIL, V.FAIL),
        (700, {"warn_worse_by": 0.05}, S.WARN, V.CONDITIONS),
        (950, {"fail_worse_by": 0.0}, S.INCONCLUSIVE, V.CONDITIONS),
        (950, {"fail_worse_by": 0.0, "required": True}, S.INCONCLUSIVE, V.INCOMPLETE),
    ],
)
def test_a_figure_against_the_baselines(k: int, bound: dict[str, float], status: Status, verdict: Verdict) -> None:
    now, baseline = moved(k)

    found = judge(audited(now, baseline=baseline), Policy("p", (Limit(CHECK, "accuracy", **bound),)), on=TODAY)

    assert (found.outcomes[0].status, found.verdict) == (status, verdict)


def test_of_a_figure_that_should_be_low_more_is_worse() -> None:
    policy = Policy("p", (Limit(CHECK, "accuracy", fail_worse_by=0.05),))
    statuses = []
    for k in (700, 990):
        now, baseline = moved(k, before=850, better="lower")
        statuses.append(judge(audited(now, baseline=baseline), policy, on=TODAY).outcomes[0].status)

    assert statuses == [S.PASS, S.FAIL]


def test_where_neither_side_is_better_worse_cannot_be_said() -> None:
    now, baseline = moved(700, better="neither")

    found = judge(audited(now, baseline=baseline), Policy("p", (Limit(CHECK, "accuracy", fail_worse_by=0.05),)))

    (j,) = found.outcomes[0].judgements
    assert (j.status, "neither more nor less" in j.sentence) == (S.INCONCLUSIVE, True)


@pytest.mark.parametrize(("required", "verdict"), [(False, V.INCOMPLETE), (True, V.INCOMPLETE)])
def test_without_a_baseline_no_change_is_judged(required: bool, verdict: Verdict) -> None:
    limit = Limit(CHECK, "accuracy", fail_worse_by=0.05, required=required)

    found = judge(audited(ABOVE), Policy("p", (limit,)), on=TODAY)

    assert found.verdict is verdict
    assert unanswered(found) == [(limit, "it bounds the change since a baseline, and there is none")]


def test_a_limit_on_the_change_that_has_no_baseline_is_said_and_never_a_plain_pass() -> None:
    limits = (Limit(CHECK, "accuracy", fail_below=0.8), Limit(CHECK, "accuracy", fail_worse_by=0.05))

    found = judge(audited(ABOVE), Policy("p", limits), on=TODAY)

    assert found.verdict is V.CONDITIONS
    assert [f.value for f in findings(found)] == ["Reason: it bounds the change since a baseline, and there is none"]


@pytest.mark.parametrize("doubt", ["other settings: steps", "other classes", "another favourable answer"])
def test_a_change_for_another_reason_than_the_model_decides_nothing(doubt: str) -> None:
    now, baseline = moved(980)
    shifts = tuple(replace(s, doubt=doubt) for s in baseline.shifts)
    policy = Policy("p", (Limit(CHECK, "accuracy", fail_worse_by=0.05, required=True),))

    found = judge(audited(now, baseline=replace(baseline, shifts=shifts)), policy, on=TODAY)

    assert found.verdict is V.INCOMPLETE
    assert f"of another kind ({doubt})" in found.outcomes[0].judgements[0].sentence


def test_a_count_without_an_interval_is_compared_with_the_baselines_directly() -> None:
    now = Measure("rules", "", 1.0, 10, better="lower")
    shift = Shift(CHECK, "rules", "", 0.0, 10, 1.0)
    for bound, status in ((0, S.FAIL), (1, S.PASS)):
        audit = audited(now, baseline=Baseline("old", "0" * 64, V.PASS, "p", (shift,)))
        found = judge(audit, Policy("p", (Limit(CHECK, "rules", fail_worse_by=bound),)), on=TODAY)
        assert found.outcomes[0].status is status


def test_the_sentence_of_a_change_says_both_figures_and_its_interval() -> None:
    now, baseline = moved(700)

    found = judge(audited(now, baseline=baseline), Policy("p", (Limit(CHECK, "accuracy", fail_worse_by=0.05),)))

    assert found.outcomes[0].judgements[0].sentence == (
        "accuracy is 0.7 and was 0.95 in the baseline: -0.25 (95 % interval -0.281 to -0.218, unpaired); "
        "outside the limit of at most 0.05 worse."
    )
