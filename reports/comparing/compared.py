"""Two audits compared, whole: what the page, compare.json and the terminal all read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from auditor.comparing.baseline import baseline_of
from auditor.comparing.changes import Change, changes
from auditor.comparing.churn import Churn, churn
from auditor.comparing.flips import Flip, flips
from auditor.policy import judge
from auditor.schema import digest_of
from auditor.store import Record
from auditor.types import Audit
from reports.comparing.apart import Difference, differences
from reports.comparing.became import FindingChange, finding_changes
from reports.comparing.summary import Summed, summary
from reports.legible import legible

__all__ = ["Compared", "compared", "readable"]


@dataclass(frozen=True)
class Compared:
    """The records as they are, and what was found; `digests` are the sha256 of their audit.json.

    `first` and `second` are the audits as they are judged for the comparison: both by the second's policy, the second
    beside the first as its baseline.
    """

    before: Record
    after: Record
    digests: tuple[str, str]
    first: Audit
    second: Audit
    changes: Sequence[Change]
    summed: Sequence[Summed]
    findings: Sequence[FindingChange]
    flips: Sequence[Flip]
    churn: Churn | None
    differences: Sequence[Difference]


def compared(before: Record, after: Record) -> Compared:
    """Everything that is to be said of two audits side by side."""
    found, policy = changes(before, after), after.audit.policy
    first = judge(before.audit, policy)
    second = judge(replace(after.audit, baseline=baseline_of(before.audit, found)), policy)
    return Compared(
        before, after, (digest_of(before.audit), digest_of(after.audit)), first, second, found,
        summary(found, before.audit, after.audit), finding_changes(first, second, found),
        flips(before.audit, first, second), churn(before, after), differences(before.audit, after.audit),
    )  # fmt: skip


def readable(c: Compared) -> Compared:
    """The same with every text of models and data made legible, for a page; rows and scores are matched before."""
    before, after = (replace(r, audit=legible(r.audit)) for r in (c.before, c.after))
    return Compared(
        before, after, c.digests, legible(c.first), legible(c.second), legible(c.changes), legible(c.summed),
        legible(c.findings), legible(c.flips), legible(c.churn), legible(c.differences),
    )  # fmt: skip
