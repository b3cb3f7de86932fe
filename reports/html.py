"""A record as one self-contained page: no script, no request, strict Content-Security-Policy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from auditor.store import Record
from auditor.types import Audit, Outcome, Status, Verdict
from reports.charts import units
from reports.findings import Finding, findings, headline, judged
from reports.parts import (
    CheckHead,
    Facts,
    Folded,
    Grid,
    Prose,
    Section,
    content_security_policy,
    environment,
    grid_of,
    stylesheet,
    tag,
)
from reports.pillars.common import plain_blocks
from reports.pillars.explanations import explanations
from reports.pillars.fairness import fairness
from reports.pillars.performance import performance
from reports.pillars.robustness import robustness
from reports.words import GLOSSARY, STATUS, VERDICT, bound_words, slice_words, subject_name

__all__ = ["measured_on", "render"]

PILLARS = {"performance": performance, "explain": explanations, "robustness": robustness, "fairness": fairness}
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
    audit = record.audit
    found = findings(audit)
    name = subject_name(audit)
    counted = [j.status for _, j, _ in judged(audit)]
    counted.sort(key=WORST_FIRST.index)
    missing = _not_measured(audit)
    page = Page(
        title=f"{VERDICT[audit.verdict]}: audit of {name}",
        kick=f"Model audit: {name}",
        verdict=str(audit.verdict),
        verdict_words=VERDICT[audit.verdict],
        why=_why(audit, counted),
        top=headline(audit, found),
        units=units([str(s) for s in counted], _limits(counted)) if counted else Markup(),
        limits=_limits(counted),
        coverage=_coverage(audit),
        gaps=f"{len(missing)} check{'s say' if len(missing) > 1 else ' says'} nothing here" if missing else "",
        identity=_identity(record),
        findings=found,
        sections=_sections(record, found, missing),
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
def _why(audit: Audit, counted: Sequence[Status]) -> str:
    errors = [o for o in audit.outcomes if o.status is Status.ERROR]
    stopped = [o for o in audit.outcomes if o.status is Status.SKIPPED and o.reason != "not selected"]
    if audit.verdict is Verdict.INCOMPLETE:
        if stopped:
            return f"The audit was interrupted: {len(stopped)} checks did not run, so nothing is concluded."
        if errors:
            return f"{len(errors)} checks ended with an error, so nothing is concluded."
        if not counted:
            return "No limit of the policy names a figure that was measured, so nothing was judged."
        return "A limit that the policy requires could not be decided."
    if audit.verdict is Verdict.PASS:
        return f"All {len(counted)} limits are met. Figures that no limit names are measured, not judged."
    words = {Status.FAIL: "failed", Status.WARN: "gave a warning", Status.INCONCLUSIVE: "could not be decided"}
    parts = [f"{counted.count(status)} {said}" for status, said in words.items() if counted.count(status)]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"Of {len(counted)} limits {listed}."


def _limits(counted: Sequence[Status]) -> str:
    listed = ", ".join(f"{counted.count(s)} {STATUS[s].lower()}" for s in WORST_FIRST if counted.count(s))
    return f"{len(counted)} limits: {listed}." if counted else "No limit was judged."


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
    rows.append(("Policy", f"{audit.policy.name}, {len(audit.policy.limits)} limits"))
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


# ---- sections ----------------------------------------------------------------------------------------------------
def _sections(record: Record, found: Sequence[Finding], missing: Sequence[Outcome]) -> list[Section]:
    audit = record.audit
    sections: list[Section | None] = [_audited(audit), _findings(found)]
    topics = list(dict.fromkeys(o.check.partition(".")[0] for o in audit.outcomes))
    others = [t for t in topics if t not in PILLARS and t != "intake"]
    sections += [*(pillar(record) for pillar in PILLARS.values()), *(_other(audit, t) for t in others)]
    sections += [_gaps(missing), _method(audit), _provenance(record), _glossary(audit)]
    return [s for s in sections if s is not None]


def _audited(audit: Audit) -> Section:
    subject, model, data = audit.subject, audit.subject.get("model", {}), audit.subject.get("data", {})
    declared = {
        "Purpose, as declared": subject.get("purpose"),
        "Intended use": subject.get("intended_use"),
        "Out of scope": subject.get("out_of_scope"),
        "Provider": subject.get("provider"),
    }
    rows = [(k, v) for k, v in declared.items() if v]
    if model.get("parameters"):
        rows.append(
            (
                "Model",
                f"{model['architecture']}, {model['parameters']:,} parameters, read from a {model['format']} file",
            )
        )
    classes = [str(c) for c in data.get("classes", [])]
    if classes:
        shown = ", ".join(classes[:12]) + (f" and {len(classes) - 12:,} more" if len(classes) > 12 else "")
        rows.append(("Classes", shown))
    if "positive" in data:
        rows.append(("Favourable answer", f"“{data['positive']}”"))
    if data.get("sensitive"):
        rows.append(("Sensitive columns", ", ".join(data["sensitive"])))
    rows += [(f"Statement: {k}", v) for k, v in audit.statements.items()]
    blocks: list[Any] = [Facts(rows)]
    preflight = audit.outcome("intake.preflight")
    if preflight and preflight.result:
        blocks += [CheckHead.of(preflight), *(grid_of(t) for t in preflight.result.tables)]
    kind = {"image": "An image model", "table": "A table model"}.get(str(data.get("kind")), "A model")
    kind = kind if model.get("file") else "Predictions that came as data"
    about = f" with {len(classes):,} classes" if classes else ""
    return Section("audited", "What was audited", f"{kind}{about}, on {data.get('rows', 0):,} rows.", blocks)


def _findings(found: Sequence[Finding]) -> Section:
    if not found:
        return Section("findings", "Findings", "Nothing needs a decision: every limit that was judged is met.", [], "0")
    answer = (
        f"{len(found)} findings, worst first. In each picture the dot is the estimate, the bar its 95 % interval, the "
        "dashed line the limit; the tinted side does not pass."
    )
    return Section("findings", "Findings that need a decision", answer, [], str(len(found)))


def _other(audit: Audit, topic: str) -> Section | None:
    outcomes = [o for o in audit.outcomes if o.check.partition(".")[0] == topic and o.result is not None]
    if not outcomes:
        return None
    return Section(topic, topic.capitalize(), "", [b for o in outcomes for b in plain_blocks(o)])


def _not_measured(audit: Audit) -> list[Outcome]:
    return [o for o in audit.outcomes if o.result is None]


def _gaps(missing: Sequence[Outcome]) -> Section | None:
    if not missing:
        return None
    rows = [[o.title, tag(o.status), o.reason, o.check] for o in missing]
    grid = Grid("Checks without a result", ("check", "status", "reason", "id"), rows)
    return Section("gaps", "What was not measured", "Silence about these is not good news.", [grid], str(len(missing)))


def _method(audit: Audit) -> Section:
    limits = [
        [j.measure, tag(j.status), slice_words(j.slice), bound_words(j.limit), j.sentence] for _, j, _ in judged(audit)
    ]
    columns = ("measure", "verdict", "about", "limit", "in words")
    settings = [[o.check, _settings(o), o.source] for o in audit.outcomes if o.result is not None]
    blocks: list[Any] = [
        Prose(
            "Rates carry Wilson intervals, differences Newcombe, ratios MOVER-R, means Student's t, all at 95 % and "
            "unadjusted. A verdict is two one-sided tests at the limit, with Holm's correction over a check's limits."
        ),
        Prose(
            f"Root seed {audit.seed}; each check derives its own from it, so that adding a check moves no other figure."
        ),
    ]
    if limits:
        blocks.append(Folded("Every limit and how it was decided", [Grid("Limits", columns, limits)]))
    blocks.append(
        Folded(
            "Settings and sources of every check that ran",
            [Grid("Settings", ("check", "settings", "source"), settings)],
        )
    )
    answer = "A limit passes or does not only if the interval lies wholly on one side of it; otherwise it is undecided."
    return Section("method", "Method", answer, blocks)


def _settings(o: Outcome) -> str:
    return ", ".join(f"{k} {_value(v)}" for k, v in o.params.items()) or "none"


def _value(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(_value(v) for v in value) or "by default"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _provenance(record: Record) -> Section:
    audit = record.audit
    model, data = audit.subject.get("model", {}), audit.subject.get("data", {})
    digests = [
        [model.get("file", ""), "model file", model.get("sha256", "")],
        [model.get("file", ""), "its weights, however they are stored", model.get("weights_sha256", "")],
        [model.get("architecture", ""), "source file of the architecture", model.get("architecture_sha256", "")],
        [data.get("file", ""), "data", data.get("sha256", "")],
        [data.get("reference", ""), "reference data", data.get("reference_sha256", "")],
        ["audit file", "its settings, defaults filled in", audit.subject.get("audit_file_sha256", "")],
    ]
    blocks: list[Any] = [
        Facts([(f"{file}, {what}", f"sha256 {digest}") for file, what, digest in digests if digest]),
        Prose(
            "manifest.json beside this page holds the digest of every file of the audit; audit.json is the record, "
            "this page a view of it."
        ),
        Folded("What it ran on", [Facts([(k, str(v)) for k, v in audit.environment.items()])]),
    ]
    return Section(
        "provenance", "Provenance", "Every figure can be traced to a file, and every file to a digest.", blocks
    )


def _glossary(audit: Audit) -> Section:
    present = [o.check for o in audit.outcomes if o.result is not None]
    terms = [t for t in GLOSSARY if any(check.startswith(prefix) for check in present for prefix in t.checks)]
    return Section(
        "glossary",
        "Glossary",
        "Each term in a sentence or two.",
        [Facts([(t.name, t.meaning) for t in terms], glossary=True)],
    )
