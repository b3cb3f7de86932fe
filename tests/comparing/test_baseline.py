"""An audit beside its baseline: every figure's change is kept with it, and judged again from what is kept."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from auditor.comparing.baseline import against
from auditor.policy import judge
from auditor.schema import audit_from_json, audit_to_json
from auditor.stats import paired, rate
from auditor.store import Record
from auditor.types import Limit, Measure, Policy, Status, Verdict
from tests.reports.compared import ACCURACY, outcome, record, right

WORSE = Policy("p", (Limit(ACCURACY, "accuracy", fail_worse_by=0.1),))
GOOD, BAD = [1.0] * 95 + [0.0] * 5, [1.0] * 60 + [0.0] * 40


def by(policy: Policy, found: Record) -> Record:
    return replace(found, audit=judge(found.audit, policy))


def test_a_change_of_the_same_rows_is_paired() -> None:
    found = against(right(GOOD), by(WORSE, right(BAD)))

    baseline = found.audit.baseline
    assert baseline is not None
    (shift,) = baseline.shifts
    want = paired("d", [int(x) for x in BAD], [int(x) for x in GOOD])
    assert (shift.paired, shift.before, shift.n) == (True, 0.95, 100)
    assert (shift.change, shift.low, shift.high) == pytest.approx((want.value, want.low, want.high))
    assert found.audit.verdict is Verdict.FAIL
    assert "same rows" in found.audit.outcomes[0].judgements[0].sentence


def test_a_stored_audit_is_judged_again_without_its_baseline() -> None:
    stored = audit_from_json(audit_to_json(against(right(GOOD), by(WORSE, right(BAD))).audit))

    lax = Policy("lax", (Limit(ACCURACY, "accuracy", fail_worse_by=0.6),))
    assert judge(stored, lax).verdict is Verdict.PASS
    assert judge(judge(stored, lax), WORSE) == stored


def test_the_baseline_is_named_by_its_digest_and_keeps_how_it_was_judged() -> None:
    floor = Policy("floor", (Limit(ACCURACY, "accuracy", fail_below=0.7, warn_below=0.99),))
    before = by(floor, right(GOOD))

    found = against(before, by(floor, right(BAD))).audit.baseline

    assert found is not None
    assert found.sha256 == hashlib.sha256(audit_to_json(before.audit)).hexdigest()
    assert (found.name, found.policy, found.verdict) == ("predictions", "floor", before.audit.verdict)
    assert found.shifts[0].status is Status.WARN


def test_figures_that_only_one_side_has_have_no_change() -> None:
    old, new = rate("accuracy", 9, 10, slice="class=a"), rate("accuracy", 9, 10, slice="class=b")

    found = against(record(outcome(ACCURACY, old), rows="x"), record(outcome(ACCURACY, new))).audit.baseline

    assert found is not None
    assert [(s.slice, s.before, s.change, s.parts) for s in found.shifts] == [("class=a", 0.9, None, ())]


def test_other_settings_are_said() -> None:
    old, new = (outcome("robustness.curve", rate("x", 9, 10), params={"steps": steps}) for steps in (5, 50))

    found = against(record(old), record(new)).audit.baseline

    assert found is not None
    assert found.shifts[0].doubt == "other settings: steps"


def test_a_figure_that_could_not_be_said_in_the_baseline_is_undecided() -> None:
    unknown = Measure("accuracy", "", None, 0)

    found = against(record(outcome(ACCURACY, unknown)), by(WORSE, right(BAD))).audit

    assert found.outcomes[0].status is Status.INCONCLUSIVE
    assert "cannot be said here or in the baseline" in found.outcomes[0].judgements[0].sentence


def test_judged_by_other_limits_the_baselines_figures_come_out_by_those_as_well() -> None:
    lax, strict = (Policy("p", (Limit(ACCURACY, "accuracy", fail_below=at),)) for at in (0.1, 0.9))
    found = against(by(lax, right(BAD)), by(lax, right(BAD))).audit

    for policy, status in ((strict, Status.FAIL), (lax, Status.PASS), (Policy("none"), None)):
        again = judge(found, policy).baseline
        assert again is not None and again.shifts[0].status is status


def test_nothing_of_the_policy_is_kept_with_the_baseline_but_what_it_says_now() -> None:
    again = judge(against(by(WORSE, right(BAD)), by(WORSE, right(BAD))).audit, WORSE)

    assert again == judge(again, WORSE)


def test_errors_of_the_baseline_are_kept() -> None:
    broken = replace(outcome("a.b"), status=Status.ERROR, result=None)

    found = against(record(broken), by(WORSE, right(BAD))).audit.baseline

    assert found is not None and found.errors == ("a.b",)


def test_a_figure_whose_better_side_was_turned_round_is_not_judged_by_its_change() -> None:
    old = Measure("accuracy", "", 0.9, 100, better="lower")

    found = against(record(outcome(ACCURACY, old)), by(WORSE, right(BAD))).audit

    assert found.baseline is not None and found.baseline.shifts[0].differs_otherwise
    assert found.outcomes[0].status is Status.INCONCLUSIVE
    assert "another side is better: lower before, higher now" in found.outcomes[0].judgements[0].sentence


@pytest.mark.parametrize(
    ("key", "value", "check", "doubt"),
    [
        ("classes", ["a", "c"], ACCURACY, "other classes"),
        ("kind", "image", ACCURACY, "another kind of data"),
        ("positive", "b", "fairness.groups", "another favourable answer"),
        ("positive", "b", ACCURACY, ""),
    ],
)
def test_figures_of_another_kind_are_doubted(key: str, value: object, check: str, doubt: str) -> None:
    data: dict[str, object] = {"classes": ["a", "b"], "kind": "table", "positive": "a"}
    found = record(outcome(check, rate("accuracy", 9, 10)))
    before, after = (
        replace(found, audit=replace(found.audit, subject={"data": of})) for of in (data, {**data, key: value})
    )

    baseline = against(before, after).audit.baseline

    assert baseline is not None
    assert (baseline.shifts[0].doubt, baseline.shifts[0].differs_otherwise) == (doubt, bool(doubt))
