"""A record of 1,000 classes, 1,000 groups and 500 findings: what a page must stay readable with."""

from __future__ import annotations

from functools import cache

from auditor.policy import judge
from auditor.stats import rate
from auditor.store import Record
from auditor.types import SCHEMA, Audit, Limit, Measure, Outcome, Policy, Result, Status, Table, Verdict

__all__ = ["FINDINGS", "MANY", "large"]

MANY, FINDINGS = 1000, 500
LIMITS = (
    Limit("performance.accuracy", "recall", fail_below=0.5),
    Limit("performance.accuracy", "accuracy", fail_below=0.4),
)


@cache
def large() -> Record:
    """Half of the classes are found in 10 of 100 rows and fail, the others in 95 and pass."""
    outcomes = (_outcome("performance.accuracy", _accuracy()), _outcome("fairness.groups", _groups()),
                _outcome("fairness.impact_ratio", _impact()), _unselected("explain.lrp"))  # fmt: skip
    subject = {
        "name": "taxonomy", "version": "3.2",
        "model": {"file": "m.pt", "format": "state_dict", "architecture": "mlp:8-1000", "evidence_grade": "data",
                  "parameters": 9000, "sha256": "a" * 64, "weights_sha256": "b" * 64},
        "data": {"file": "d.npz", "kind": "table", "rows": 100 * MANY, "sha256": "c" * 64, "sensitive": ["place"],
                 "classes": [_class(i) for i in range(MANY)]},
    }  # fmt: skip
    audit = Audit(SCHEMA, subject, {}, {}, 0, Policy("none"), Verdict.PASS, outcomes)
    return Record(judge(audit, Policy("recall", LIMITS)), {}, {"started": "2026-11-22T09:14:00+00:00"})


def _class(i: int) -> str:
    return f"class {i:04d} of a taxonomy with long names"


def _outcome(check: str, result: Result) -> Outcome:
    return Outcome(check, check.partition(".")[2].capitalize(), "a source", Status.MEASURED, "", {}, (), result)


def _unselected(check: str) -> Outcome:
    return Outcome(check, "LRP", "a source", Status.SKIPPED, "not selected")


def _accuracy() -> Result:
    right = [10 if i < FINDINGS else 95 for i in range(MANY)]
    recalls = tuple(rate("recall", k, 100, slice=f"class={_class(i)}") for i, k in enumerate(right))
    whole = rate("accuracy", sum(right), 100 * MANY)
    share = Measure("majority_share", "", 0.001, 100 * MANY)
    rows = tuple((_class(i), 100, m.value, m.low, m.high) for i, m in enumerate(recalls))
    return Result(
        (whole, share, *recalls), (Table("Accuracy by class", ("class", "n", "recall", "low", "high"), rows),)
    )


def _groups() -> Result:
    measures = tuple(
        rate(name, i % 20, 20, slice=f"place=P{i:04d}") for i in range(MANY) for name in ("selection_rate", "accuracy")
    )
    gap = Measure("demographic_parity_difference", "place", 0.95, 20 * MANY, 0.5, 1.0)
    return Result((gap, *measures))


def _impact() -> Result:
    columns = ("place", "role", "n", "selected", "selection rate", "impact ratio", "low", "high")
    rows = [("P0019", "reference", 20, 19, 0.95, 1.0, None, None)]
    rows += [(f"P{i:04d}", "compared", 20, 10, 0.5, 0.53, 0.3, 0.8) for i in range(20, 20 + MANY)]  # type: ignore[misc]
    ratios = tuple(Measure("impact_ratio", f"place={row[0]}", 0.53, 20, 0.3, 0.8) for row in rows[1:])
    return Result(ratios, (Table("Impact ratio by place", columns, tuple(rows)),))
