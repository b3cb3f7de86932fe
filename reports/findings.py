"""What needs a decision: judgements that did not pass, and the figures a reader should see first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from markupsafe import Markup

from auditor.policy import acceptance_of, limit_of
from auditor.sentences import n_words
from auditor.types import Audit, Bound, Judgement, Limit, Measure, Outcome, Status, finding_id
from auditor.unanswered import is_awaited, unanswered
from reports.charts import Dot, mini
from reports.parts import interval_words
from reports.saying import accepted_words, advice, say
from reports.scale import reach_of, span
from reports.since import since_words, state_of, state_of_error
from reports.words import STATUS, bound_words, number

__all__ = [
    "Finding", "findings", "in_a_line", "interval_and_n", "judged", "limit_id", "passed", "picture", "section_of",
]  # fmt: skip

WORST_FIRST = (Status.FAIL, Status.ERROR, Status.WARN, Status.INCONCLUSIVE)
USUAL = 0.95  # of a confidence
TOPICS = ("performance", "explain", "robustness", "fairness", "data", "privacy")


@dataclass(frozen=True)
class Finding:
    """One figure that needs a decision, as the report shows it.

    `id` names it in every audit (CHECK/MEASURE/SLICE), `key` in this one (F1, F2 ...); empty for those that need none.
    `limit_of` is the policy's limit that it does not meet. `since` says what became of it since the baseline, `state`
    in a word: new, unchanged, worse or better; both empty without a baseline. `accepted` says who answers for it.
    `judgement` and `measure` are what it is of; None where nothing was judged.
    """

    status: Status
    sentence: str
    check: str
    section: str
    value: str = ""
    interval: str = ""
    limit: str = ""
    action: str = ""
    id: str = ""
    key: str = ""
    limit_of: Limit | None = None
    state: str = ""
    since: str = ""
    accepted: str = ""
    expired: bool = False
    picture: Markup = field(default_factory=Markup)
    judgement: Judgement | None = None
    measure: Measure | None = None


def judged(audit: Audit) -> Iterator[tuple[Outcome, Judgement, Measure]]:
    """Every judgement with its measure."""
    for o in audit.outcomes:
        found = {(m.name, m.slice): m for m in o.result.measures} if o.result else {}
        for j in o.judgements:
            yield o, j, found[j.measure, j.slice]


def findings(audit: Audit) -> list[Finding]:
    """What did not pass or awaits a judgement, worst first as it counts, and within that in the order of topics."""
    rows = [(o, j, m) for o, j, m in judged(audit) if j.counts_as in WORST_FIRST]
    rows.sort(key=lambda r: (WORST_FIRST.index(r[1].counts_as), _topic(r[0].check), r[1].measure, _room(r[1], r[2])))
    found = [_of_error(audit, o) for o in audit.outcomes if o.status is Status.ERROR]
    found += [_of_unanswered(limit, why) for limit, why in unanswered(audit) if is_awaited(limit, audit.outcomes)]
    found += [_of_judgement(audit, o, j, m) for o, j, m in rows]
    found.sort(key=lambda f: WORST_FIRST.index(f.judgement.counts_as if f.judgement else f.status))
    return [replace(f, key=f"F{i}") for i, f in enumerate(found, 1)]


def passed(audit: Audit) -> list[Finding]:
    """The judgements that passed, in the same form; they have no key."""
    return [_of_judgement(audit, o, j, m) for o, j, m in judged(audit) if j.counts_as is Status.PASS]


def _room(j: Judgement, m: Measure) -> tuple[float, str]:
    """How far on the good side of its limit a figure may yet lie, by its interval; least is worst. Then its slice."""
    if j.limit.side == "worse":
        return math.inf, j.slice
    end = m.high if j.limit.side == "below" else m.low
    end = m.value if end is None else end
    if end is None or j.limit.value is None:
        return math.inf, j.slice
    return end - j.limit.value if j.limit.side == "below" else j.limit.value - end, j.slice


def _topic(check: str) -> int:
    topic = check.partition(".")[0]
    return TOPICS.index(topic) if topic in TOPICS else len(TOPICS)


def _of_judgement(audit: Audit, o: Outcome, j: Judgement, m: Measure) -> Finding:
    acceptance = acceptance_of(audit.policy, o.check, j)
    accepted = accepted_words(acceptance, expired=j.expired) if acceptance else ""
    return Finding(
        j.status, say(audit, o.check, m), o.check, section_of(o.check), number(m.value), interval_and_n(m),
        _limit_words(audit, j), advice(j, o.check), finding_id(o.check, j.measure, j.slice),
        limit_of=limit_of(audit.policy, j), state=str(state_of(audit, o.check, m)),
        since=since_words(audit, o.check, m), accepted=accepted, expired=j.expired,
        picture=_picture(audit, o.check, j, m), judgement=j, measure=m,
    )  # fmt: skip


def _limit_words(audit: Audit, j: Judgement) -> str:
    """The bound, with the confidence it was decided at where that is not the usual."""
    limit = limit_of(audit.policy, j)
    at = f" at confidence {limit.confidence:g}" if limit and limit.confidence != USUAL else ""
    return bound_words(j.limit) + at


def _of_error(audit: Audit, o: Outcome) -> Finding:
    return Finding(
        Status.ERROR, f"The check {o.check} ended with an error, so it says nothing.", o.check, "gaps", o.reason,
        action="Report it with the versions under Provenance; the audit is incomplete until then.", id=o.check,
        state=str(state_of_error(audit, o.check)),
    )  # fmt: skip


def limit_id(limit: Limit) -> str:
    """What names a limit that nothing was judged by: CHECK/MEASURE/SLICE, or of one on a result the check."""
    return finding_id(limit.check, limit.measure, limit.slice or "") if limit.measure else limit.check


def _of_unanswered(limit: Limit, why: str) -> Finding:
    about = limit.measure.replace("_", " ") + (f" of {limit.slice}" if limit.slice else "")
    sentence = f"The policy requires {about or 'a result'} ({limit.check}), and it was not measured."
    if limit.bounds:
        has = "requires" if limit.required else "has"
        sentence = f"The policy {has} a limit on {about} ({limit.check}), and nothing was judged by it."
    return Finding(
        Status.INCONCLUSIVE, sentence, limit.check, "gaps", f"Reason: {why}",
        action="Run the check on data that it applies to, or correct the policy.",
        id=limit_id(limit), limit_of=limit,
    )  # fmt: skip


def in_a_line(f: Finding) -> str:
    """A finding in plain text; of an undecided one what keeps it so, and how many rows would decide it."""
    parts = [f"; limit {f.limit}" if f.limit else "", f"; {f.since}" if f.since else ""]
    open_ = f.judgement is not None and f.status is Status.INCONCLUSIVE
    parts += [f". {said.removesuffix('.')}" for said in (f.action if open_ else "", f.accepted) if said]
    return f"{STATUS[f.status]}: {f.sentence} {f.value}{f.interval}{''.join(parts)}"


def section_of(check: str) -> str:
    """The section that shows a check."""
    topic = check.partition(".")[0]
    return {"performance": "performance", "explain": "explanations", "intake": "audited"}.get(topic, topic)


def interval_and_n(m: Measure) -> str:
    """The interval and n of a figure, in brackets."""
    words = interval_words(m, 2)
    return f" (95 % interval {words}; {n_words(m)})" if words else f" ({n_words(m)})"


def _picture(audit: Audit, check: str, j: Judgement, m: Measure) -> Markup:
    """The figure at its limit, or how far it has moved at what is allowed."""
    if j.limit.side != "worse":
        return picture(m, j.status, j.limit)
    shift = audit.baseline.shift(check, m.name, m.slice) if audit.baseline else None
    if shift is None or shift.change is None or shift.low is None or shift.high is None or j.limit.value is None:
        return Markup()
    worst, side = (-j.limit.value, "below") if m.better == "higher" else (j.limit.value, "above")
    dot = Dot("", shift.change, shift.low, shift.high, str(j.status))
    return mini(dot, worst, side, span([shift.low, shift.high, worst]))


def picture(m: Measure, status: Status, bound: Bound | None) -> Markup:
    """The figure on a scale that holds its interval and the limit; nothing where it has no interval."""
    if m.value is None or m.low is None or m.high is None:
        return Markup()
    limit = bound.value if bound else None
    ends = [m.low, m.high, m.value, *([limit] if limit is not None else [])]
    side = bound.side if bound else "below"
    return mini(Dot("", m.value, m.low, m.high, str(status)), limit, side, span(ends, reach_of(m.method)))
