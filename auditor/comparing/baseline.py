"""An audit beside an earlier one: how far each of its figures has moved, kept with it to be judged again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from auditor.comparing.changes import Change, changes
from auditor.policy import judge
from auditor.schema import audit_to_json
from auditor.store import Record
from auditor.types import Audit, Baseline, Measure, Shift, Status

__all__ = ["against"]

WORST_FIRST = (Status.FAIL, Status.WARN, Status.INCONCLUSIVE, Status.PASS)


def against(baseline: Record, record: Record) -> Record:
    """`record` with its baseline, judged again by its own policy, whose limits may bound how much worse it is."""
    audit = replace(record.audit, baseline=_baseline(baseline, record))
    return replace(record, audit=judge(audit, audit.policy))


def _baseline(before: Record, after: Record) -> Baseline:
    statuses, counts = _statuses(before.audit), {k: m.n for k, m in _figures(before.audit).items()}
    shifts = tuple(
        _shift(c, counts[c.check, c.name, c.slice], statuses)
        for c in changes(before, after)
        if (c.check, c.name, c.slice) in counts
    )
    subject = before.audit.subject
    name = (
        f"{subject.get('name') or subject.get('model', {}).get('file') or 'predictions'} {subject.get('version', '')}"
    )
    digest = hashlib.sha256(audit_to_json(before.audit)).hexdigest()
    return Baseline(
        f"{name} {subject.get('version', '')}".strip(), digest, before.audit.verdict, before.audit.policy.name, shifts
    )


def _figures(audit: Audit) -> Mapping[tuple[str, str, str], Measure]:
    return {(o.check, m.name, m.slice): m for o in audit.outcomes for m in o.measures}


def _shift(c: Change, n: int, statuses: Mapping[tuple[str, str, str], Status]) -> Shift:
    low, high = c.ends or (None, None)
    parts = tuple((p.sign, p.method, p.counts) for p in c.moved.parts) if c.moved and c.ends else ()
    constant = c.moved.constant if c.moved else 0.0
    return Shift(
        c.check, c.name, c.slice, c.before, n, c.value, low, high, parts, constant, c.paired,
        statuses.get((c.check, c.name, c.slice)), c.doubt,
    )  # fmt: skip


def _statuses(audit: Audit) -> Mapping[tuple[str, str, str], Status]:
    """How each judged figure came out at the worst of its limits."""
    found: dict[tuple[str, str, str], Status] = {}
    for o in audit.outcomes:
        for j in o.judgements:
            key = (o.check, j.measure, j.slice)
            found[key] = min((found.get(key, j.status), j.status), key=WORST_FIRST.index)
    return found
