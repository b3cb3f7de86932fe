"""A record as one self-contained page: no script, no request, strict Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from auditor.store import Record
from reports.budget import within_budget
from reports.charts import units
from reports.crosswalk import counted_of, coverage_words
from reports.crosswalk import coverage as covered
from reports.findings import Finding, findings
from reports.headline import headline
from reports.identity import identity, record_digest
from reports.legible import legible
from reports.parts import Section
from reports.rendering import content_security_policy, environment, margins, stylesheet
from reports.sections.listed import sections
from reports.standouts import standouts
from reports.verdict import coverage, judgements, statuses_of, why
from reports.words import VERDICT, counted, subject_name

__all__ = ["render"]


@dataclass(frozen=True)
class Page:
    """Everything the template shows. `requirements` says how many of them are in which state."""

    title: str
    audit_sha256: str
    kick: str
    verdict: str
    verdict_words: str
    why: str
    top: Sequence[Finding]
    standouts: Sequence[str]
    units: Markup
    judgements: str
    coverage: str
    gaps: str
    requirements: str
    requirements_of: str
    identity: Sequence[tuple[str, str]]
    sections: Sequence[Section]


def render(record: Record) -> str:
    """report.html; the same bytes for the same record (and SOURCE_DATE_EPOCH, where that is set)."""
    digest = record_digest(record.audit)
    record = replace(record, audit=legible(record.audit))
    audit = record.audit
    found = findings(audit)
    name = subject_name(audit)
    statuses = statuses_of(audit)
    silent = sum(o.result is None for o in audit.outcomes)
    top = headline(audit, found)
    page = Page(
        title=f"{VERDICT[audit.verdict]}: audit of {name}",
        audit_sha256=digest,
        kick=f"Model audit: {name}",
        verdict=str(audit.verdict),
        verdict_words=VERDICT[audit.verdict],
        why=why(audit),
        top=top,
        standouts=standouts(audit, [f.sentence for f in top]),
        units=units([str(s) for s in statuses], judgements(statuses)) if statuses else Markup(),
        judgements=judgements(statuses),
        coverage=coverage(audit),
        gaps=f"{counted(silent, 'check')} without a result" if silent else "",
        requirements=coverage_words(covered(audit)),
        requirements_of=counted_of(audit),
        identity=identity(record, digest),
        sections=within_budget(sections(record, found, digest)),
    )
    styles = (stylesheet(), *([margins(digest)] if digest else []))
    template = environment().get_template("report.html.j2")
    return template.render(
        page=page,
        policy=content_security_policy(*styles),
        styles=[Markup(style) for style in styles],  # noqa: S704 - our own
    )
