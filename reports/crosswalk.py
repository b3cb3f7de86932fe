"""How far an audit is evidence for each requirement of the catalogue: computed from its outcomes, never declared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from auditor.lists import listed
from auditor.requirements import Framework, Requirement, catalogue
from auditor.types import Audit, Outcome, Status
from reports.words import STATUS

__all__ = [
    "COUNTED", "Row", "State", "counted_of", "coverage", "coverage_words", "crosswalk", "named", "row_of", "states_of",
]  # fmt: skip


class State(StrEnum):
    """How far an audit is evidence for one requirement.

    `EVIDENCED`: all of its checks have a result, whatever that says. `PARTLY`: some have. `NOT_APPLICABLE`: each of
    them ended so. `STATED`: a person declared it, which nothing has checked. `OUTSIDE`: no figure of ours can say it.
    """

    EVIDENCED = "evidenced"
    PARTLY = "partly"
    NOT_EVIDENCED = "not_evidenced"
    NEEDS_STATEMENT = "needs_statement"
    STATED = "stated"
    NOT_APPLICABLE = "no_check_applies"
    OUTSIDE = "outside"


COUNTED = {
    State.EVIDENCED: "evidenced",
    State.PARTLY: "partly",
    State.NOT_EVIDENCED: "not evidenced",
    State.NEEDS_STATEMENT: "need a human statement",
    State.STATED: "stated, not checked",
    State.NOT_APPLICABLE: "to which no check applies",
    State.OUTSIDE: "outside an audit",
}
MOST_NAMED = 4
SINGLE = {State.NEEDS_STATEMENT: "needs a human statement"}


@dataclass(frozen=True)
class Row:
    """One requirement in one audit: its state, what was stated, and how the checks that it needs have ended.

    `missing` says why a check of `requirement.checks` is no evidence, by its id; `found` are the outcomes that are
    evidence, those of `further` checks among them.
    """

    requirement: Requirement
    state: State
    statement: str
    found: tuple[Outcome, ...]
    missing: Mapping[str, str]


def crosswalk(audit: Audit, framework: Framework) -> list[Row]:
    """Every requirement of `framework` with its state in `audit`."""
    return [row_of(audit, r) for r in catalogue().of(framework.id)]


def named(audit: Audit) -> list[Framework]:
    """The frameworks that limits of the audit's policy name, in the order of the catalogue."""
    prefixes = {i.partition(":")[0] for limit in audit.policy.limits for i in limit.requirement}
    return [f for f in catalogue().framework if f.id in prefixes]


def counted_of(audit: Audit) -> str:
    """Whose requirements `coverage` counts: the frameworks that the policy names, all of the catalogue otherwise."""
    names = [f.title.partition(",")[0] for f in named(audit)]
    return listed(names, MOST_NAMED) or f"all {len(catalogue().framework)} frameworks"


def coverage(audit: Audit) -> dict[State, int]:
    """How many requirements are in which state: of the frameworks that the policy names, of all where it names none."""
    frameworks = named(audit) or catalogue().framework
    return states_of([row for f in frameworks for row in crosswalk(audit, f)])


def states_of(rows: Iterable[Row]) -> dict[State, int]:
    """How many of the rows are in which state; states of none are left out."""
    times = Counter(row.state for row in rows)
    return {state: times[state] for state in State if times[state]}


def coverage_words(states: Mapping[State, int]) -> str:
    """`22 evidenced, 5 partly, 6 need a human statement`."""
    return ", ".join(
        f"{n:,} {SINGLE.get(state, COUNTED[state]) if n == 1 else COUNTED[state]}" for state, n in states.items()
    )


def row_of(audit: Audit, requirement: Requirement) -> Row:
    """`requirement` with its state in `audit`."""
    outcomes = {check: audit.outcome(check) for check in (*requirement.checks, *requirement.further)}
    whys = {check: _no_evidence(o, requirement) for check, o in outcomes.items()}
    found = tuple(o for check, o in outcomes.items() if o and not whys[check])
    missing = {check: whys[check] for check in requirement.checks if whys[check]}
    statement = audit.statements.get(requirement.id, "").strip()
    if not requirement.checks:
        state = State.STATED if statement else State.NEEDS_STATEMENT if requirement.statement else State.OUTSIDE
    elif all(o and o.status is Status.NOT_APPLICABLE for o in outcomes.values()):
        state = State.NOT_APPLICABLE
    elif not missing:
        state = State.EVIDENCED
    else:
        state = State.PARTLY if found else State.NOT_EVIDENCED
    return Row(requirement, state, statement, found, missing)


def _no_evidence(outcome: Outcome | None, requirement: Requirement) -> str:
    """Why an outcome is no evidence for a requirement; "" where it is."""
    if outcome is None:
        return "not in this audit"
    if outcome.result is None:
        return f"{STATUS[outcome.status].lower()}: {outcome.reason}"
    for name, asked in requirement.settings.items():
        if (had := outcome.params.get(name)) != asked:
            return f"ran with {name} = {had}; only {asked} counts here"
    return ""
