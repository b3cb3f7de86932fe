"""Changed groups: how many answers change with the group, alone, with its proxies and by chance, and who would gain."""

from __future__ import annotations

from typing import Any

from auditor.types import Measure, Outcome
from reports.charts import Dot, figure_svg, forest
from reports.parts import Chart, CheckHead, Folded, Prose, grid_of, measures_grid
from reports.pillars.common import status_of
from reports.words import figure, number, slice_words

__all__ = ["flip_blocks"]

# of an attribute, in the order of the chart
RATES = {
    "flip_rate": "{}",
    "flip_rate_with_proxies": "{} and proxies",
    "flip_rate_by_chance": "{}, by chance",
    "template_flip_rate": "{}, sentences",
}
SHIFTS = {"favourable_shift": "", "favourable_shift_with_proxies": " and its proxies"}
LISTED = 6
GROUPS = ("favourable_shift", "score_change", "template_score", "template_difference", "flips_above_chance")


def flip_blocks(o: Outcome) -> list[Any]:
    """A chart of the shares that change, sentences about who would gain, and the tables."""
    if o.result is None:
        return []
    by_group = [m for m in o.result.measures if m.name.startswith(GROUPS) and m.value is not None]
    blocks: list[Any] = [CheckHead.of(o), *_chart(o), *map(Prose, _gains(o))]
    if by_group:
        grid = measures_grid("What changes for each group", by_group)
        blocks.append(Folded("What changes for each group", [grid]))
    return blocks + [Folded(t.title, [grid_of(t)]) for t in o.result.tables if t.rows]


def _chart(o: Outcome) -> list[Chart]:
    rates = [m for m in o.measures if m.name in RATES and "=" not in m.slice and m.value is not None]
    if not rates:
        return []
    attributes = list(dict.fromkeys(m.slice for m in rates))
    rates.sort(key=lambda m: (attributes.index(m.slice), list(RATES).index(m.name)))
    dots = [Dot(_label(m), m.value or 0.0, m.low or 0.0, m.high or 0.0, status_of(o, m), number(m.value, 3))
            for m in rates]  # fmt: skip
    top = min(1.0, max(0.05, 1.1 * max(d.high for d in dots)))
    of_group = [m for m in rates if m.name != "flip_rate_by_chance"]
    most = max(of_group or rates, key=lambda m: m.value or 0.0)
    share = f"a share of {figure(most, 3)}"
    said = f"Of what was changed, {_label(most)} changes the most answers: {share}."
    if len(of_group or rates) == 1:
        said = f"Answers that change with {_label(most)}: {share}."
    svg = figure_svg("c-flips", "Answers that change with the group", said, forest(dots, (0.0, top)))
    note = "By chance: the same columns moved between groups drawn by lot; only what lies above it is the group's."
    shown = note if any(m.name == "flip_rate_by_chance" for m in rates) else ""
    return [Chart("Answers that change with the group.", said, svg, measures_grid("Answers that change", rates), shown)]


def _label(m: Measure) -> str:
    return RATES[m.name].format(m.slice)


def _gains(o: Outcome) -> list[str]:
    """A sentence for each group that would gain or lose beyond chance, as another one."""
    said = []
    for m in o.measures:
        if m.name not in SHIFTS or m.value is None or m.low is None or m.high is None or m.low <= 0 <= m.high:
            continue
        more = "more" if m.value > 0 else "less"
        ends = sorted((abs(m.low), abs(m.high)))
        attribute = m.slice.partition("=")[0]
        said.append(
            f"With another {attribute}{SHIFTS[m.name]}, rows with {slice_words(m.slice)} would get the favourable "
            f"answer {more} often: by {number(abs(m.value), 3)} ({number(ends[0], 3)} to {number(ends[1], 3)}) of them."
        )
    more = f"So it is of {len(said) - LISTED} further groups; what changes for each is below."
    return said if len(said) <= LISTED else [*said[:LISTED], more]
