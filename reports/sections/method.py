"""Method: how figures get their intervals, how limits were decided, and the settings of every check."""

from __future__ import annotations

from typing import Any

from auditor.types import Audit, Limit, Outcome, Policy
from auditor.unanswered import unanswered
from reports.findings import judged
from reports.parts import Folded, Grid, Prose, Section, tag
from reports.words import bound_words, figure_words, slice_words

__all__ = ["asked", "method"]

NOT_JUDGED = "Not judged"
USUAL = 0.95
LONGEST = 1000  # limits
INTERVALS = (
    "Rates carry Wilson intervals, differences of two Newcombe, ratios of two MOVER-R, means Student's t, each at 95 % "
    "for itself. The interval of a gap between several groups, or of a ratio to the best of them, holds whichever "
    "groups are the extreme ones. A verdict is two one-sided tests at the limit, with Holm's correction over a check's "
    "limits: of several, one can stay undecided though its own interval leaves the limit out."
)


def method(audit: Audit) -> Section:
    """The section."""
    seed = f"Root seed {audit.seed}; each check derives its own from it, so that adding a check moves no other figure."
    settings = [[o.check, _settings(o), o.source] for o in audit.outcomes if o.result is not None]
    blocks: list[Any] = [Prose(INTERVALS), Prose(seed)]
    if limits := _limits(audit):
        columns, more = ("measure", "verdict", "about", "limit", "in words"), max(0, len(limits) - LONGEST)
        grid = Grid("Judgements", columns, limits[:LONGEST], more=more)
        blocks.append(Folded("Every judgement and how it came out", [grid]))
    if audit.policy.limits:
        grids = [_policy(audit.policy), *([_accepted(audit.policy)] if audit.policy.accept else [])]
        blocks.append(Folded(f"The policy “{audit.policy.name}”: what it asks for, and why", grids))
    grid = Grid("Settings", ("check", "settings", "source"), settings)
    blocks.append(Folded("Settings and sources of every check that ran", [grid]))
    answer = "A limit passes or does not only if the rows say so beyond chance; otherwise it is undecided."
    return Section("method", "Method", answer, blocks)


def asked(limit: Limit) -> str:
    """What a limit asks for that met no figure, in the policy's own keys."""
    given = {name.replace("_", " "): v if isinstance(v, str) else f"{v:g}" for name, v in limit.bounds.items()}
    confidence = "" if limit.confidence == USUAL else f", at confidence {limit.confidence:g}"
    return (", ".join(f"{k} {v}" for k, v in given.items()) or "measured") + confidence


def _policy(policy: Policy) -> Grid:
    """Every limit of a policy as it stands there."""
    rows = [
        [
            f"{figure_words(x.measure) or 'a result'} ({x.check})", slice_words(x.slice) if x.slice else "", asked(x),
            "yes" if x.required else "no", x.rationale, ", ".join(x.requirement),
        ]
        for x in policy.limits
    ]  # fmt: skip
    return Grid("Limits of the policy", ("limit on", "about", "asks for", "required", "why", "evidence for"), rows)


def _accepted(policy: Policy) -> Grid:
    """Every finding that the policy accepts, whether or not there is one."""
    rows = [[a.finding, a.owner, a.reason, f"{a.expires:%-d %b %Y}"] for a in policy.accept]
    return Grid("Findings that the policy accepts", ("finding", "owner", "reason", "until"), rows)


def _limits(audit: Audit) -> list[list[str]]:
    rows = [
        [figure_words(j.measure), tag(j.status), slice_words(j.slice), bound_words(j.limit), j.sentence]
        for _, j, _ in judged(audit)
    ]
    for limit, why in unanswered(audit):
        about, required = slice_words(limit.slice or ""), "Required: " if limit.required else ""
        rows.append([figure_words(limit.measure), NOT_JUDGED, about, asked(limit), f"{required}{why}."])
    return rows


def _settings(o: Outcome) -> str:
    return ", ".join(f"{k} {_value(v)}" for k, v in o.params.items()) or "none"


def _value(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(_value(v) for v in value) or "by default"
    if value is None or value == "":
        return "by default"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
