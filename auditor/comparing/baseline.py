"""An audit beside an earlier one: how far each of its figures has moved, kept with it to be judged again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from auditor.comparing.changes import Change, changes
from auditor.policy import judge
from auditor.schema import digest_of
from auditor.store import Record
from auditor.types import Audit, Baseline, Shift, Status

__all__ = ["against", "baseline_of", "worst_statuses"]

WORST_FIRST = (Status.FAIL, Status.WARN, Status.INCONCLUSIVE, Status.PASS)


def against(baseline: Record, record: Record) -> Record:
    """`record` with its baseline, judged again by its own policy, whose limits may bound how much worse it is."""
    audit = replace(record.audit, baseline=baseline_of(baseline.audit, record.audit, changes(baseline, record)))
    return replace(record, audit=judge(audit, audit.policy))


def baseline_of(before: Audit, after: Audit, found: Sequence[Change]) -> Baseline:
    """What `after` keeps of its baseline `before`: its verdict as it was, and each of the changes `found`.

    Its figures are judged by the policy of `after`, so that a finding is new for what was measured, and not for another
    policy.
    """
    statuses = worst_statuses(judge(before, after.policy))
    counts = {(o.check, m.name, m.slice): m.n for o in before.outcomes for m in o.measures}
    shifts = tuple(
        _shift(c, counts[c.check, c.name, c.slice], statuses) for c in found if (c.check, c.name, c.slice) in counts
    )
    name = str(before.subject.get("name") or before.subject.get("model", {}).get("file") or "predictions")
    version = str(before.subject.get("version") or "")
    return Baseline(f"{name} {version}".strip(), digest_of(before), before.verdict, before.policy.name, shifts)


def _shift(c: Change, n: int, statuses: Mapping[tuple[str, str, str], Status]) -> Shift:
    low, high = c.ends or (None, None)
    parts = tuple((p.sign, p.method, p.counts) for p in c.moved.parts) if c.moved and c.ends else ()
    constant = c.moved.constant if c.moved else 0.0
    return Shift(
        c.check, c.name, c.slice, c.before, n, c.value, low, high, parts, constant, c.paired,
        statuses.get((c.check, c.name, c.slice)), c.doubt,
    )  # fmt: skip


def worst_statuses(audit: Audit) -> dict[tuple[str, str, str], Status]:
    """How each judged figure came out at the worst of its limits, by check, name and slice."""
    found: dict[tuple[str, str, str], Status] = {}
    for o in audit.outcomes:
        for j in o.judgements:
            key = (o.check, j.measure, j.slice)
            found[key] = min((found.get(key, j.status), j.status), key=WORST_FIRST.index)
    return found
