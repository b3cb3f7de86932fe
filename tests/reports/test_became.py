"""What became of the findings of two audits, and in what the audits differ besides them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from auditor.policy import judge
from auditor.stats import rate
from auditor.store import Record
from auditor.types import Limit, Outcome, Policy, Setting, Status
from reports.comparing.apart import differences
from reports.comparing.became import Became
from reports.comparing.compared import compared
from reports.comparing.lines import in_lines
from tests.reports.compared import ACCURACY, CURVE, outcome, record, right

FLOOR = Policy("p", (Limit(ACCURACY, "accuracy", fail_below=0.9),))
BROKEN = Outcome(ACCURACY, ACCURACY, "", Status.ERROR, "ValueError: no", {})
SKIPPED = Outcome(ACCURACY, ACCURACY, "", Status.SKIPPED, "not selected", {})


def by(policy: Policy, found: Record) -> Record:
    return replace(found, audit=judge(found.audit, policy))


def good(n: int, policy: Policy = FLOOR) -> Record:
    """An audit in which `n` of 200 rows are right."""
    return by(policy, right([1.0] * n + [0.0] * (200 - n)))


def became(before: Record, after: Record) -> list[tuple[str, Became]]:
    return [(f.id, f.became) for f in compared(before, after).findings]


# ---- findings ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (good(196), good(120), Became.NEW),
        (good(150), good(120), Became.WORSE),
        (good(120), good(150), Became.BETTER),
        (good(120), good(121), Became.UNCHANGED),
        (good(120), good(196), Became.FIXED),
        (good(120), by(FLOOR, record(SKIPPED)), Became.UNMEASURED),
        (good(120), by(FLOOR, record()), Became.UNMEASURED),
    ],
)
def test_what_became_of_a_figure(before: Record, after: Record, found: Became) -> None:
    assert became(before, after) == [(f"{ACCURACY}/accuracy", found)]


def test_a_check_that_ends_with_an_error_is_a_finding_until_it_has_a_result() -> None:
    broken = by(FLOOR, record(BROKEN))

    assert became(broken, broken) == [(ACCURACY, Became.UNCHANGED)]
    assert became(good(196), broken) == [(ACCURACY, Became.NEW)]
    assert became(broken, good(196)) == [(ACCURACY, Became.FIXED)]
    assert became(broken, by(FLOOR, record(SKIPPED))) == [(ACCURACY, Became.UNMEASURED)]


def test_a_finding_is_new_for_what_was_measured_and_not_for_a_stricter_policy() -> None:
    lax = Policy("lax", (Limit(ACCURACY, "accuracy", fail_below=0.1),))

    (found,) = compared(good(120, lax), good(120)).findings

    assert found.became is Became.UNCHANGED
    assert (found.status_before, found.status_after) == (Status.FAIL, Status.FAIL)


def test_what_only_waited_for_a_baseline_was_no_finding_that_could_be_fixed() -> None:
    policy = Policy("p", (*FLOOR.limits, Limit(ACCURACY, "accuracy", warn_worse_by=0.1)))

    assert became(good(200, policy), good(200, policy)) == []


def test_what_is_of_another_kind_now_is_not_fixed() -> None:
    before, after = (
        replace(found, audit=replace(found.audit, subject={"data": {"classes": [name]}}))
        for found, name in ((good(20), "a"), (good(200), "b"))
    )

    assert became(before, after) == [("performance.accuracy/accuracy", Became.OTHERWISE)]


def test_several_limits_of_a_figure_are_one_finding_at_the_worst_of_them() -> None:
    both = Policy("p", (Limit(ACCURACY, "accuracy", fail_below=0.9, warn_below=0.95),))

    (found,) = compared(good(199, both), good(120, both)).findings

    assert (found.status_before, found.status_after) == (Status.PASS, Status.FAIL)


def test_a_finding_is_a_sentence_with_both_figures_and_its_change() -> None:
    (found,) = compared(good(150), good(120)).findings

    assert found.sentence == "The model is right in 0.60 of the rows."
    assert found.moved.startswith("It went from 0.750 to 0.600, by \N{MINUS SIGN}0.150 (95 % interval ")
    assert found.moved.endswith("; n = 200, paired).")
    assert (found.before, found.after, found.paired) == (0.75, 0.6, True)
    assert found.change == pytest.approx(-0.15)


def test_a_limit_on_the_change_is_judged_beside_the_first_audit() -> None:
    policy = Policy("p", (Limit(ACCURACY, "accuracy", fail_worse_by=0.05),))

    found = compared(good(196, policy), good(120, policy))

    assert found.second.verdict == "fail" and found.after.audit.verdict == "incomplete"
    assert [f.became for f in found.findings] == [Became.NEW]


def test_the_terminal_is_told_in_lines_that_nothing_breaks() -> None:
    lines = in_lines(compared(good(196), good(120)))

    assert lines[:2] == ["verdicts: Pass to Fail", "findings: 1 new, 0 worse, 0 better, 0 unchanged, 0 fixed"]
    assert lines[2].startswith("  New: The model is right in 0.60 of the rows. It went from 0.980 to 0.600, by ")
    assert lines[3] == "judgements: 1 judgement came out otherwise, by the same policy."
    hostile = good(120)
    hostile = replace(hostile, audit=replace(hostile.audit, environment={"x\n\x1b[2J version": 1}))
    told = in_lines(compared(good(196), hostile))
    assert all(line.isprintable() for line in told)
    assert told[-1] == "not comparable: x [2J version"


# ---- what differs besides ----------------------------------------------------------------------------------------
def told(before: Record, after: Record) -> list[tuple[str, str, str]]:
    return [(d.what, d.before, d.after) for d in differences(before.audit, after.audit)]


def with_data(**facts: Any) -> Record:
    found = record()
    data = {**found.audit.subject["data"], **facts}
    return replace(found, audit=replace(found.audit, subject={"data": data}))


def test_the_same_audit_differs_in_nothing() -> None:
    assert told(good(120), good(196)) == []


@pytest.mark.parametrize(
    ("after", "what", "sides"),
    [
        (with_data(sha256="e", rows=7), "data", ("not named, 0 rows, sha256 d", "not named, 7 rows, sha256 e")),
        (with_data(rows_sha256="s"), "rows", ("0 rows, sha256 r", "0 rows, sha256 s")),
        (with_data(kind="image"), "kind of data", ("none", "image")),
        (with_data(classes=["a", "b"]), "classes", ("none", "a, b")),
        (with_data(positive="yes"), "favourable answer", ("none", "yes")),
    ],
)
def test_other_data_is_said(after: Record, what: str, sides: tuple[str, str]) -> None:
    assert told(record(), after) == [(what, *sides)]


def test_unknown_data_are_never_taken_for_the_same() -> None:
    unknown = with_data(sha256="")

    assert [what for what, _, _ in told(unknown, unknown)] == ["data"]


def test_another_seed_version_and_settings_are_said() -> None:
    def made(version: str, seed: int, params: dict[str, Setting]) -> Record:
        found = record(outcome(CURVE, rate("robust_accuracy", 5, 10, slice="linf@0.1"), params=params))
        environment = {"torch-auditor version": version, "threads": seed}
        return replace(found, audit=replace(found.audit, seed=seed, environment=environment))

    first, second = made("0.1", 0, {"steps": 5, "samples": 8}), made("0.2", 1, {"steps": 9, "samples": 8})
    assert told(first, second) == [
        ("seed", "0", "1"),
        ("auditor version", "0.1", "0.2"),
        (f"settings of {CURVE}", "steps 5", "steps 9"),
    ]
    more = made("0.1", 0, {"steps": 5, "samples": 80})
    (size,) = differences(first.audit, more.audit)
    assert (size.before, size.after, size.effect) == (
        "samples 8", "samples 80", "Its figures are of more rows on one side."
    )  # fmt: skip


def test_a_check_that_one_side_lacks_is_said_with_the_reason() -> None:
    assert told(good(120), record(SKIPPED)) == [(ACCURACY, "Measured", "Skipped: not selected")]
    assert told(record(BROKEN), good(120)) == [(ACCURACY, "Error: ValueError: no", "Measured")]
    assert told(record(BROKEN), record(SKIPPED)) == []
