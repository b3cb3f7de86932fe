"""The figures to see first: what needs a decision, then what tells most about the model; and what to doubt."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from auditor.limit_doubts import doubtful
from auditor.types import Audit, Measure, Status
from reports.findings import Finding, interval_and_n, picture, section_of
from reports.saying import say
from reports.words import bound_words, number

__all__ = ["doubts", "headline", "most_telling_size"]

MOST_DOUBTS = 5


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
        yield Finding(
            status, say(audit, check, m), check, section_of(check), number(m.value), interval_and_n(m), limit,
            picture=picture(m, status, j.limit if j else None),
        )  # fmt: skip


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


def doubts(audit: Audit, on: date | None = None) -> list[str]:
    """Limits that look like a slip, and the first caveats of the preflight, such as a wrong audit file.

    `on` is the day it is, or was; without one nothing is said of acceptances that end very late.
    """
    preflight = audit.outcome("intake.preflight")
    return [*doubtful(audit, on), *(preflight.result.caveats[:MOST_DOUBTS] if preflight and preflight.result else ())]
