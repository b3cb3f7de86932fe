"""Audits made by hand, with what there is to count in each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from auditor.comparing.baseline import against
from auditor.policy import INTERRUPTED, judge
from auditor.stats import rate
from auditor.store import Record
from auditor.types import (
    Acceptance,
    Audit,
    Limit,
    Measure,
    Outcome,
    Policy,
    Result,
    Status,
    Verdict,
)  # fmt: skip

__all__ = ["CASES", "CHECK", "DAY", "FLOOR", "Case", "figures", "judged"]

CHECK, OTHER = "fairness.groups", "robustness.trust"
DAY = date(2026, 11, 23)
GOOD, OPEN, BAD = 190, 100, 10  # of 200 rows, with at least half to be right
FLOOR = Limit(CHECK, "accuracy", fail_below=0.5, requirement=("EU-AIA:15(1)", "NIST:MEASURE2.11"), line=7)
DIGEST = "a" * 64


@dataclass(frozen=True)
class Case:
    """An audit, and how many limits at figures failed, warned and so on in it; `accepted` are among the warnings.

    `waiting` are limits on a change without a baseline."""

    record: Record
    verdict: Verdict
    failed: int = 0
    warned: int = 0
    accepted: int = 0
    undecided: int = 0
    undecided_required: int = 0
    passed: int = 0
    missing: int = 0
    errors: int = 0
    waiting: int = 0
    stopped: bool = False

    @property
    def findings(self) -> int:
        undecided = self.undecided + self.undecided_required
        return self.failed + self.warned + undecided + self.missing + self.errors + self.waiting


def figures(**right: int) -> tuple[Measure, ...]:
    """How many of 200 rows are right in each group."""
    return tuple(rate("accuracy", k, 200, slice=f"group={name}") for name, k in right.items())


def outcome(
    check: str, status: Status = Status.MEASURED, reason: str = "", measures: Sequence[Measure] = ()
) -> Outcome:
    return Outcome(
        check, f"Title of {check}", "A paper", status, reason, {}, (), Result(tuple(measures)) if measures else None
    )


def judged(policy: Policy, *outcomes: Outcome, started: str = "2026-11-23T09:00:00+00:00") -> Record:
    subject = {"name": "zoo", "version": "1.0", "data": {"sha256": DIGEST, "rows_sha256": DIGEST, "rows": 200}}
    audit = Audit("audit-v1", subject, {}, {}, 0, policy, Verdict.INCOMPLETE, outcomes)
    return Record(judge(audit, policy, on=DAY), {}, {"started": started})


def of(policy: Policy, **right: int) -> Record:
    return judged(policy, outcome(CHECK, measures=figures(**right)))


def of_classes(name: str, **right: int) -> Record:
    """Of a model with one class, called so."""
    found = of(PLAIN, **right)
    subject = {**found.audit.subject, "data": {**found.audit.subject["data"], "classes": [name]}}
    return replace(found, audit=replace(found.audit, subject=subject))


def _policy(*limits: Limit, accept: tuple[Acceptance, ...] = ()) -> Policy:
    return Policy("mine", limits, accept, "policy.toml")


def _accepting(group: str, expires: date) -> Acceptance:
    return Acceptance(f"{CHECK}/accuracy/group={group}", "Ann", "it is retrained", expires)


PLAIN = _policy(FLOOR)
MIXED = _policy(
    FLOOR,
    Limit(CHECK, "accuracy", slice="group=good", warn_below=0.99, line=12),
    Limit(CHECK, "accuracy", slice="group=nobody", fail_below=0.5, line=17),
    Limit(OTHER, "rules_fired", fail_above=0.0, required=True, line=22),
    Limit("explain.lrp", "ledger_error", fail_above=0.1, line=27),
    accept=(_accepting("kept", date(2026, 12, 1)), _accepting("late", date(2026, 11, 22))),
)
RAN = outcome(CHECK, measures=figures(good=GOOD, open=OPEN, bad=BAD, kept=BAD, late=BAD))
RAN_WELL = outcome(CHECK, measures=figures(a=GOOD))
BROKEN = outcome(OTHER, Status.ERROR, "ValueError: no")
UNSUITED = outcome("explain.lrp", Status.NOT_APPLICABLE, "it has no layers")

CASES: dict[str, Case] = {
    "clean": Case(of(PLAIN, a=GOOD, b=GOOD), Verdict.PASS, passed=2),
    "one": Case(of(PLAIN, a=BAD, b=GOOD), Verdict.FAIL, failed=1, passed=1),
    "many": Case(of(PLAIN, **{f"g{i}": BAD for i in range(500)}), Verdict.FAIL, failed=500),
    "accepted": Case(
        of(_policy(FLOOR, accept=(_accepting("a", DAY),)), a=BAD, b=GOOD),
        Verdict.CONDITIONS, warned=1, accepted=1, passed=1,
    ),
    "undecided": Case(
        of(_policy(replace(FLOOR, required=True)), a=OPEN, b=GOOD), Verdict.INCOMPLETE, undecided_required=1, passed=1
    ),
    "mixed": Case(  # of the five groups against the floor; one warns as well, one limit names no group, one is in vain
        judged(MIXED, RAN, BROKEN, UNSUITED),
        Verdict.FAIL, failed=2, warned=2, accepted=1, undecided=1, passed=1, missing=2, errors=1,
    ),
    "interrupted": Case(
        judged(PLAIN, outcome(CHECK, measures=figures(a=GOOD)), outcome(OTHER, Status.SKIPPED, INTERRUPTED)),
        Verdict.INCOMPLETE, passed=1, stopped=True,
    ),
    "asked": Case(of(_policy(Limit(CHECK, "accuracy", required=True)), a=GOOD), Verdict.CONDITIONS),
    "baseline": Case(  # b was a finding and is none any more, c is new
        against(of(PLAIN, a=30, b=BAD, c=GOOD, d=GOOD), of(PLAIN, a=BAD, b=GOOD, c=BAD, d=GOOD)),
        Verdict.FAIL, failed=2, passed=2,
    ),
    "waiting": Case(  # a limit on the change, and no baseline yet
        of(_policy(FLOOR, replace(FLOOR, fail_below=None, fail_worse_by=0.1, line=12)), a=GOOD),
        Verdict.CONDITIONS, passed=1, waiting=1,
    ),
    "unbounded": Case(  # by a figure that is not there
        of(_policy(FLOOR, replace(FLOOR, fail_below="majority_share", line=12)), a=GOOD),
        Verdict.INCOMPLETE, passed=1, undecided_required=1,
    ),
    "stopped": Case(  # with a warning
        judged(
            _policy(replace(FLOOR, fail_below=None, warn_below=0.5)), outcome(CHECK, measures=figures(a=BAD)),
            outcome(OTHER, Status.SKIPPED, INTERRUPTED),
        ),
        Verdict.INCOMPLETE, warned=1, stopped=True,
    ),
    "failed and stopped": Case(
        judged(PLAIN, outcome(CHECK, measures=figures(a=BAD)), outcome(OTHER, Status.SKIPPED, INTERRUPTED)),
        Verdict.FAIL, failed=1, stopped=True,
    ),
    "broken as before": Case(
        against(judged(PLAIN, RAN_WELL, BROKEN), judged(PLAIN, RAN_WELL, BROKEN)),
        Verdict.INCOMPLETE, passed=1, errors=1,
    ),
    "otherwise": Case(  # no figure of the baseline is of the same kind
        against(of_classes("x", a=BAD, b=BAD), of_classes("y", a=BAD, b=GOOD)), Verdict.FAIL, failed=1, passed=1
    ),
}  # fmt: skip
