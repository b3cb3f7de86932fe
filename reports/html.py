"""A record as one self-contained page: no script, no request, strict Content-Security-Policy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from markupsafe import Markup

from auditor.store import Record
from auditor.types import Audit, Status
from reports.charts import units
from reports.findings import Finding, findings
from reports.headline import headline
from reports.legible import legible
from reports.parts import Section, content_security_policy, environment, stylesheet
from reports.sections import sections
from reports.standouts import standouts
from reports.verdict import limits, statuses_of, why
from reports.words import VERDICT, counted, grade_words, subject_name

__all__ = ["measured_on", "render"]


@dataclass(frozen=True)
class Page:
    """Everything the template shows."""

    title: str
    kick: str
    verdict: str
    verdict_words: str
    why: str
    top: Sequence[Finding]
    standouts: Sequence[str]
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
    statuses = statuses_of(audit)
    silent = sum(o.result is None for o in audit.outcomes)
    top = headline(audit, found)
    page = Page(
        title=f"{VERDICT[audit.verdict]}: audit of {name}",
        kick=f"Model audit: {name}",
        verdict=str(audit.verdict),
        verdict_words=VERDICT[audit.verdict],
        why=why(audit),
        top=top,
        standouts=standouts(audit, [f.sentence for f in top]),
        units=units([str(s) for s in statuses], limits(statuses)) if statuses else Markup(),
        limits=limits(statuses),
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
    parts = [model.get("file", ""), model.get("architecture", model.get("format", ""))]
    rows = [("Model", ", ".join(str(p) for p in parts if p) or "predictions only")]
    if model.get("weights_sha256"):
        rows.append(("Weights", f"sha256 {model['weights_sha256'][:12]}"))
    rows.append(("Data", f"{data.get('file', '')}, {data.get('rows', 0):,} rows; sha256 {data.get('sha256', '')[:12]}"))
    rows.append(("Policy", f"{audit.policy.name}, {counted(len(audit.policy.limits), 'limit')}"))
    rows.append(("Measured", measured_on(record)))
    rows.append(("Evidence grade", grade_words(str(model.get("evidence_grade", "")), model="file" in model)))
    rows.append(("Signature", "None. This page cannot vouch for itself: its digests are in manifest.json."))
    return [(a, b) for a, b in rows if b]
