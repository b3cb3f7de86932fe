"""Limits to verdicts: a truth table, row by row."""

from __future__ import annotations

import re
from dataclasses import astuple

import pytest

from auditor.deciding import statuses
from auditor.policy import INTERRUPTED, judge, settings_of
from auditor.stats import difference, enlarged, interval, mean, measured, rate
from auditor.types import SCHEMA, Audit, Limit, Measure, Outcome, Policy, Result, Status, Verdict
from auditor.unanswered import unanswered

CHECK = "performance.accuracy"


def audit(*measures: Measure, status: Status = Status.MEASURED, reason: str = "") -> Audit:
    """An audit of one check with these measures."""
    result = None if status in {Status.ERROR, Status.SKIPPED, Status.NOT_APPLICABLE} else Result(measures)
    outcome = Outcome(CHECK, "Accuracy", "", status, reason, {}, (), result)
    return Audit(SCHEMA, {}, {}, {}, 0, Policy("none"), Verdict.INCOMPLETE, (outcome,))


def limit(**bounds: object) -> Limit:
    return Limit(CHECK, str(bounds.pop("measure", "accuracy")), **bounds)


HIGH, MIDDLE, LOW = (rate("accuracy", k, 1000) for k in (950, 800, 600))
EXACT = Measure("accuracy", "", 0.8, 1000)
UNKNOWN = Measure("accuracy", "", None, 0, method="wilson", counts=(0, 0))


@pytest.mark.parametrize(
    ("measure", "bounds", "status", "verdict"),
    [
        (HIGH, {"fail_below": 0.8}, Status.PASS, Verdict.PASS),
        (LOW, {"fail_below": 0.8}, Status.FAIL, Verdict.FAIL),
        (LOW, {"warn_below": 0.8}, Status.WARN, Verdict.CONDITIONS),
        (MIDDLE, {"fail_below": 0.8}, Status.INCONCLUSIVE, Verdict.CONDITIONS),
        (MIDDLE, {"fail_below": 0.8, "required": True}, Status.INCONCLUSIVE, Verdict.INCOMPLETE),
        (HIGH, {"fail_above": 0.8}, Status.FAIL, Verdict.FAIL),
        (LOW, {"fail_above": 0.8}, Status.PASS, Verdict.PASS),
        (LOW, {"warn_above": 0.5}, Status.WARN, Verdict.CONDITIONS),
        (EXACT, {"fail_below": 0.8}, Status.PASS, Verdict.PASS),  # no interval by nature: compared directly
        (EXACT, {"fail_above": 0.8}, Status.PASS, Verdict.PASS),
        (EXACT, {"fail_above": 0.7999}, Status.FAIL, Verdict.FAIL),
        (UNKNOWN, {"fail_below": 0.8}, Status.INCONCLUSIVE, Verdict.CONDITIONS),
        (UNKNOWN, {"fail_below": 0.8, "required": True}, Status.INCONCLUSIVE, Verdict.INCOMPLETE),
    ],
)
def test_one_limit(measure: Measure, bounds: dict[str, object], status: Status, verdict: Verdict) -> None:
    found = judge(audit(measure), Policy("p", (limit(**bounds),)))

    assert found.outcomes[0].judgements[0].status is status
    assert found.outcomes[0].status is status
    assert found.verdict is verdict


def test_the_worst_of_two_bounds_is_the_outcome() -> None:
    found = judge(audit(LOW), Policy("p", (limit(warn_below=0.9, fail_below=0.5),)))

    assert [j.status for j in found.outcomes[0].judgements] == [Status.PASS, Status.WARN]  # the fail bound first
    assert found.outcomes[0].status is Status.WARN


@pytest.mark.parametrize(
    ("status", "reason", "required", "verdict"),
    [
        (Status.ERROR, "ValueError", False, Verdict.INCOMPLETE),
        (Status.SKIPPED, INTERRUPTED, False, Verdict.INCOMPLETE),
        (Status.SKIPPED, "not selected", True, Verdict.INCOMPLETE),
        (Status.NOT_APPLICABLE, "no classes", True, Verdict.INCOMPLETE),
        (Status.NOT_APPLICABLE, "no classes", False, Verdict.INCOMPLETE),  # nothing at all was judged
    ],
)
def test_what_did_not_run_never_passes(status: Status, reason: str, required: bool, verdict: Verdict) -> None:
    found = judge(audit(status=status, reason=reason), Policy("p", (limit(fail_below=0.5, required=required),)))

    assert found.outcomes[0].status is status
    assert found.verdict is verdict


