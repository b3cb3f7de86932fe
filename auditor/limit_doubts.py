"""Policies that look like a slip: limits on the wrong side or out of reach, and acceptances idle or without end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date

from auditor.figure_ranges import ANY, RANGES, RATIOS
from auditor.types import Audit, Bound, Measure, Outcome, finding_id

__all__ = ["doubtful"]

PER_CENT = 100
LARGEST_RATIO = 2  # of two rates; what lies above is a percentage
LONGEST_ACCEPTED = 2  # years


def doubtful(audit: Audit, on: date | None = None) -> list[str]:
    """What to doubt about the limits that the audit was judged by, a sentence for each that no two figures repeat.

    `on` is the day it is, or was; without one nothing is said of days.
    """
    of_limits = (said for o in audit.outcomes for said in _of_check(o))
    return list(dict.fromkeys([*of_limits, *_idle(audit), *(_endless(audit, on) if on else ())]))


def _endless(audit: Audit, on: date) -> Iterator[str]:
    """The acceptances that end so late that nobody may look at them again."""
    for a in audit.policy.accept:
        if (a.expires.year - LONGEST_ACCEPTED, a.expires.month, a.expires.day) > (on.year, on.month, on.day):
            yield (
                f"The policy accepts {a.finding} ({a.owner}) until {a.expires:%Y-%m-%d}, more than {LONGEST_ACCEPTED} "
                f"years after {on:%Y-%m-%d}: who looks at it again before?"
            )


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
        yield from _out_of_range(outcome.check, m, j.limit)


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
    low, high = RANGES.get(m.method, ANY)
    most = 0.0 if bound.value is None else bound.value
    if most >= high - low or (m.method in RATIOS and most > LARGEST_RATIO):
        share = f", such as {most / 100:g}" if _is_percentage(m, most) else ""
        yield f"No {m.name} ({check}) can get worse by more than {most:g}: a share is meant{share}."


def _out_of_range(check: str, m: Measure, bound: Bound) -> Iterator[str]:
    """Of a limit that every figure of its kind meets, or none does."""
    if bound.value is None:
        return
    (low, high), value = RANGES.get(m.method, ANY), bound.value
    never = value > high if bound.side == "below" else value < low
    always = value <= low if bound.side == "below" else value >= high
    said = f"The limit of {value:g} on {m.name} ({check})"
    end = f": was {value / 100:g} meant?" if _is_percentage(m, value) else "."
    if never or always:
        lie = f"from {low:g} to {high:g}" if math.isfinite(high) else f"from {low:g} on"
        yield f"{said} is met by {'no figure' if never else 'every figure'} there can be, {lie}{end}"
    elif m.method in RATIOS and value > LARGEST_RATIO:
        yield f"{said} is on a ratio, which is 1 where two rates are equal{end}"


def _is_percentage(m: Measure, value: float) -> bool:
    """Whether a limit looks like one written in per cent, of a figure that is a share."""
    return 1 < abs(value) <= PER_CENT and (RANGES.get(m.method, ANY)[1] <= LARGEST_RATIO or m.method in RATIOS)
