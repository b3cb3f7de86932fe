"""The sections of a report that belong to no pillar: what was audited, findings, gaps, method, provenance, glossary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditor.lists import listed
from auditor.policy import unanswered
from auditor.store import Record
from auditor.types import Audit, Limit, Outcome
from reports.findings import Finding, judged
from reports.glossary import GLOSSARY
from reports.parts import CheckHead, Facts, Folded, Grid, Prose, Section, grid_of, tag
from reports.pillars.common import plain_blocks
from reports.pillars.explanations import explanations
from reports.pillars.fairness import fairness
from reports.pillars.performance import performance
from reports.pillars.robustness import robustness
from reports.requirements import requirements
from reports.words import bound_words, counted, grade_meaning, grade_words, how_held, slice_words

__all__ = ["sections"]

PILLARS = {"performance": performance, "explain": explanations, "robustness": robustness, "fairness": fairness}
NOT_JUDGED = "Not judged"


def sections(record: Record, found: Sequence[Finding]) -> list[Section]:
    """Every section of the report that has something to say, in reading order."""
    audit = record.audit
    listed: list[Section | None] = [_audited(audit), _findings(audit, found)]
    topics = list(dict.fromkeys(o.check.partition(".")[0] for o in audit.outcomes))
    others = [t for t in topics if t not in PILLARS and t != "intake"]
    listed += [*(pillar(record) for pillar in PILLARS.values()), *(_other(audit, t) for t in others)]
    listed += [requirements(audit, found), _gaps(audit), _method(audit), _provenance(record), _glossary(audit)]
    return [s for s in listed if s is not None]


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
                f"{model['architecture']}, {model['parameters']:,} parameters, read from a {model['format']} file"
                + (f"; behind a wrapper, {str(model['wrapper']).replace('_', ' ')}" if model.get("wrapper") else ""),
            )
        )
    if model.get("wrapper_reads"):
        rows.append(("Read to decide", f"the column “{model['wrapper_reads']}” of each row, by the wrapper"))
    file = "Wrapper file" if model.get("wrapper") else "Model file"
    digests = {
        file: model.get("sha256"),
        "Wrapped file": model.get("wrapped_sha256"),
        "State dict": model.get("weights_sha256"),
    }
    rows += [(name, f"sha256 {digest}") for name, digest in digests.items() if digest]
    if model.get("file") and (grade := str(model.get("evidence_grade", ""))):
        rows.append(("Evidence grade", f"{grade_words(grade)}. {grade_meaning(grade)}"))
    if model.get("file") and (held := how_held(audit)):
        rows.append(("Sandbox", held))
    classes = [str(c) for c in data.get("classes", [])]
    if classes:
        rows.append(("Classes", listed(classes, 12)))
    if "positive" in data:
        rows.append(("Favourable answer", f"“{data['positive']}”"))
    if data.get("sensitive"):
        rows.append(("Sensitive columns", ", ".join(data["sensitive"])))
    rows += [(f"Statement: {k}", v) for k, v in audit.statements.items()]
    blocks: list[Any] = [Facts(rows)]
    preflight = audit.outcome("intake.preflight")
    if preflight and preflight.result:
        blocks += [CheckHead.of(preflight), *(grid_of(t) for t in preflight.result.tables)]
    kind = {"image": "An image model", "table": "A table model", "text": "A text model"}.get(
        str(data.get("kind")), "A model"
    )
    kind = kind if model.get("file") else "Predictions that came as data"
    about = f" with {len(classes):,} classes" if classes else ""
    return Section("audited", "What was audited", f"{kind}{about}, on {data.get('rows', 0):,} rows.", blocks)


def _findings(audit: Audit, found: Sequence[Finding]) -> Section:
    if not found:
        met = "every limit that was judged is met" if any(judged(audit)) else "no limit of the policy was judged"
        return Section("findings", "Findings", f"Nothing needs a decision here: {met}.", [], "0")
    answer = (
        f"{counted(len(found), 'finding')}, worst first. In each picture the dot is the estimate, the bar its 95 % "
        "interval, the dashed line the limit; the tinted side does not pass."
    )
    return Section("findings", "Findings that need a decision", answer, [], str(len(found)))


def _other(audit: Audit, topic: str) -> Section | None:
    outcomes = [o for o in audit.outcomes if o.check.partition(".")[0] == topic and o.result is not None]
    if not outcomes:
        return None
    return Section(topic, topic.capitalize(), "", [b for o in outcomes for b in plain_blocks(o)])


def _gaps(audit: Audit) -> Section | None:
    rows = [[o.title, tag(o.status), o.reason, o.check] for o in audit.outcomes if o.result is None]
    if not rows:
        return None
    grid = Grid("Checks without a result", ("check", "status", "reason", "id"), rows)
    return Section("gaps", "What was not measured", "Silence about these is not good news.", [grid], str(len(rows)))


def _method(audit: Audit) -> Section:
    limits = [
        [j.measure, tag(j.status), slice_words(j.slice), bound_words(j.limit), j.sentence] for _, j, _ in judged(audit)
    ]
    limits += [
        [
            li.measure,
            NOT_JUDGED,
            slice_words(li.slice or ""),
            _asked(li),
            f"{'Required: ' if li.required else ''}{why}.",
        ]
        for li, why in unanswered(audit)
    ]
    columns = ("measure", "verdict", "about", "limit", "in words")
    settings = [[o.check, _settings(o), o.source] for o in audit.outcomes if o.result is not None]
    blocks: list[Any] = [
        Prose(
            "Rates carry Wilson intervals, differences of two Newcombe, ratios of two MOVER-R, means Student's t, each "
            "at 95 % for itself. The interval of a gap between several groups, or of a ratio to the best of them, "
            "holds whichever groups are the extreme ones. A verdict is two one-sided tests at the limit, with Holm's "
            "correction over a check's limits: of several, one can stay undecided though its own interval leaves the "
            "limit out."
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
    answer = "A limit passes or does not only if the rows say so beyond chance; otherwise it is undecided."
    return Section("method", "Method", answer, blocks)


def _asked(limit: Limit) -> str:
    """What a limit asks for that met no figure, in the policy's own keys."""
    given = {name.replace("_", " "): v if isinstance(v, str) else f"{v:g}" for name, v in limit.bounds.items()}
    return ", ".join(f"{k} {v}" for k, v in given.items()) or "measured"


def _settings(o: Outcome) -> str:
    return ", ".join(f"{k} {_value(v)}" for k, v in o.params.items()) or "none"


def _value(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(_value(v) for v in value) or "by default"
    if value is None or value == "":
        return "by default"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _provenance(record: Record) -> Section:
    audit = record.audit
    model, data = audit.subject.get("model", {}), audit.subject.get("data", {})
    behind = model.get("wrapped_file", "")
    digests = [
        [model.get("file", ""), "wrapper file" if model.get("wrapper") else "model file", model.get("sha256", "")],
        [behind, "model file behind the wrapper", model.get("wrapped_sha256", "")],
        [
            model.get("wrapped_file", model.get("file", "")),
            "its weights, however they are stored",
            model.get("weights_sha256", ""),
        ],
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
