"""What became of a figure since the baseline: in a word, in a clause, and in two columns of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from auditor.types import Audit, Measure, Shift, Status, finding_id
from reports.parts import Chart, Facts, Folded, Grid, Heading
from reports.words import ROUNDING, VERDICT, number, signed

__all__ = [
    "State",
    "beside_baseline",
    "counts_since",
    "fixed",
    "fixed_ids",
    "since_blocks",
    "since_words",
    "state_of",
    "state_of_error",
]

FOUND = (Status.FAIL, Status.WARN, Status.INCONCLUSIVE)


class State(StrEnum):
    """What became of a finding since the baseline; NONE without one, and where nothing was judged."""

    NONE = ""
    NEW = "new"
    UNCHANGED = "unchanged"
    WORSE = "worse"
    BETTER = "better"
    OTHERWISE = "not comparable"


def state_of(audit: Audit, check: str, m: Measure) -> State:
    """What became of the finding that `m` is: worse or better only if its change is so beyond chance."""
    if audit.baseline is None:
        return State.NONE
    shift = audit.baseline.shift(check, m.name, m.slice)
    if shift is not None and shift.differs_otherwise:
        return State.OTHERWISE
    if shift is None or shift.status not in FOUND:
        return State.NEW
    certain = not m.method  # a figure that has no interval by nature is compared directly
    ends = (shift.change, shift.change) if certain else (shift.low, shift.high)
    if None in ends or m.better == "neither" or (shift.doubt and not certain):
        return State.UNCHANGED
    sign = 1 if m.better == "higher" else -1
    low, high = sorted(sign * (end or 0.0) for end in ends)
    return State.BETTER if low > ROUNDING else State.WORSE if high < -ROUNDING else State.UNCHANGED


def state_of_error(audit: Audit, check: str) -> State:
    """What became of the finding that a check ended in error."""
    if audit.baseline is None:
        return State.NONE
    return State.UNCHANGED if check in audit.baseline.errors else State.NEW


def counts_since(audit: Audit, states: Iterable[tuple[str, str]]) -> str:
    """`1 new, 0 worse, ... 2 fixed`: how many findings are in which of the `states`, which are by their ids.

    Those that are not comparable, or that nothing was judged of, are counted where there are any.
    """
    n = Counter(dict(states).values())
    n["fixed"] = len(fixed_ids(audit))
    parts = [f"{n[word]} {word}" for word in ("new", "fixed", "worse", "better", "unchanged")]
    parts += [f"{n[State.OTHERWISE]} {State.OTHERWISE}"] if n[State.OTHERWISE] else []
    return ", ".join(parts) + (f"; {n[State.NONE]} not judged" if n[State.NONE] else "")


def since_words(audit: Audit, check: str, m: Measure) -> str:
    """`was 0.75 in the baseline, a change of -0.04 (-0.06 to -0.02)`; empty without a baseline that has it."""
    shift = audit.baseline.shift(check, m.name, m.slice) if audit.baseline else None
    if shift is None or shift.before is None:
        return ""
    if shift.differs_otherwise:
        return f"not comparable with the baseline: {shift.doubt}"
    if shift.change is None:
        return f"was {number(shift.before)} in the baseline"
    ends = f" ({signed(shift.low, 2)} to {signed(shift.high, 2)})" if None not in (shift.low, shift.high) else ""
    doubt = f"; {shift.doubt}" if shift.doubt else ""
    return f"was {number(shift.before)} in the baseline, a change of {signed(shift.change, 2)}{ends}{doubt}"


def fixed(audit: Audit) -> Iterator[Shift]:
    """The baseline's findings that now pass every limit, each with how its figure has moved.

    None of those whose figures are of another kind now.
    """
    judged = {(o.check, j.measure, j.slice) for o in audit.outcomes for j in o.judgements}
    found = {(o.check, j.measure, j.slice) for o in audit.outcomes for j in o.judgements if j.status in FOUND}
    for shift in audit.baseline.shifts if audit.baseline else ():
        if shift.differs_otherwise:
            continue
        if shift.status in FOUND and (shift.check, shift.measure, shift.slice) in judged - found:
            yield shift


def fixed_ids(audit: Audit) -> list[str]:
    """The ids of the baseline's findings that are none any more: figures, and checks that ended in error then."""
    figures = [finding_id(s.check, s.measure, s.slice) for s in fixed(audit)]
    ran = {o.check for o in audit.outcomes if o.result is not None}
    return [*figures, *(check for check in (audit.baseline.errors if audit.baseline else ()) if check in ran)]


# ---- in the report -----------------------------------------------------------------------------------------------
def since_blocks(audit: Audit, states: Iterable[tuple[str, str]]) -> list[Any]:
    """What the baseline was and what became of the findings, by their ids and `states`; [] without a baseline."""
    b = audit.baseline
    if b is None:
        return []
    return [
        Heading("Since the baseline"),
        Facts([
            ("Baseline", b.name),
            ("Its record", f"audit.json, sha256 {b.sha256[:12]}"),
            ("Its verdict", f"{VERDICT[b.verdict]}, by the policy {b.policy}"),
            ("Findings", counts_since(audit, states)),
            ("Every change", "In compare.html, which the run with this baseline left beside its report."),
        ]),
    ]  # fmt: skip


def beside_baseline(audit: Audit, check: str, blocks: Sequence[Any]) -> list[Any]:
    """The blocks of a check, its tables of figures with two more columns: the baseline's figure, and the change."""
    if audit.baseline is None:
        return list(blocks)
    shifts = {(s.measure, s.slice): s for s in audit.baseline.shifts if s.check == check}
    return [_beside(block, shifts) for block in blocks]


def _beside(block: Any, shifts: Mapping[tuple[str, str], Shift]) -> Any:
    match block:
        case Folded():
            return replace(block, blocks=[_beside(inner, shifts) for inner in block.blocks])
        case Chart() if block.figures is not None:
            return replace(block, figures=_beside(block.figures, shifts))
        case Grid() if block.of:
            columns, n = (*block.columns, "baseline", "change since"), len(block.columns)
            rows = [[*row, *_cells(shifts.get(key))] for row, key in zip(block.rows, block.of, strict=True)]
            return replace(block, columns=columns, rows=rows, numbers=block.numbers | {n, n + 1})
    return block


def _cells(shift: Shift | None) -> tuple[str, str]:
    """The baseline's figure, and the change with its interval."""
    if shift is None:
        return "not measured", ""
    if shift.differs_otherwise:
        return number(shift.before, 3), f"not comparable: {shift.doubt}"
    if shift.change is None:
        return number(shift.before, 3), ""
    if shift.low is None or shift.high is None:
        return number(shift.before, 3), signed(shift.change, 3)
    ends = f"{signed(shift.low, 3)} to {signed(shift.high, 3)}"
    return number(shift.before, 3), f"{signed(shift.change, 3)} ({ends})"