def test_a_failed_limit_fails_even_beside_an_error() -> None:
    failing, broken = audit(LOW), audit(status=Status.ERROR)
    both = Audit(**{**_fields(failing), "outcomes": (*failing.outcomes, *broken.outcomes)})

    assert judge(both, Policy("p", (limit(fail_below=0.8),))).verdict is Verdict.FAIL


def _fields(a: Audit) -> dict[str, object]:
    return {name: getattr(a, name) for name in Audit.__dataclass_fields__}


def test_an_audit_without_a_judged_limit_is_incomplete() -> None:
    found = judge(audit(HIGH), Policy("p", (limit(measure="recall", fail_below=0.5),)))

    assert found.outcomes[0].status is Status.MEASURED
    assert found.verdict is Verdict.INCOMPLETE


def test_a_limit_may_be_a_measure_of_the_same_slice() -> None:
    measures = (HIGH, Measure("majority_share", "", 0.94, 1000), Measure("majority_share", "class=a", 0.1, 10))

    found = judge(audit(*measures), Policy("p", (limit(warn_below="majority_share", slice=""),)))

    (judgement,) = found.outcomes[0].judgements
    assert judgement.status is Status.INCONCLUSIVE  # .95 of 1000 does not clear .94
    assert judgement.limit.value == 0.94
    assert judgement.limit.measure == "majority_share"


@pytest.mark.parametrize("values", [[0.51], [0.6, 0.7], [0.6] * 4])
def test_a_mean_of_a_few_values_decides_nothing(values: list[float]) -> None:
    (judgement,) = judge(audit(mean("accuracy", values)), Policy("p", (limit(fail_below=0.5),))).outcomes[0].judgements

    assert judgement.status is Status.INCONCLUSIVE
    assert "These samples give no interval." in judgement.sentence


def test_a_limit_that_names_a_measure_without_value_is_not_decided() -> None:
    found = judge(audit(HIGH), Policy("p", (limit(warn_below="majority_share"),)))

    assert found.outcomes[0].judgements[0].status is Status.INCONCLUSIVE
    assert "has no value" in found.outcomes[0].judgements[0].sentence


def test_a_limit_without_a_slice_judges_every_slice() -> None:
    groups = tuple(rate("impact", k, 100, slice=f"sex={s}") for s, k in (("a", 99), ("b", 20)))

    found = judge(audit(*groups), Policy("p", (Limit(CHECK, "impact", fail_below=0.8),)))

    assert [(j.slice, j.status) for j in found.outcomes[0].judgements] == [
        ("sex=a", Status.PASS),
        ("sex=b", Status.FAIL),
    ]


def test_holm_corrects_over_the_limits_of_one_check() -> None:
    """43 of 100 against .5 alone: p = .17; 40 of 100: p = .0574; 39: .0349. With ten limits .0349 is not enough."""
    one = rate("accuracy", 39, 100)
    crowd = tuple(rate("recall", 50, 100, slice=f"class={i}") for i in range(9))
    limits = (limit(fail_below=0.5), limit(measure="recall", fail_below=0.5))

    alone = judge(audit(one), Policy("p", limits[:1])).outcomes[0].judgements[0]
    among = judge(audit(one, *crowd), Policy("p", limits)).outcomes[0].judgements[0]

    assert alone.status is Status.FAIL
    assert among.status is Status.INCONCLUSIVE


def test_an_interval_beyond_the_limit_that_does_not_decide_it_among_others_says_why() -> None:
    limits = Policy("p", (limit(fail_below=0.5),))
    groups = [rate("accuracy", k, 100, slice=f"group={i}") for i, k in enumerate((39, 50, 51, 52))]
    sure, open_ = (j.sentence for j in judge(audit(*groups), limits).outcomes[0].judgements[:2])
    (alone,) = judge(audit(groups[0]), limits).outcomes[0].judgements

    assert "The interval alone would decide it, but not as one of 4 judgements of this check (Holm). About " in sure
    assert "Holm" not in open_ and "Holm" not in alone.sentence and alone.status is Status.FAIL


