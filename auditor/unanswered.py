"""Limits that nothing was judged by: which they are, why, and whether anybody has to look at that."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.lists import listed
from auditor.nearest import nearest
from auditor.types import Audit, Limit, Outcome, Policy

__all__ = ["in_force", "is_awaited", "is_missing", "is_waiting", "unanswered", "was_answered"]

MOST_NAMED = 4  # slices that there are, where one is not


def unanswered(audit: Audit) -> list[tuple[Limit, str]]:
    """The limits of the audit's policy that nothing was judged by, or that asked for no more than a figure in vain.

    Each with the reason.
    """
    return [(limit, _why(limit, audit)) for limit in audit.policy.limits if not was_answered(limit, audit.outcomes)]


def is_missing(limit: Limit, outcomes: Sequence[Outcome]) -> bool:
    """Whether a limit makes the audit incomplete, since nothing was judged by it.

    That is one that is required, and one on a slice or bounded by a measure that its check does not have.
    """
    if limit.required:
        return not was_answered(limit, outcomes)
    own = [o for o in outcomes if o.check == limit.check and o.result is not None]
    return any(_names_no_slice(limit, o) or _is_bounded_by_nothing(limit, o) for o in own)


def is_awaited(limit: Limit, outcomes: Sequence[Outcome]) -> bool:
    """Whether people must look at it that nothing was judged by a limit: it is missing, or waits for a baseline."""
    return is_missing(limit, outcomes) or is_waiting(limit, outcomes)


def is_waiting(limit: Limit, outcomes: Sequence[Outcome]) -> bool:
    """Whether a limit is on the change since a baseline and judged none."""
    return limit.is_of_change and not was_answered(limit, outcomes)


def was_answered(limit: Limit, outcomes: Sequence[Outcome]) -> bool:
    """Whether a limit was judged; where it has no bound, whether there is a figure, or without a measure a result."""
    own = [o for o in outcomes if o.check == limit.check and not _run_otherwise(limit, o) and o.result]
    if not limit.measure:
        return bool(own)
    judged = [
        (j.measure, j.slice) for o in own for j in o.judgements if (j.limit.side == "worse") is limit.is_of_change
    ]
    measured = [(m.name, m.slice) for o in own for m in o.measures if m.value is not None]
    found = judged if limit.bounds else measured
    return any(name == limit.measure and limit.slice in (None, about) for name, about in found)


def in_force(policy: Policy, outcome: Outcome) -> list[Limit]:
    """The limits on a check that ran as they ask."""
    return [x for x in policy.limits if x.check == outcome.check and not _run_otherwise(x, outcome)]


def _why(limit: Limit, audit: Audit) -> str:
    outcome = audit.outcome(limit.check)
    if outcome is None:
        return f"there is no check {limit.check}"
    if outcome.result is None:
        return f"{limit.check} has no result ({outcome.status.replace('_', ' ')}: {outcome.reason})"
    return _run_otherwise(limit, outcome) or _not_there(limit, outcome, audit)


def _not_there(limit: Limit, outcome: Outcome, audit: Audit) -> str:
    """Why a check that ran has no figure for a limit."""
    names = dict.fromkeys(m.name for m in outcome.measures)
    if limit.measure not in names:
        return f"{limit.check} has no measure {limit.measure}; it has {', '.join(names) or 'none'}"
    if limit.slice is not None and _names_no_slice(limit, outcome):
        return _no_slice(limit.measure, limit.slice, outcome)
    if limit.is_of_change:
        there = "it has no such figure" if audit.baseline else "there is none"
        return f"it bounds the change since a baseline, and {there}"
    return f"{limit.measure} cannot be said from these rows"


def _no_slice(measure: str, about: str, outcome: Outcome) -> str:
    """That a measure has no slice `about`, and which it has: those that look like it first."""
    there = list(dict.fromkeys(m.slice for m in outcome.measures if m.name == measure))
    first = dict.fromkeys((*nearest(about, there), *there))
    has = listed([name or "all rows" for name in first], MOST_NAMED)
    return f"{measure} has no {f'slice {about}' if about else 'figure of all rows'}; it has {has}"


def _names_no_slice(limit: Limit, outcome: Outcome) -> bool:
    """Whether a limit names a slice of which its check, which ran, has no such figure."""
    return limit.slice is not None and limit.slice not in {m.slice for m in outcome.measures if m.name == limit.measure}


def _is_bounded_by_nothing(limit: Limit, outcome: Outcome) -> bool:
    """Whether a limit is bounded by a measure that its check, which ran, does not have at the slice of the figure."""
    there = {(m.name, m.slice) for m in outcome.measures}
    slices = {m.slice for m in outcome.measures if m.name == limit.measure and limit.slice in (None, m.slice)}
    named = [value for value in limit.bounds.values() if isinstance(value, str)]
    return any((name, about) not in there for name in named for about in slices)


def _run_otherwise(limit: Limit, outcome: Outcome) -> str:
    """With which other settings than the limit asks for a check ran; "" where with these."""
    asked = {name: value for name, value in limit.settings.items() if outcome.params.get(name) != value}
    if not asked:
        return ""
    had = ", ".join(f"{name} = {outcome.params.get(name)}" for name in asked)
    return f"{outcome.check} ran with {had}, and the policy asks for {', '.join(map(str, asked.values()))}"
