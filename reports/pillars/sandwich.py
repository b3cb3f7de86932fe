"""What bounds prove and what attacks leave, on the same rows: the truth lies between."""

from __future__ import annotations

from typing import Any

from auditor.types import Outcome
from reports.charts import Line, curve, figure_svg
from reports.parts import Chart, CheckHead, Grid, Prose
from reports.words import counted, epsilons, number, size

__all__ = ["of_other_rows", "sandwich"]

NOTE = "The lower line holds for every change, found or not; the upper one for those that were tried. Between is open."
KINDS = {"linf": "largest change of an element", "l2": "length of the change (L2)"}


def sandwich(o: Outcome, key: str = "c-cert") -> list[Any]:
    """The check's head and, where bounds prove anything, both curves by size of change."""
    head = CheckHead.of(o)
    if o.result is None:
        return [head]
    exact = epsilons(o)
    proved = {exact[m.slice]: m for m in o.result.measures if m.name == "certified_accuracy"}
    left = {exact[m.slice]: m for m in o.result.measures if m.name == "attacked_accuracy"}
    names = [size(e) for e in proved]
    clean = next(iter(proved.values()))
    lines = [Line("proved", [m.value or 0.0 for m in proved.values()], "s1",
                  [m.low or 0.0 for m in proved.values()], [m.high or 0.0 for m in proved.values()])]  # fmt: skip
    if left:
        lines.append(Line("attacks leave", [clean.value or 0.0, *(m.value or 0.0 for m in left.values())], "s2"))
    norm = next(iter(exact)).partition("@")[0]
    title, said = "Between bounds and attacks.", _said(proved, left, "length " if norm == "l2" else "")
    rows = [
        [name, number(m.value, 3), f"{number(m.low, 3)} to {number(m.high, 3)}",
         number(left[e].value, 3) if e in left else "", f"{m.n:,}"]
        for name, (e, m) in zip(names, proved.items(), strict=True)
    ]  # fmt: skip
    columns = (KINDS.get(norm, "change"), "proved at least", "95 % interval", "attacks leave", "n")
    figures = Grid("Proved and attacked accuracy", columns, rows, frozenset({1, 2, 3, 4}))
    draw = curve(names, lines, f"{KINDS.get(norm, 'size of the change')}, one step an audited size")
    return [head, Chart(title, said, figure_svg(key, title, said, draw), figures, NOTE)]


def of_other_rows(certified: Outcome, curve: Outcome | None) -> list[Prose]:
    """That the curve of attacks is of more or fewer rows, since a share proved can then lie above one that is left."""
    proved = {m.n for m in certified.measures if m.name == "certified_accuracy"}
    attacked = {m.n for m in (curve.measures if curve else ()) if m.name == "robust_accuracy"}
    if not proved or not attacked or proved == attacked:
        return []
    ours, theirs = (counted(max(n), "row") for n in (proved, attacked))
    said = (
        f"Proved here is of {ours}, robustness.curve of {theirs}: what is proved of the ones can lie above what "
        "attacks leave of the others, and contradicts nothing. In the chart above both lines are of the same rows."
    )
    return [Prose(said, small=True)]


def _said(proved: dict[float, Any], left: dict[float, Any], kind: str) -> str:
    """The largest size at which half of what is right is proved to stay, else at which anything is."""
    clean, *rest = proved.items()
    half = [e for e, m in rest if m.value and 2 * m.value >= (clean[1].value or 0.0)]
    some = half or [e for e, m in rest if m.value]
    if not some:
        return "Bounds prove nothing at the audited sizes."
    at = max(some)
    beside = f"; attacks leave {number(left[at].value)}" if at in left else ""
    return (
        f"Whatever change of {kind}at most {size(at)} is made, {number(proved[at].value)} stay right at least{beside}."
    )
