"""Why an audit has its verdict, in words: for the page, the terminal, and the pipeline."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.policy import STOPPED, to_run, was_interrupted
from auditor.types import Audit, Judgement, Limit, Outcome, Status, Verdict
from auditor.unanswered import is_awaited, is_missing, unanswered
from auditor.worst import WORST_FIRST
from reports.findings import judged
from reports.words import STATUS, counted, figure_words

__all__ = ["coverage", "judgements", "statuses_of", "why"]


def statuses_of(audit: Audit) -> list[Status]:
    """How every judgement came out, worst first; what is accepted as the warning that it counts as."""
    return sorted((j.counts_as for _, j, _ in judged(audit)), key=WORST_FIRST.index)


def why(audit: Audit) -> str:
    """The verdict's reason, in a sentence."""
    statuses = statuses_of(audit)
    if audit.verdict is Verdict.INCOMPLETE:
        return _incomplete(audit, statuses)
    if not statuses:
        there = f"No figure was judged: those that the policy asks for are there.{_beside(audit)}"
        return f"{there} People must look at them."
    if audit.verdict is Verdict.PASS:
        met = "The one limit that was judged is met." if len(statuses) == 1 else f"All {len(statuses)} judgements pass."
        return f"{met} Figures that no limit names are measured, not judged."
    words = {Status.FAIL: "failed", Status.WARN: "gave a warning", Status.INCONCLUSIVE: "could not be decided"}
    parts = [f"{statuses.count(status)} {said}" for status, said in words.items() if statuses.count(status)]
    if not parts:
        return f"What was judged is met.{_beside(audit)}"
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"Of {counted(len(statuses), 'judgement')} {listed}.{_beside(audit)}"


def _beside(audit: Audit) -> str:
    """How many findings somebody has accepted, or did until a day that has passed, and what was not judged."""
    accepted = sum(j.accepted for _, j, _ in judged(audit))
    expired = sum(j.expired for _, j, _ in judged(audit))
    holds = f" {counted(accepted, 'finding')} {'is' if accepted == 1 else 'are'} accepted for now." if accepted else ""
    over = f" {counted(expired, 'acceptance')} {'has' if expired == 1 else 'have'} expired." if expired else ""
    silent = sum(is_awaited(limit, audit.outcomes) for limit, _ in unanswered(audit))
    nothing = f" By {counted(silent, 'limit')} nothing was judged." if silent else ""
    late = len(to_run(audit))
    stopped = f" The audit was interrupted: {counted(late, 'check')} did not finish." if late else ""
    return holds + over + nothing + stopped


def _incomplete(audit: Audit, statuses: Sequence[Status]) -> str:
    errors = sum(o.status is Status.ERROR for o in audit.outcomes)
    required = [_asked(li) for li, _ in unanswered(audit) if is_missing(li, audit.outcomes)]
    if was_interrupted(audit):
        late = len(to_run(audit))
        cause = next((f" in {o.check} ({o.reason})" for o in audit.outcomes if o.reason.startswith(STOPPED)), "")
        return f"The audit was interrupted{cause}: {counted(late, 'check')} did not finish, so nothing is concluded."
    if errors:
        return f"{counted(errors, 'check')} ended with an error, so nothing is concluded."
    if required:
        return f"What the policy asks for is not there: {', '.join(required)}."
    if not statuses:
        why = next((f": {reason}" for _, reason in unanswered(audit)), "")
        return f"No limit of the policy names a figure that was measured, so nothing was judged{why}."
    nothing = [
        _bounded_by(o, j) for o, j, _ in judged(audit) if j.required and j.limit.measure and j.limit.value is None
    ]
    if nothing:
        return f"A limit is a figure that is not there: {', '.join(dict.fromkeys(nothing))}."
    return "A limit that the policy requires could not be decided."


def _bounded_by(o: Outcome, j: Judgement) -> str:
    """Which figure is not there that bounds another."""
    return f"{figure_words(j.limit.measure)}, for {figure_words(j.measure)} ({o.check})"


def _asked(limit: Limit) -> str:
    """What a limit is on, in a few words."""
    if not limit.measure:
        return limit.check
    about = f" of {limit.slice}" if limit.slice else ""
    return f"{limit.measure.replace('_', ' ')}{about} ({limit.check})"


def judgements(statuses: Sequence[Status]) -> str:
    """How many figures, each held against one bound, came out in which way."""
    listed = ", ".join(f"{statuses.count(s)} {STATUS[s].lower()}" for s in WORST_FIRST if statuses.count(s))
    return f"{counted(len(statuses), 'judgement')}: {listed}." if statuses else "No figure was judged."


def coverage(audit: Audit) -> str:
    """How many checks ran, and what became of the others."""
    done, late = sum(o.result is not None for o in audit.outcomes), to_run(audit)
    parts = [f"{done} of {len(audit.outcomes)} checks ran"]
    for status, words in (
        (Status.NOT_APPLICABLE, "did not apply"),
        (Status.SKIPPED, "skipped"),
        (Status.ERROR, "ended in error"),
    ):
        n = sum(o.status is status and o.check not in late for o in audit.outcomes)
        if n:
            parts.append(f"{n} {words}")
    parts += [f"{len(late)} did not finish"] if late else []
    return f"{', '.join(parts)}."
