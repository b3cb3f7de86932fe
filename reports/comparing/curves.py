"""The two curves of robust accuracy in one picture."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.comparing.changes import Change
from auditor.types import Audit, Measure
from reports.charts import Line, curve, figure_svg
from reports.comparing.pairs import pair, pair_columns
from reports.parts import Chart, Grid, Section
from reports.pillars.frontier import robust_measures
from reports.words import number, size

__all__ = ["curves_section"]


def curves_section(a: Audit, b: Audit, found: Sequence[Change], labels: tuple[str, str]) -> Section | None:
    """Robust accuracy by the size of the change, where both audits know it at the same sizes."""
    outcomes = [audit.outcome("robustness.curve") for audit in (a, b)]
    curves = [robust_measures(o) for o in outcomes if o is not None and o.result is not None]
    if len(curves) < 2 or list(curves[0]) != list(curves[1]):
        return None
    first, second = curves
    lines = [_line(labels[0], first, "s1"), _line(labels[1], second, "s3")]
    gains = {e: (second[e].value or 0.0) - (first[e].value or 0.0) for e in first}
    at = max((e for e in gains if e > 0), key=lambda e: abs(gains[e]), default=0.0)
    said = f"At {size(at)} it goes from {number(first[at].value)} to {number(second[at].value)}; "
    said += f"clean from {number(first[min(first)].value)} to {number(second[min(second)].value)}."
    said = said if any(gains.values()) else "Both stand the same at every size."
    title = "Accuracy under the strongest attack found."
    draw = curve([size(e) for e in first], lines, "largest change of an input, one step an audited size")
    moved = {(c.name, c.slice): c for c in found if c.check == "robustness.curve"}
    rows = [[size(e), *pair(m, second[e], moved.get((m.name, m.slice)))] for e, m in first.items()]
    grid = Grid("Robust accuracy by largest change", ("change", *pair_columns(labels)), rows, frozenset(range(1, 6)))
    chart = Chart(title, said, figure_svg("c-two", title, said, draw), grid, "The bands are 95 % intervals.")
    return Section("robustness", "Robustness", said, [chart])


def _line(label: str, measures: dict[float, Measure], kind: str) -> Line:
    every = list(measures.values())
    return Line(
        label.lower(), [m.value or 0.0 for m in every], kind, [m.low or 0.0 for m in every],
        [1.0 if m.high is None else m.high for m in every],
    )  # fmt: skip
