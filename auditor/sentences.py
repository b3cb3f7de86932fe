"""A judgement in words: the figure, its limit, how it came out, and how many samples would decide it."""

from __future__ import annotations

from auditor.deciding import Test
from auditor.stats import enlarged, interval
from auditor.types import Measure, Shift, Status

__all__ = ["n_words", "sentence"]

_MOST_ROWS = 1e9
USUAL = 0.95


def sentence(test: Test, status: Status, still_open: int, family: int) -> str:
    """How a test came out; `still_open` of the `family` of the check's judgements are not decided."""
    m, bound = test.measure, test.bound
    about = f"{m.name} of {m.slice}" if m.slice else m.name
    if test.shift is not None:
        return _of_change(test, status, about, test.shift)
    at_least = "at least" if bound.side == "below" else "at most"
    named = f" ({bound.measure})" if bound.measure else ""
    if bound.value is None:
        return f"{about}: the limit {bound.measure!r} has no value here, so it cannot be judged."
    if m.value is None:
        return f"{about} cannot be said from these {m.n} samples; the limit is {at_least} {bound.value:.3g}{named}."
    figure = f"{about} is {m.value:.3g}"
    if m.low is not None and m.high is not None:
        figure += f" (95 % interval {m.low:.3g} to {m.high:.3g}, {n_words(m)})"
    said = f"{figure}; {_side(status)} the limit of {at_least} {bound.value:.3g}{named}."
    if status is not Status.INCONCLUSIVE:
        return said
    if test.p <= 1 - test.limit.confidence:
        which = "The interval" if test.limit.confidence == USUAL else f"An interval at {test.limit.confidence:g}"
        said += f" {which} alone would decide it, but not as one of {family} judgements of this check (Holm)."
    return f"{said} {_how_many(test, still_open)}"


def n_words(m: Measure) -> str:
    """`n = 600`: the n behind a measure; of a comparison both sides, `n = 50 against 550 in all other groups`."""
    if m.method == "mover-falls":
        return f"n = {int(m.counts[3]):,} against {int(m.counts[7]):,}"
    if m.method == "welch":
        return f"n = {int(m.counts[0]):,} against {int(m.counts[3]):,}"
    if m.method in {"newcombe", "mover-r", "ratio-to-best"}:
        several = " in all other groups" if len(m.counts) > 4 else ""
        return f"n = {int(m.counts[1]):,} against {int(sum(m.counts[3::2])):,}{several}"
    return f"n = {m.n:,}"


def _side(status: Status) -> str:
    return {Status.PASS: "within", Status.INCONCLUSIVE: "not decided against"}.get(status, "outside")


def _of_change(test: Test, status: Status, about: str, shift: Shift) -> str:
    m, bound = test.measure, test.bound
    if shift.change is None or m.value is None or shift.before is None:
        return f"{about} cannot be said here or in the baseline, so its change cannot be judged."
    if m.better == "neither":
        return f"{about}: neither more nor less of it is better, so that it got worse cannot be said."
    if shift.differs_otherwise:
        return f"{about}: the baseline's figure is of another kind ({shift.doubt}), so its change cannot be judged."
    figure = f"{about} is {m.value:.3g} and was {shift.before:.3g} in the baseline: {shift.change:+.3g}"
    if shift.low is not None and shift.high is not None:
        pairing = "same rows" if shift.paired else "unpaired"
        figure += f" (95 % interval {shift.low:+.3g} to {shift.high:+.3g}, {pairing})"
    return f"{figure}; {_side(status)} the limit of at most {bound.value:.3g} worse."


def _how_many(test: Test, still_open: int) -> str:
    """The n that would decide it whatever becomes of the other open limits, were the rates to stay as they are."""
    m, bound = test.measure, test.bound
    alpha = (1 - test.limit.confidence) / max(1, still_open)
    if bound.value is None or interval(m.method, m.counts).low is None:
        return "These samples give no interval."

    def decided(factor: float) -> bool:
        i = interval(m.method, enlarged(m.method, m.counts, factor), 1 - alpha)
        return i.low is not None and i.high is not None and not i.low <= (bound.value or 0.0) <= i.high

    factor = 2.0
    while not decided(factor):
        factor *= 2
        if not factor * max(1, m.n) <= _MOST_ROWS:
            return "No number of samples would decide it at this value."
    low = factor / 2
    for _ in range(20):
        middle = (low + factor) / 2
        low, factor = (low, middle) if decided(middle) else (middle, factor)
    return f"About {_rounded_up(factor * m.n):,} samples of the same mix and rates, not {m.n:,}, would decide it."


def _rounded_up(x: float) -> int:
    """`x` rounded up to two leading digits: an estimate should not look exact."""
    digits = max(0, len(str(int(x))) - 2)
    step = 10**digits
    return int(-(-x // step) * step)
