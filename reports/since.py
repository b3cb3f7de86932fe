"""What became of a figure since the baseline, in a word and in a clause."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from auditor.types import Audit, Measure, Shift, Status
from reports.words import number, signed

__all__ = ["State", "fixed", "since_words", "state_of"]

FOUND = (Status.FAIL, Status.WARN, Status.INCONCLUSIVE)


class State(StrEnum):
    """What became of a finding since the baseline; NONE where there is no baseline."""

    NONE = ""
    NEW = "new"
    UNCHANGED = "unchanged"
    WORSE = "worse"
    BETTER = "better"


def state_of(audit: Audit, check: str, m: Measure) -> State:
    """What became of the finding that `m` is: worse or better only if its change is so beyond chance."""
    if audit.baseline is None:
        return State.NONE
    shift = audit.baseline.shift(check, m.name, m.slice)
    if shift is None or shift.status not in FOUND:
        return State.NEW
    ends = (shift.change, shift.change) if shift.low is None or shift.high is None else (shift.low, shift.high)
    if None in ends or m.better == "neither" or shift.doubt:
        return State.UNCHANGED
    sign = 1 if m.better == "higher" else -1
    low, high = sorted(sign * (end or 0.0) for end in ends)
    return State.BETTER if low > 0 else State.WORSE if high < 0 else State.UNCHANGED


def since_words(audit: Audit, check: str, m: Measure) -> str:
    """`was 0.75 in the baseline, a change of -0.04 (-0.06 to -0.02)`; empty without a baseline that has it."""
    shift = audit.baseline.shift(check, m.name, m.slice) if audit.baseline else None
    if shift is None or shift.before is None:
        return ""
    if shift.change is None:
        return f"was {number(shift.before)} in the baseline"
    ends = f" ({signed(shift.low, 2)} to {signed(shift.high, 2)})" if None not in (shift.low, shift.high) else ""
    doubt = f"; {shift.doubt}" if shift.doubt else ""
    return f"was {number(shift.before)} in the baseline, a change of {signed(shift.change, 2)}{ends}{doubt}"


def fixed(audit: Audit) -> Iterator[Shift]:
    """The baseline's findings that are none any more, each with how its figure has moved."""
    now = {(o.check, j.measure, j.slice): j.status for o in audit.outcomes for j in o.judgements if j.status in FOUND}
    if audit.baseline is None:
        return
    for shift in audit.baseline.shifts:
        if shift.status in FOUND and (shift.check, shift.measure, shift.slice) not in now and shift.change is not None:
            yield shift
