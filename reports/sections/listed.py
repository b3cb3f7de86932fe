"""Every section of a report in reading order, each with what the contents say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from auditor.store import Record
from auditor.types import Audit, Status
from reports.findings import Finding
from reports.glossary import GLOSSARY
from reports.parts import Facts, Folded, Grid, Heat, Section
from reports.pillars.common import plain_blocks
from reports.pillars.explanations import explanations
from reports.pillars.fairness import fairness
from reports.pillars.performance import performance
from reports.pillars.robustness import robustness
from reports.requirements import requirements
from reports.sections.audited import audited
from reports.sections.decisions import decisions
from reports.sections.method import method
from reports.sections.misreading import misreading
from reports.sections.provenance import provenance
from reports.sections.signoff import signoff
from reports.sections.unmeasured import unmeasured
from reports.since import beside_baseline
from reports.words import STATUS

__all__ = ["sections"]

PILLARS = {"performance": performance, "explain": explanations, "robustness": robustness, "fairness": fairness}
OPEN_ROWS = 12  # of a table in sight


def sections(record: Record, found: Sequence[Finding], digest: str) -> list[Section]:
    """Every section of the report that has something to say, in reading order; `digest` is that of audit.json."""
    audit = record.audit
    listed: list[Section | None] = [audited(audit, found), decisions(audit, found)]
    topics = list(dict.fromkeys(o.check.partition(".")[0] for o in audit.outcomes))
    others = [t for t in topics if t not in PILLARS and t != "intake"]
    topical = [*(pillar(record) for pillar in PILLARS.values()), *(_other(audit, t) for t in others)]
    listed += [_short(s) for s in topical if s is not None]
    listed += [requirements(audit, found), unmeasured(audit), misreading(), method(audit), provenance(record, digest)]
    listed += [signoff(audit), _glossary(audit)]
    return [_noted(s, [f for f in found if f.section == s.key]) for s in listed if s is not None]


def _short(section: Section) -> Section:
    """The section with its long tables behind clicks: the sentence first, the table, then the evidence."""
    return replace(section, blocks=[_folded(b) if isinstance(b, (Grid, Heat)) else b for b in section.blocks])


def _folded(table: Grid | Heat) -> Grid | Heat | Folded:
    if len(table.rows) <= OPEN_ROWS:
        return table
    rows = len(table.rows) + (table.more if isinstance(table, Grid) else 0)
    return Folded(f"{table.caption.partition(';')[0]}: {rows:,} rows", [table])


def _noted(section: Section, own: Sequence[Finding]) -> Section:
    """The section with its findings in the contents: how many of the worst kind, and how many more."""
    if not own:
        return section
    worst = own[0].status
    n = sum(f.status is worst for f in own)
    words = f"{n} {STATUS[worst].lower()}{'s' if worst in {Status.WARN, Status.ERROR} and n > 1 else ''}"
    more = f", {len(own) - n} more" if len(own) > n else ""
    return replace(section, note=f"{words}{more}", status=str(worst))


def _other(audit: Audit, topic: str) -> Section | None:
    outcomes = [o for o in audit.outcomes if o.check.partition(".")[0] == topic and o.result is not None]
    if not outcomes:
        return None
    blocks = [b for o in outcomes for b in beside_baseline(audit, o.check, plain_blocks(o))]
    return Section(topic, topic.capitalize(), "", blocks)


def _glossary(audit: Audit) -> Section:
    present = [o.check for o in audit.outcomes if o.result is not None]
    terms = [t for t in GLOSSARY if any(check.startswith(prefix) for check in present for prefix in t.checks)]
    facts = Facts([(t.name, t.meaning) for t in terms], glossary=True)
    return Section("glossary", "Glossary", "Each term in a sentence or two.", [facts])
