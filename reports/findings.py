"""What needs a decision: judgements that did not pass, and the figures a reader should see first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from auditor.policy import unanswered
from auditor.types import Audit, Bound, Judgement, Limit, Measure, Outcome, Status
from reports.charts import Dot, mini
from reports.parts import interval_words
from reports.saying import advice, say
from reports.words import STATUS, bound_words, counts, number

__all__ = ["Finding", "doubts", "findings", "headline", "in_a_line", "judged", "most_telling_size"]

WORST_FIRST = (Status.FAIL, Status.ERROR, Status.WARN, Status.INCONCLUSIVE)
TOPICS = ("performance", "explain", "robustness", "fairness", "data", "privacy")

MOST_DOUBTS = 5


@dataclass(frozen=True)
class Finding:
    """One figure that needs a decision, as the report shows it. `key` (F1, F2 ...) is empty for those that do not."""

    key: str
    status: Status
    sentence: str
    value: str
    interval: str
    limit: str
    action: str
    check: str
    section: str
    picture: Markup


def judged(audit: Audit) -> Iterator[tuple[Outcome, Judgement, Measure]]:
    """Every judgement with its measure."""
    for o in audit.outcomes:
        found = {(m.name, m.slice): m for m in o.result.measures} if o.result else {}
        for j in o.judgements:
            yield o, j, found[j.measure, j.slice]


def findings(audit: Audit) -> list[Finding]:
    """What did not pass or was required and not judged, worst first, and within that in the order of topics."""
    rows = [(o, j, m) for o, j, m in judged(audit) if j.status in WORST_FIRST]
    rows.sort(key=lambda r: (WORST_FIRST.index(r[1].status), _topic(r[0].check), r[1].measure, _room(r[1], r[2])))
    broken = [o for o in audit.outcomes if o.status is Status.ERROR]
    found = [_of_error(o) for o in broken]
    found += [_of_unanswered(limit, why) for limit, why in unanswered(audit) if limit.required]
    found += [_of_judgement(audit, o, j, m) for o, j, m in rows]
    found.sort(key=lambda f: WORST_FIRST.index(f.status))
    return [_with_key(f, f"F{i}") for i, f in enumerate(found, 1)]


def _room(j: Judgement, m: Measure) -> tuple[float, str]:
    """How far on the good side of its limit a figure may yet lie, by its interval; least is worst. Then its slice."""
    end = m.high if j.limit.side == "below" else m.low
    end = m.value if end is None else end
    if end is None or j.limit.value is None:
        return math.inf, j.slice
    return end - j.limit.value if j.limit.side == "below" else j.limit.value - end, j.slice


def _topic(check: str) -> int:
    topic = check.partition(".")[0]
    return TOPICS.index(topic) if topic in TOPICS else len(TOPICS)


def _with_key(f: Finding, key: str) -> Finding:
    return Finding(key, f.status, f.sentence, f.value, f.interval, f.limit, f.action, f.check, f.section, f.picture)


def _of_judgement(audit: Audit, o: Outcome, j: Judgement, m: Measure) -> Finding:
    return Finding(
        "", j.status, say(audit, o.check, m), number(m.value), _interval(m), bound_words(j.limit), advice(j, o.check),
        o.check, section_of(o.check), _picture(m, j.status, j.limit),
    )  # fmt: skip


def _of_error(o: Outcome) -> Finding:
    return Finding(
        "", Status.ERROR, f"The check {o.check} ended with an error, so it says nothing.", o.reason, "", "",
        "Report it with the versions under Provenance; the audit is incomplete until then.", o.check, "gaps", Markup(),
    )  # fmt: skip


def _of_unanswered(limit: Limit, why: str) -> Finding:
    about = limit.measure.replace("_", " ") + (f" of {limit.slice}" if limit.slice else "")
    sentence = f"The policy requires {about} ({limit.check}), and it was not measured."
    if limit.bounds:
        sentence = f"The policy requires a limit on {about} ({limit.check}), and nothing was judged by it."
    remedy = "Run the check on data that it applies to, or correct the policy."
    because = f"{why[0].upper()}{why[1:]}."
    return Finding("", Status.INCONCLUSIVE, sentence, because, "", "", remedy, limit.check, "gaps", Markup())


def in_a_line(f: Finding) -> str:
    """A finding in plain text."""
    limit = f"; limit {f.limit}" if f.limit else ""
    return f"{STATUS[f.status]}: {f.sentence} {f.value}{f.interval}{limit}"


def section_of(check: str) -> str:
    """The section that shows a check."""
    topic = check.partition(".")[0]
    return {"performance": "performance", "explain": "explanations", "intake": "audited"}.get(topic, topic)


def _interval(m: Measure) -> str:
    words = interval_words(m, 2)
    return f" (95 % interval {words}; {counts(m)})" if words else f" ({counts(m)})"


def _picture(m: Measure, status: Status, bound: Bound | None) -> Markup:
    """The figure on a scale that holds its interval and the limit."""
    if m.value is None or m.low is None or m.high is None:
        return Markup()
    limit = bound.value if bound else None
    ends = [m.low, m.high, m.value, *([limit] if limit is not None else [])]
    side = bound.side if bound else "below"
    return mini(Dot("", m.value, m.low, m.high, str(status)), limit, side, _span(ends, is_rate=m.method == "wilson"))


def _span(ends: list[float], *, is_rate: bool) -> tuple[float, float]:
    """A scale in tenths that leaves room on both sides of what it must hold; rates stay between 0 and 1."""
    room = max(0.1, (max(ends) - min(ends)) / 2)
    low, high = math.floor((min(ends) - room) * 10) / 10, math.ceil((max(ends) + room) * 10) / 10
    return (max(0.0, low), min(1.0, high)) if is_rate else (low, high)


# ---- the first screen --------------------------------------------------------------------------------------------
def headline(audit: Audit, found: list[Finding]) -> list[Finding]:
    """The three figures to see first: what needs a decision, then what tells most about the model."""
    top = list(found[:3])
    for f in _telling(audit):
        if len(top) < 3 and f.sentence not in {t.sentence for t in top}:
            top.append(f)
    return top


def _telling(audit: Audit) -> Iterator[Finding]:
    for check, m in _telling_measures(audit):
        o = audit.outcome(check)
        j = next((j for j in o.judgements if (j.measure, j.slice) == (m.name, m.slice)), None) if o else None
        status = j.status if j else Status.MEASURED
        limit = bound_words(j.limit) if j else ""
        picture = _picture(m, status, j.limit if j else None)
        sentence = say(audit, check, m)
        yield Finding("", status, sentence, number(m.value), _interval(m), limit, "", check, section_of(check), picture)


def _telling_measures(audit: Audit) -> Iterator[tuple[str, Measure]]:
    robust = [m for m in audit.measures("robustness.curve") if m.name == "robust_accuracy"]
    if telling := most_telling_size(robust):
        yield "robustness.curve", telling
    gaps = [m for m in audit.measures("fairness.groups") if m.name == "demographic_parity_difference"]
    if known := [m for m in gaps if m.value is not None]:
        yield "fairness.groups", max(known, key=lambda m: (m.value or 0.0) if m.low is None else m.low)
    yield from (("performance.accuracy", m) for m in audit.measures("performance.accuracy") if m.name == "accuracy")
    yield from (("explain.lrp", m) for m in audit.measures("explain.lrp") if m.name == "ledger_error" and not m.slice)


def most_telling_size(robust: list[Measure]) -> Measure | None:
    """Where the curve of robust accuracy has first lost half of the clean accuracy, else its end."""
    if len(robust) < 2 or robust[0].value is None:
        return None
    half = robust[0].value / 2
    return next((m for m in robust[1:] if m.value is not None and m.value <= half), robust[-1])


def doubts(audit: Audit) -> list[str]:
    """The first caveats of the preflight: reasons to doubt every figure of the audit, such as a wrong audit file."""
    preflight = audit.outcome("intake.preflight")
    return list(preflight.result.caveats[:MOST_DOUBTS]) if preflight and preflight.result else []