def test_the_number_of_rows_that_would_decide_a_limit_does_when_there_are_so_many() -> None:
    """Ten limits, all open: every one is decided once each has the rows that its own sentence asked for."""
    crowd = tuple(rate("accuracy", k, 100, slice=f"class={i}") for i, k in enumerate(range(40, 60)) if k != 50)
    policy = Policy("p", (limit(fail_below=0.5),))
    judgements = judge(audit(*crowd), policy).outcomes[0].judgements
    asked = [int(re.findall(r"About ([\d,]+) samples", j.sentence)[0].replace(",", "")) for j in judgements]

    more = tuple(
        rate("accuracy", round(m.counts[0] * n / 100), n, slice=m.slice) for m, n in zip(crowd, asked, strict=True)
    )
    after = judge(audit(*more), policy).outcomes[0].judgements

    assert {j.status for j in judgements} == {Status.INCONCLUSIVE}
    assert {j.status for j in after} == {Status.PASS, Status.FAIL}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (Limit(CHECK, "recall", fail_below=0.5), f"{CHECK} has no measure recall; it has accuracy"),
        (Limit(CHECK, "accuracy", slice="sex=f", fail_below=0.5), "accuracy has no slice sex=f; it has all rows"),
        (Limit("explain.lrp", "ledger_error", fail_above=0.5), "there is no check explain.lrp"),
    ],
)
def test_a_limit_that_nothing_was_judged_by_says_why(given: Limit, why: str) -> None:
    found = judge(audit(HIGH), Policy("p", (limit(fail_below=0.5), given)))

    assert unanswered(found) == [(given, why)]
    assert unanswered(judge(audit(HIGH), Policy("p", (limit(fail_below=0.5),)))) == []


def test_a_check_without_a_result_is_the_reason() -> None:
    given = limit(fail_below=0.5)
    found = judge(audit(status=Status.NOT_APPLICABLE, reason="no classes"), Policy("p", (given,)))

    assert unanswered(found) == [(given, f"{CHECK} has no result (not applicable: no classes)")]


def test_a_lone_limit_is_decided_exactly_where_the_printed_interval_leaves_it_out() -> None:
    for k in range(60, 100):
        m = rate("accuracy", k, 100)
        (j,) = judge(audit(m), Policy("p", (limit(fail_below=0.8),))).outcomes[0].judgements
        outside = m.low > 0.8 or m.high < 0.8

        assert (j.status is not Status.INCONCLUSIVE) == outside


def test_confidence_is_the_limits_own() -> None:
    m = rate("accuracy", 39, 100)  # two-sided p = .028

    strict = judge(audit(m), Policy("p", (limit(fail_below=0.5, confidence=0.99),))).outcomes[0].status
    usual = judge(audit(m), Policy("p", (limit(fail_below=0.5),))).outcomes[0].status

    assert (strict, usual) == (Status.INCONCLUSIVE, Status.FAIL)


def test_an_undecided_limit_says_how_many_samples_would_decide_it() -> None:
    m = difference("gap", (30, 100), (24, 100))

    (j,) = judge(audit(m), Policy("p", (limit(measure="gap", fail_above=0.0),))).outcomes[0].judgements

    assert j.status is Status.INCONCLUSIVE
    n = int(j.sentence.rpartition("About ")[2].partition(" samples")[0].replace(",", ""))
    decided, not_yet = (interval("newcombe", tuple(c * n * f / 200 for c in (30, 100, 24, 100))) for f in (1.02, 0.9))
    assert decided.low > 0
    assert not_yet.low < 0


@pytest.mark.parametrize(
    ("method", "counts", "bound"),
    [
        ("ks", (0.2, 40, 50), 0.1),
        ("student", (30, 0.2, 1.0), 0.1),
        ("welch", (30, 0.5, 1.0, 40, 0.2, 2.0), 0.1),
        ("largest-gap-of-means", (30, 0.5, 1.0, 40, 0.2, 2.0, 20, 0.4, 1.0), 0.1),
        ("mean-of-two-gaps", (2, 30, 50, 25, 50, 20, 40, 15, 40), 0.05),
        ("ratio-to-best", (20, 50, 26, 50, 25, 50), 0.9),
        ("mann-whitney", (16.0, 20, 30), 0.75),
    ],
)
def test_so_many_rows_decide_whatever_the_figure_is_made_of(
    method: str, counts: tuple[float, ...], bound: float
) -> None:
    """What is no count of rows (a distance, a mean, how many groups there are) stays as it is."""
    m = measured("m", "", method, counts, n=100)

    (j,) = judge(audit(m), Policy("p", (limit(measure="m", fail_above=bound),))).outcomes[0].judgements

    n = int(j.sentence.rpartition("About ")[2].partition(" samples")[0].replace(",", ""))
    for factor, is_open in ((1.0, False), (0.85, True)):
        _, low, high = astuple(interval(method, enlarged(method, counts, factor * n / 100)))
        assert (low <= bound <= high) is is_open


def test_statuses_are_those_of_the_judgements() -> None:
    crowd = tuple(rate("accuracy", k, 100, slice=f"class={i}") for i, k in enumerate((20, 48, 90)))
    limits = [limit(fail_below=0.5, warn_below=0.8)]

    assert statuses(crowd, limits) == [
        j.status for j in judge(audit(*crowd), Policy("p", tuple(limits))).outcomes[0].judgements
    ]
    assert set(statuses(crowd, limits)) == {Status.FAIL, Status.INCONCLUSIVE, Status.PASS, Status.WARN}


