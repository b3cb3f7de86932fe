"""Robustness: how far the accuracy falls under changes made on purpose."""

from __future__ import annotations

from typing import Any

from auditor.store import Record
from auditor.types import Measure, Outcome
from reports.charts import Line, curve, figure_svg
from reports.findings import most_telling_size
from reports.images import change, photo
from reports.parts import Chart, CheckHead, Folded, Grid, Picture, Pictures, Section, grid_of
from reports.pillars.common import plain_blocks, ran, section_note
from reports.words import epsilons, number, size

__all__ = ["curve_chart", "robust_measures", "robustness"]

EXAMPLES = 4


def robustness(record: Record) -> Section | None:
    """The section, None when no check of it ran."""
    outcomes = ran(record.audit, "robustness")
    if not outcomes:
        return None
    blocks: list[Any] = []
    answer = ""
    for o in outcomes:
        if o.check == "robustness.curve":
            answer = _answer(o)
            blocks += [CheckHead.of(o), curve_chart(o), *_examples(record, o)]
        else:
            blocks += plain_blocks(o)
    note, status = section_note(outcomes)
    return Section("robustness", "Robustness", answer, blocks, note, status)


def robust_measures(o: Outcome, name: str = "robust_accuracy") -> dict[float, Measure]:
    """Measures of a curve by epsilon, 0 first."""
    exact = epsilons(o)
    found = {exact[m.slice]: m for m in (o.result.measures if o.result else ()) if m.name == name}
    return dict(sorted(found.items()))


def _answer(o: Outcome) -> str:
    robust, noise = robust_measures(o), robust_measures(o, "noise_accuracy")
    clean = robust.get(0.0)
    at = most_telling_size(list(robust.values()))
    if clean is None or at is None:
        return ""
    epsilon = epsilons(o)[at.slice]
    beside = f"; random changes of that size leave {number(noise[epsilon].value)}" if epsilon in noise else ""
    fall = f"from {number(clean.value)} to {number(at.value)}"
    return f"Changes of at most {size(epsilon)} bring the accuracy {fall}{beside}."


def curve_chart(o: Outcome, key: str = "c-rob") -> Chart:
    """Robust accuracy by size of change, with its band, beside random changes of the same size."""
    robust, noise = robust_measures(o), robust_measures(o, "noise_accuracy")
    clean = robust[min(robust)]
    values = [m.value or 0.0 for m in robust.values()]
    attack = Line(
        "strongest attack",
        values,
        "s1",
        [m.low or 0.0 for m in robust.values()],
        [m.high or 1.0 for m in robust.values()],
    )
    lines = [attack]
    if noise:
        lines.append(Line("random change", [clean.value or 0.0, *(m.value or 0.0 for m in noise.values())], "s2"))
    title = "Accuracy under the strongest attack found."
    said = _answer(o)
    draw = curve([size(e) for e in robust], lines, "largest change of an input, one step an audited size")
    rows = [
        [size(e), number(m.value, 3), f"{number(m.low, 3)} to {number(m.high, 3)}", _noise(noise, e), f"{m.n:,}"]
        for e, m in robust.items()
    ]
    columns = ("change", "strongest attack", "95 % interval", "random change", "n")
    figures = Grid("Accuracy by largest change", columns, rows, frozenset({1, 2, 3, 4}))
    note = "An attack can only show how low the accuracy gets: the truth lies on or below the solid line."
    return Chart(title, said, figure_svg(key, title, said, draw), figures, note)


def _noise(noise: dict[float, Measure], epsilon: float) -> str:
    return number(noise[epsilon].value, 3) if epsilon in noise else ""


def _examples(record: Record, o: Outcome) -> list[Any]:
    """Before, the change, after, for the rows that were shown to be turned."""
    if o.result is None:
        return []
    titles = list(dict.fromkeys(i.title for i in o.result.images))[:EXAMPLES]
    blocks: list[Any] = []
    for title in titles:
        by_role = {i.role: i for i in o.result.images if i.title == title}
        if not {"original", "change", "adversarial"} <= set(by_role):
            continue
        before, after = (record.arrays[by_role[r].array] for r in ("original", "adversarial"))
        source, factor = change(record.arrays[by_role["change"].array])
        small = max(before.shape) <= 64
        cells = [
            Picture(photo(before), by_role["original"].alt, "Before", title.partition(": ")[2], small),
            Picture(source, by_role["change"].alt, "The change", f"shown {factor:.0f} times enlarged", small),
            Picture(photo(after), by_role["adversarial"].alt, "After", by_role["adversarial"].alt, small),
        ]
        blocks.append(Pictures(f"Smallest change found, {title.partition(':')[0]}", cells))
    tables = [t for t in o.result.tables if t.columns[:2] == ("column", "before")]
    return blocks + [Folded(f"{t.title[0].upper()}{t.title[1:]}", [grid_of(t)]) for t in tables[:EXAMPLES]]
