"""A record as one self-contained page: no script, no request, strict Content-Security-Policy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from markupsafe import Markup

from auditor.policy import INTERRUPTED, unanswered, was_interrupted
from auditor.store import Record
from auditor.types import Audit, Status, Verdict
from reports.charts import units
from reports.findings import Finding, findings, headline, judged
from reports.legible import legible
from reports.parts import Section, content_security_policy, environment, stylesheet
from reports.sections import sections
from reports.words import STATUS, VERDICT, counted, subject_name

__all__ = ["measured_on", "render"]

WORST_FIRST = (Status.FAIL, Status.WARN, Status.INCONCLUSIVE, Status.PASS)


@dataclass(frozen=True)
class Page:
    """Everything the template shows."""

    title: str
    kick: str
    verdict: str
    verdict_words: str
    why: str
    top: Sequence[Finding]
    units: Markup
    limits: str
    coverage: str
    gaps: str
    identity: Sequence[tuple[str, str]]
    findings: Sequence[Finding]
    sections: Sequence[Section]


def render(record: Record) -> str:
    """report.html; the same bytes for the same record (and SOURCE_DATE_EPOCH, where that is set)."""
    record = replace(record, audit=legible(record.audit))
    audit = record.audit
    found = findings(audit)
    name = subject_name(audit)
    statuses = sorted((j.status for _, j, _ in judged(audit)), key=WORST_FIRST.index)
    silent = sum(o.result is None for o in audit.outcomes)
    page = Page(
        title=f"{VERDICT[audit.verdict]}: audit of {name}",
        kick=f"Model audit: {name}",
        verdict=str(audit.verdict),
        verdict_words=VERDICT[audit.verdict],
        why=_why(audit, statuses),
        top=headline(audit, found),
        units=units([str(s) for s in statuses], _limits(statuses)) if statuses else Markup(),
        limits=_limits(statuses),
        coverage=_coverage(audit),
        gaps=f"{counted(silent, 'check')} without a result" if silent else "",
        identity=_identity(record),
        findings=found,
        sections=sections(record, found),
    )
    template = environment().get_template("report.html.j2")
    return template.render(page=page, policy=content_security_policy(), style=Markup(stylesheet()))  # noqa: S704 - our own


def measured_on(record: Record) -> str:
    """The day and minute the audit was made; from SOURCE_DATE_EPOCH where that is set."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    started = datetime.fromtimestamp(int(epoch), UTC).isoformat() if epoch else str(record.run.get("started", ""))
    if not started:
        return ""
    return f"{datetime.fromisoformat(started).astimezone(UTC):%-d %b %Y, %H:%M} UTC"


# ---- the first screen --------------------------------------------------------------------------------------------
def _why(audit: Audit, statuses: Sequence[Status]) -> str:
    if audit.verdict is Verdict.INCOMPLETE:
        return _why_incomplete(audit, statuses)
    if audit.verdict is Verdict.PASS:
        met = "The only limit is" if len(statuses) == 1 else f"All {len(statuses)} limits are"
        return f"{met} met. Figures that no limit names are measured, not judged."
    words = {Status.FAIL: "failed", Status.WARN: "gave a warning", Status.INCONCLUSIVE: "could not be decided"}
    parts = [f"{statuses.count(status)} {said}" for status, said in words.items() if statuses.count(status)]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"Of {counted(len(statuses), 'limit')} {listed}."


def _why_incomplete(audit: Audit, statuses: Sequence[Status]) -> str:
    errors = sum(o.status is Status.ERROR for o in audit.outcomes)
    required = [f"{li.measure.replace('_', ' ')} ({li.check})" for li, _ in unanswered(audit) if li.required]
    if was_interrupted(audit):
        stopped = sum(o.reason == INTERRUPTED for o in audit.outcomes)
        return f"The audit was interrupted: {counted(stopped, 'check')} did not finish, so nothing is concluded."
    if errors:
        return f"{counted(errors, 'check')} ended with an error, so nothing is concluded."
    if required:
        return f"Nothing was judged by a limit that the policy requires: {', '.join(required)}."
    if not statuses:
        return "No limit of the policy names a figure that was measured, so nothing was judged."
    return "A limit that the policy requires could not be decided."


def _limits(statuses: Sequence[Status]) -> str:
    listed = ", ".join(f"{statuses.count(s)} {STATUS[s].lower()}" for s in WORST_FIRST if statuses.count(s))
    return f"{counted(len(statuses), 'limit')}: {listed}." if statuses else "No limit was judged."


def _coverage(audit: Audit) -> str:
    done = sum(o.result is not None for o in audit.outcomes)
    parts = [f"{done} of {len(audit.outcomes)} checks ran"]
    for status, words in (
        (Status.NOT_APPLICABLE, "did not apply"),
        (Status.SKIPPED, "skipped"),
        (Status.ERROR, "ended in error"),
    ):
        n = sum(o.status is status for o in audit.outcomes)
        if n:
            parts.append(f"{n} {words}")
    return f"{', '.join(parts)}."


def _identity(record: Record) -> list[tuple[str, str]]:
    audit = record.audit
    model, data = audit.subject.get("model", {}), audit.subject.get("data", {})
    rows = [("Model", f"{model.get('file', 'predictions only')}, {model.get('architecture', model.get('format', ''))}")]
    if model.get("weights_sha256"):
        rows.append(("Weights", f"sha256 {model['weights_sha256'][:12]}"))
    rows.append(("Data", f"{data.get('file', '')}, {data.get('rows', 0):,} rows; sha256 {data.get('sha256', '')[:12]}"))
    rows.append(("Policy", f"{audit.policy.name}, {counted(len(audit.policy.limits), 'limit')}"))
    rows.append(("Measured", measured_on(record)))
    rows.append(("Evidence grade", _grade_words(str(model.get("evidence_grade", "")))))
    rows.append(("Signature", "None. This page cannot vouch for itself: its digests are in manifest.json."))
    return [(a, b) for a, b in rows if b]


def _grade_words(grade: str) -> str:
    return {
        "data": "data: weights in a known architecture",
        "program": "program: the model file brings code of its own",
        "code": "code: the architecture is Python of its own, which could forge its own result",
    }.get(grade, grade)
