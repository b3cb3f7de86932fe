"""Limits turn figures into verdicts. Pure: a stored audit is judged again without its model or data.

A limit is decided by two one-sided tests at its bound, with Holm's correction over one check's limits: significantly on
the good side passes, on the bad side warns or fails, anything else is inconclusive. A measure that has no interval by
nature is compared directly. A required limit without a bound asks for the figure alone, as a duty to publish does.
Whatever could not be judged never counts as passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

from auditor.clock import today
from auditor.config import BUILT_IN
from auditor.deciding import Shifts, decided
from auditor.errors import UsageError
from auditor.judged_then import judged_then
from auditor.policy_file import parse_policy
from auditor.sentences import sentence
from auditor.types import Acceptance, Audit, Judgement, Limit, Outcome, Policy, Status, Verdict, finding_id
from auditor.unanswered import in_force, is_missing, is_waiting, was_answered
from auditor.worst import WORST_FIRST

__all__ = [
    "BUILT_IN", "INTERRUPTED", "NOT_SELECTED", "STOPPED", "acceptance_of", "accepted_until", "judge",
    "limit_of", "load_policy", "settings_of", "to_run", "was_interrupted",
]  # fmt: skip

INTERRUPTED = "interrupted before it had finished"
NOT_SELECTED = "not selected"
STOPPED = "stopped: "  # so begins the reason of a check that ran into a limit of its process
_RAN = (*WORST_FIRST, Status.MEASURED)


def load_policy(name: str, folder: Path | None = None) -> Policy:
    """The built-in policy `name`, or the one in the TOML file of that name in `folder`."""
    if name in BUILT_IN:
        text = (resources.files("auditor") / "policies" / f"{name}.toml").read_text("utf-8")
        return parse_policy(text, name)
    path = (folder or Path()) / name
    try:
        text = path.read_text("utf-8-sig")
    except OSError as e:
        msg = f"policy {name!r:.200} cannot be read ({e.strerror}); give a TOML file or one of {', '.join(BUILT_IN)}"
        raise UsageError(msg) from None
    except ValueError as e:
        msg = f"policy {name!r:.200} is not TOML: {e}"
        raise UsageError(msg) from None
    return parse_policy(text, path.stem, path.name)


def settings_of(policy: Policy, given: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The settings of checks that an audit by `policy` runs with, by check: those `given`, else what its limits ask."""
    asked: dict[str, dict[str, Any]] = {}
    for limit in policy.limits:
        if limit.settings:
            asked.setdefault(limit.check, {}).update(limit.settings)
    return {check: {**asked.get(check, {}), **given.get(check, {})} for check in (*given, *asked)}


def judge(audit: Audit, policy: Policy, on: date | None = None) -> Audit:
    """The same audit with the judgements, statuses and verdict that `policy` gives it.

    What the policy accepts counts up to the day it expires; `on` is the day it is judged, None today.
    """
    accepted = {a.finding: a for a in policy.accept}
    day = on or today()
    outcomes = tuple(_judge_outcome(o, policy, _shifts(audit, o.check), accepted, day) for o in audit.outcomes)
    limits = {o.check: in_force(policy, o) for o in audit.outcomes}
    baseline = judged_then(audit.baseline, limits) if audit.baseline else None
    return replace(audit, policy=policy, outcomes=outcomes, baseline=baseline, verdict=_verdict(outcomes, policy))


def _shifts(audit: Audit, check: str) -> Shifts:
    found = audit.baseline.shifts if audit.baseline else ()
    return {(s.measure, s.slice): s for s in found if s.check == check}


def to_run(audit: Audit) -> list[str]:
    """The checks of the audit that are to run and have not finished."""
    return [o.check for o in audit.outcomes if o.reason == INTERRUPTED]


def was_interrupted(audit: Audit) -> bool:
    """Whether the audit was stopped before its end."""
    return bool(to_run(audit))


def _judge_outcome(
    outcome: Outcome, policy: Policy, shifts: Shifts, accepted: Mapping[str, Acceptance], day: date
) -> Outcome:
    if outcome.status not in _RAN or outcome.result is None:
        return replace(outcome, judgements=())
    limits = in_force(policy, outcome)
    said = {(m.name, m.slice) for m in outcome.measures if m.value is not None}
    judgements = tuple(
        _answered_for(j, outcome.check, accepted, day) if (j.measure, j.slice) in said else j
        for j in _judgements(outcome, limits, shifts, policy)
    )
    if not judgements:
        reason = "no limit names it"
        if any(was_answered(limit, [outcome]) for limit in limits):
            reason = "measured, as the policy requires"
        return replace(outcome, status=Status.MEASURED, reason=reason, judgements=())
    status = min((j.counts_as for j in judgements), key=WORST_FIRST.index)
    return replace(outcome, status=status, reason=_summary(judgements), judgements=judgements)


