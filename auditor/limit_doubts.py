"""Policies that look like a slip: limits on the wrong side, or met by no or every figure, and idle acceptances."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.types import Audit, Bound, Measure, Outcome, finding_id

__all__ = ["doubtful"]

RATES = frozenset({"wilson"})  # between 0 and 1


def doubtful(audit: Audit) -> list[str]:
    """What to doubt about the limits that the audit was judged by, a sentence for each that no two figures repeat."""
    return list(dict.fromkeys([*(said for o in audit.outcomes for said in _of_check(o)), *_idle(audit)]))


def _idle(audit: Audit) -> Iterator[str]:
    """The acceptances that meet no finding: misspelt, or needed no more."""
    met = {finding_id(o.check, j.measure, j.slice) for o in audit.outcomes for j in o.judgements if j.status != "pass"}
    for a in audit.policy.accept:
        if a.finding not in met:
            yield f"The policy accepts {a.finding} ({a.owner}), and no limit gives a finding of that id."


def _of_check(outcome: Outcome) -> Iterator[str]:
    measures = {(m.name, m.slice): m for m in outcome.measures}
    for j in outcome.judgements:
        m = measures[j.measure, j.slice]
        if j.limit.measure:
            continue
        if j.limit.side == "worse":
            yield from _no_change(outcome.check, m, j.limit)
            continue
        yield from _wrong_side(outcome.check, m, j.limit)
        yield from _no_rate(outcome.check, m, j.limit)


def _wrong_side(check: str, m: Measure, bound: Bound) -> Iterator[str]:
    more_is_better = {"higher": True, "lower": False}.get(m.better)
    if more_is_better is not None and more_is_better is (bound.side == "above"):
        meant = "at most" if bound.side == "above" else "at least"
        better = "more" if more_is_better else "less"
        yield (
            f"The limit on {m.name} ({check}) asks for {meant} {bound.value:g}, and {better} of it is better: "
            "was the other side meant?"
        )


def _no_change(check: str, m: Measure, bound: Bound) -> Iterator[str]:
    if m.method in RATES and (bound.value or 0.0) >= 1:
        yield f"No {m.name} ({check}) can get worse by more than {bound.value:g}: a share is meant, such as 0.05."


def _no_rate(check: str, m: Measure, bound: Bound) -> Iterator[str]:
    if m.method not in RATES or bound.value is None:
        return
    never = bound.value > 1 if bound.side == "below" else bound.value < 0
    always = bound.value <= 0 if bound.side == "below" else bound.value >= 1
    if never or always:
        yield f"The limit of {bound.value:g} on {m.name} ({check}) is met by {'no' if never else 'every'} rate."
