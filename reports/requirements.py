"""The requirement crosswalk as a section: what each framework asks for, and what of this audit is evidence for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

from auditor.requirements import Framework, Requirement, catalogue
from auditor.types import Audit, Outcome
from reports.crosswalk import Row, State, coverage_words, crosswalk, named, states_of
from reports.findings import Finding, section_of
from reports.parts import Facts, Folded, Grid, Heading, Prose, Section, icon
from reports.words import STATUS, counted

__all__ = ["requirements"]

COLUMNS = ("requirement", "what it asks for", "state", "evidence in this audit", "source")
WORDS = {
    State.EVIDENCED: "Evidenced",
    State.PARTLY: "Partly",
    State.NOT_EVIDENCED: "Not evidenced",
    State.NEEDS_STATEMENT: "Needs a statement",
    State.STATED: "Stated",
    State.NOT_APPLICABLE: "No check applies",
    State.OUTSIDE: "Outside an audit",
}
READING = (
    "Evidenced: every check that the requirement needs has a result, whatever that result says. Partly: some have. "
    "Stated: a person declares it in the audit file, and nothing has checked it. Needs a statement: only people can "
    "say it, and nobody has. No check applies: none can say anything about this model and these data. Outside an "
    "audit: no figure of an audit can say it."
)
MOST_FINDINGS = 5


def requirements(audit: Audit, found: Sequence[Finding]) -> Section:
    """The section: frameworks that the policy names first and open, all others folded."""
    known, first = catalogue(), named(audit)
    blocks: list[Any] = [Prose(READING, small=True)]
    for framework in first:
        rows = crosswalk(audit, framework)
        blocks += [Heading(framework.title), Prose(f"{_count(rows)}."), *_framework(framework, rows, found)]
    for framework in known.framework:
        if framework not in first:
            rows = crosswalk(audit, framework)
            blocks.append(Folded(f"{framework.title}. {_count(rows)}", _framework(framework, rows, found)))
    answer = f"What this audit is evidence for, by catalogue {known.version} of {known.as_of:%-d %b %Y}. {known.note}"
    return Section("requirements", "Requirement crosswalk", answer, blocks)


def _count(rows: Sequence[Row]) -> str:
    return f"{counted(len(rows), 'requirement')}: {coverage_words(states_of(rows))}"


def _framework(framework: Framework, rows: Sequence[Row], found: Sequence[Finding]) -> list[Any]:
    about = [
        ("Edition", framework.edition),
        ("Status", framework.status),
        ("Source", f"{framework.source}; {framework.as_of:%-d %b %Y}"),
        ("Note", framework.note),
    ]
    cells = [[r.requirement.id, _asks(r.requirement), _tag(r.state), _evidence(r, found), _source(r)] for r in rows]
    return [Facts(about), Grid(f"Requirements: {framework.title}", COLUMNS, cells)]


def _asks(requirement: Requirement) -> Markup:
    scope = Markup("<small>Here: {}</small>").format(requirement.scope) if requirement.scope else ""
    return _lines([requirement.title, scope])


def _tag(state: State) -> Markup:
    return Markup('<span class="tag">{} {}</span>').format(icon(str(state)), WORDS[state])


def _source(row: Row) -> str:
    return f"{row.requirement.source}; {row.requirement.as_of:%-d %b %Y}"


# ---- what an audit has to say of a requirement -------------------------------------------------------------------
def _evidence(row: Row, found: Sequence[Finding]) -> Markup:
    """The checks by how they ended, each with a link; what is missing, and why; findings; what was stated."""
    lines: list[str] = []
    for status, words in STATUS.items():
        if ended := [o for o in row.found if o.status is status]:
            lines.append(Markup("{}: {}").format(words, _links(ended)))
    lines += [f"{check}: {why}" for check, why in row.missing.items()]
    own = [f for f in found if f.check in (*row.requirement.checks, *row.requirement.further)]
    if own:
        more = f" and {len(own) - MOST_FINDINGS:,} more" if len(own) > MOST_FINDINGS else ""
        keys = ", ".join(f.key for f in own[:MOST_FINDINGS])
        lines.append(Markup('Findings: <a href="#findings">{}</a>{}').format(keys, more))
    if row.statement:
        lines.append(f"Declared, not checked: {row.statement}")
    return _lines([*lines, row.requirement.not_by_us])


def _links(outcomes: Iterable[Outcome]) -> Markup:
    links = [Markup('<a href="#{}">{}</a>').format(section_of(o.check), o.check) for o in outcomes]
    return Markup(", ").join(links)


def _lines(parts: Iterable[str]) -> Markup:
    return Markup("<br>").join(part for part in parts if part)