def test_no_number_of_samples_decides_a_figure_that_sits_on_its_limit() -> None:
    (j,) = judge(audit(MIDDLE), Policy("p", (limit(fail_below=0.8),))).outcomes[0].judgements

    assert "No number of samples would decide it" in j.sentence


def test_judging_again_forgets_the_policy_before() -> None:
    once = judge(audit(LOW), Policy("strict", (limit(fail_below=0.8),)))

    again = judge(once, Policy("lax", (limit(fail_below=0.1),)))

    assert (once.verdict, again.verdict) == (Verdict.FAIL, Verdict.PASS)
    assert again.policy.name == "lax"
    assert judge(again, once.policy) == once


def required(measure: str = "accuracy", **more: object) -> Limit:
    return limit(measure=measure, required=True, **more)


@pytest.mark.parametrize(
    ("measures", "limits", "status", "verdict"),
    [
        ([MIDDLE], [required()], Status.MEASURED, Verdict.CONDITIONS),  # the figure is there: people must look at it
        ([UNKNOWN], [required()], Status.MEASURED, Verdict.INCOMPLETE),
        ([MIDDLE], [required("f1")], Status.MEASURED, Verdict.INCOMPLETE),
        ([MIDDLE], [required(slice="sex=f")], Status.MEASURED, Verdict.INCOMPLETE),
        ([HIGH], [required(), limit(fail_below=0.8)], Status.PASS, Verdict.PASS),
        ([LOW], [required(), limit(fail_below=0.8)], Status.FAIL, Verdict.FAIL),
        ([HIGH], [required("f1"), limit(fail_below=0.8)], Status.PASS, Verdict.INCOMPLETE),
    ],
)
def test_a_required_limit_without_a_bound_asks_for_the_figure(
    measures: list[Measure], limits: list[Limit], status: Status, verdict: Verdict
) -> None:
    found = judge(audit(*measures), Policy("p", tuple(limits)))

    assert (found.outcomes[0].status, found.verdict) == (status, verdict)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("group = 7", "accuracy has no slice group = 7; it has group=7, group=0, group=1, group=2 and 5 more"),
        ("sex=f", "accuracy has no slice sex=f; it has group=0, group=1, group=2, group=3 and 5 more"),
        ("", "accuracy has no figure of all rows; it has group=0, group=1, group=2, group=3 and 5 more"),
    ],
)
def test_of_slices_that_are_there_the_nearest_are_named(asked: str, why: str) -> None:
    measures = [rate("accuracy", 90, 100, slice=f"group={i}") for i in range(9)]

    found = unanswered(judge(audit(*measures), Policy("p", (required(slice=asked),))))
    assert [said for _, said in found] == [why]


def test_why_a_figure_that_was_asked_for_is_not_there() -> None:
    whys = [
        unanswered(judge(audit(m), Policy("p", (asked,))))
        for m, asked in ((UNKNOWN, required()), (HIGH, required("f1")), (HIGH, required(slice="a=b")))
    ]

    assert [why for ((_, why),) in whys] == [
        "accuracy cannot be said from these rows",
        f"{CHECK} has no measure f1; it has accuracy",
        "accuracy has no slice a=b; it has all rows",
    ]
    assert judge(audit(HIGH), Policy("p", (required(),))).outcomes[0].reason == "measured, as the policy requires"


def test_settings_that_limits_ask_for_give_way_to_those_of_the_audit_file() -> None:
    policy = Policy("p", (limit(fail_below=0.5), limit(settings={"a": 1, "b": 2}), limit(settings={"b": 2, "c": 3})))

    assert settings_of(policy, {CHECK: {"b": 0}, "x.y": {"d": 4}}) == {CHECK: {"a": 1, "b": 0, "c": 3}, "x.y": {"d": 4}}
    assert settings_of(Policy("p", (limit(fail_below=0.5),)), {}) == {}


@pytest.mark.parametrize("counts", [(0, 0.5, 1.0), (5, 0.5, 1.0), (2, 0.5, 0.0)])
def test_a_figure_of_no_samples_at_its_limit_is_undecided_and_judging_it_ends(counts: tuple[float, ...]) -> None:
    figure = Measure("accuracy", "", 0.5, 0, 0.4, 0.6, "student", counts)

    judged = judge(audit(figure), Policy("p", (limit(fail_below=0.5),)))

    (judgement,) = judged.outcomes[0].judgements
    assert judgement.status is Status.INCONCLUSIVE
    assert "No number of samples would decide it" in judgement.sentence or "give no interval" in judgement.sentence
