"""An audit beside an earlier one: how far each of its figures has moved, kept with it to be judged again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from auditor.comparing.changes import Change, changes
from auditor.policy import judge
from auditor.schema import digest_of
from auditor.store import Record
from auditor.types import Audit, Baseline, Measure, Shift, Status
from auditor.worst import worst_of

__all__ = ["against", "baseline_of", "worst_statuses"]


def against(baseline: Record, record: Record) -> Record:
    """`record` with its baseline, judged again by its own policy, whose limits may bound how much worse it is."""
    audit = replace(record.audit, baseline=baseline_of(baseline.audit, changes(baseline, record)))
    return replace(record, audit=judge(audit, audit.policy))


def baseline_of(before: Audit, found: Sequence[Change]) -> Baseline:
    """What an audit keeps of its baseline `before`: its verdict as it was, and each of the changes `found`.

    How its figures come out is for `judge` to say, by the policy of the later audit: a finding is new for what was
    measured, and not for another policy.
    """
    then = {(o.check, m.name, m.slice): m for o in before.outcomes for m in o.measures}
    shifts = tuple(_shift(c, then[key]) for c in found if (key := (c.check, c.name, c.slice)) in then)
    errors = tuple(o.check for o in before.outcomes if o.status is Status.ERROR)
    name = str(before.subject.get("name") or before.subject.get("model", {}).get("file") or "predictions")
    version = str(before.subject.get("version") or "")
    return Baseline(f"{name} {version}".strip(), digest_of(before), before.verdict, before.policy.name, shifts, errors)


def _shift(c: Change, then: Measure) -> Shift:
    low, high = c.ends or (None, None)
    parts = tuple((p.sign, p.method, p.counts) for p in c.moved.parts) if c.moved and c.ends else ()
    constant = c.moved.constant if c.moved else 0.0
    return Shift(
        c.check, c.name, c.slice, then.value, then.n, c.value, low, high, parts, constant, c.paired,
        doubt=c.doubt, method=then.method, counts=then.counts,
    )  # fmt: skip


def worst_statuses(audit: Audit) -> dict[tuple[str, str, str], Status]:
    """How each judged figure came out at the worst of its limits, by check, name and slice."""
    return worst_of(((o.check, j.measure, j.slice), j.status) for o in audit.outcomes for j in o.judgements)