def _judgements(outcome: Outcome, limits: Sequence[Limit], shifts: Shifts, policy: Policy) -> Iterator[Judgement]:
    there = {(m.name, m.slice) for m in outcome.measures}
    places = {id(limit): i for i, limit in enumerate(policy.limits)}  # two may be equal but for their settings
    found = decided(outcome.measures, limits, shifts)
    family = sum(t.is_inference for t, _ in found)
    still_open = sum(t.is_inference and status is Status.INCONCLUSIVE for t, status in found)
    for t, status in found:
        said = sentence(t, status, still_open, family)
        unbounded = t.bound.measure != "" and (t.bound.measure, t.measure.slice) not in there
        required = t.limit.required or unbounded
        place = places[id(t.limit)]
        yield Judgement(t.measure.name, t.measure.slice, t.bound, status, required, False, said, place=place)


def _answered_for(j: Judgement, check: str, accepted: Mapping[str, Acceptance], day: date) -> Judgement:
    """The judgement with what became of it where somebody has accepted it: that holds until it expires."""
    acceptance = accepted.get(finding_id(check, j.measure, j.slice))
    if acceptance is None or j.status is Status.PASS:
        return j
    holds = day <= acceptance.expires
    return replace(j, accepted=holds, expired=not holds)


def _verdict(outcomes: Sequence[Outcome], policy: Policy) -> Verdict:
    """Fail closed: what was required and not decided, any error, or nothing judged at all, is incomplete.

    So is a limit on a slice that is not there: who wrote it meant something. Where the policy asks for figures alone
    and all are there, people must look at them.
    """
    judgements = [j for o in outcomes for j in o.judgements]
    statuses = {j.counts_as for j in judgements}
    if Status.FAIL in statuses:
        return Verdict.FAIL
    missing = any(is_missing(limit, outcomes) for limit in policy.limits)
    asked = any(limit.required and not limit.bounds for limit in policy.limits)
    undecided = any(j.required and j.counts_as is Status.INCONCLUSIVE for j in judgements)
    broken = any(o.status is Status.ERROR or o.reason == INTERRUPTED for o in outcomes)
    if missing or undecided or broken or not (judgements or asked):
        return Verdict.INCOMPLETE
    waiting = any(is_waiting(limit, outcomes) for limit in policy.limits)
    if not judgements or waiting or statuses & {Status.WARN, Status.INCONCLUSIVE}:
        return Verdict.CONDITIONS
    return Verdict.PASS


def limit_of(policy: Policy, j: Judgement) -> Limit | None:
    """The limit of `policy`, which gave the judgement; None where that was not kept."""
    known = j.place is not None and 0 <= j.place < len(policy.limits)
    return policy.limits[j.place or 0] if known else None


def accepted_until(audit: Audit) -> date | None:
    """The last day on which all that the verdict rests on is accepted; None where it rests on nothing accepted."""
    used = [acceptance_of(audit.policy, o.check, j) for o in audit.outcomes for j in o.judgements if j.accepted]
    return min((a.expires for a in used if a), default=None)


def acceptance_of(policy: Policy, check: str, j: Judgement) -> Acceptance | None:
    """Who answers, or answered, for a judgement of `check` that did not pass; None where nobody does."""
    if not (j.accepted or j.expired):
        return None
    return next((a for a in policy.accept if a.finding == finding_id(check, j.measure, j.slice)), None)


def _summary(judgements: Sequence[Judgement]) -> str:
    words = {Status.FAIL: "failed", Status.WARN: "warned", Status.INCONCLUSIVE: "undecided", Status.PASS: "passed"}
    counted = [(s, n) for s in WORST_FIRST if (n := sum(j.status is s for j in judgements))]
    accepted, expired = sum(j.accepted for j in judgements), sum(j.expired for j in judgements)
    beside = f"; {accepted} accepted" if accepted else ""
    beside += f"; {expired} accepted until a day that has passed" if expired else ""
    if len(counted) == 1:
        which = "its limit" if len(judgements) == 1 else f"all {len(judgements)} judgements"
        return f"{which} {words[counted[0][0]]}{beside}"
    return f"of {len(judgements)} judgements " + ", ".join(f"{n} {words[s]}" for s, n in counted) + beside
