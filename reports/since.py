"""What became of a figure since the baseline: in a word, in a clause, and in two columns of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from auditor.types import Audit, Measure, Shift, Status
from reports.parts import Chart, Facts, Folded, Grid, Heading
from reports.words import ROUNDING, VERDICT, number, signed

__all__ = ["State", "beside_baseline", "fixed", "since_blocks", "since_words", "state_of"]

FOUND = (Status.FAIL, Status.WARN, Status.INCONCLUSIVE)


class State(StrEnum):
    """What became of a finding since the baseline; NONE without one, and where its figures are of another kind."""

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
    if shift is not None and shift.differs_otherwise:
        return State.NONE
    if shift is None or shift.status not in FOUND:
        return State.NEW
    ends = (shift.change, shift.change) if shift.low is None or shift.high is None else (shift.low, shift.high)
    if None in ends or m.better == "neither" or shift.doubt:
        return State.UNCHANGED
    sign = 1 if m.better == "higher" else -1
    low, high = sorted(sign * (end or 0.0) for end in ends)
    return State.BETTER if low > ROUNDING else State.WORSE if high < -ROUNDING else State.UNCHANGED


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


# ---- in the report -----------------------------------------------------------------------------------------------
def since_blocks(audit: Audit, states: Sequence[str]) -> list[Any]:
    """What the baseline was and what became of the findings, of which `states` has one each; [] without a baseline."""
    b = audit.baseline
    if b is None:
        return []
    n = {state: states.count(state) for state in State if state}
    findings = ", ".join(f"{count} {state}" for state, count in n.items())
    other = f", {without} not comparable" if (without := states.count(State.NONE)) else ""
    return [
        Heading("Since the baseline"),
        Facts([
            ("Baseline", b.name),
            ("Its record", f"audit.json, sha256 {b.sha256[:12]}"),
            ("Its verdict", f"{VERDICT[b.verdict]}, by the policy {b.policy}"),
            ("Findings", f"{findings}, {sum(1 for _ in fixed(audit))} fixed{other}"),
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
