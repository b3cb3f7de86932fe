"""What the model meets without an enemy: accuracy by corruption, one row under each of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from auditor.store import Record
from auditor.types import Measure, Outcome
from reports.charts import Dot, figure_svg, forest
from reports.images import photo
from reports.parts import Chart, CheckHead, Folded, Grid, Picture, Pictures, Prose, grid_of
from reports.pillars.common import status_of
from reports.words import figure, number

__all__ = ["corruption_answer", "corruption_blocks"]

WHERE = "corruption="
SMALL = 64  # pixels a side up to which a picture shows its pixels


def corruption_blocks(record: Record, o: Outcome) -> list[Any]:
    """The chart of corruptions, the hardest first, pictures of one severity in sight, and the tables."""
    if o.result is None:
        return []
    by_family, by_severity, *examples = (_named(grid_of(t)) for t in o.result.tables)
    rows = _pictures(record, o)
    middle = len(rows) // 2
    further = [Folded("The same row at the other severities", rows[:middle] + rows[middle + 1 :])] if rows[1:] else []
    tables = [Folded(t.caption, [t]) for t in (by_severity, *examples)]
    return [CheckHead.of(o), *_chart(o, by_family), *_spatial(o), *rows[middle : middle + 1], *further, *tables]


def _named(grid: Grid) -> Grid:
    """The table with corruptions by their words."""
    return replace(grid, rows=[[str(first).replace("_", " "), *rest] for first, *rest in grid.rows])


def corruption_answer(o: Outcome) -> str:
    """How far the accuracy falls and where it falls to the lowest; "" where it is not known."""
    (clean, whole), families = _levels(o, ""), _families(o)
    if clean is None or whole is None or not families:
        return ""
    what, worst = _what(o), families[0]
    fall = f"from {number(clean.value)} to {number(whole.value)} on average"
    return f"Corruptions that nobody aims bring the {what} {fall}, {_words(worst)} to {number(worst.value)}."


def _chart(o: Outcome, figures: Any) -> list[Any]:
    families, (clean, whole) = _families(o), _levels(o, "")
    if not families or clean is None:
        return []
    listed = [*([whole] if whole else []), *families]
    dots = [_dot(o, m, clean.value) for m in listed]
    top = 1.0 if _what(o) == "accuracy" else max(*(d.high for d in dots), clean.value or 0.0) or 1.0
    said = corruption_answer(o)
    svg = figure_svg("c-corruption", f"{_what(o).capitalize()} by corruption", said, forest(dots, (0.0, top)))
    note = f"The short dashed line is the {_what(o)} of the same rows as they are, {number(clean.value)}."
    return [Chart(f"{_what(o).capitalize()} by corruption.", said, svg, figures, note)]


def _spatial(o: Outcome) -> list[Prose]:
    worst, mean = _levels(o, "spatial")
    if worst is None or mean is None:
        return []
    places = "Of rotations up to 30 degrees and shifts up to a tenth of the side, the worst for each row"
    return [Prose(f"{places} leaves an {_what(o)} of {figure(worst)}; the mean over them is {number(mean.value)}.")]


def _pictures(record: Record, o: Outcome) -> list[Pictures]:
    """A row of pictures for each severity."""
    titles: dict[str, list[Picture]] = {}
    for image in o.result.images if o.result else ():
        pixels = record.picture(image.array)
        name, _, called = image.alt.partition(", ")
        cell = Picture(
            photo(pixels),
            f"{image.alt} ({image.title})",
            f"{name[:1].upper()}{name[1:]}",
            called,
            max(pixels.shape) <= SMALL,
        )
        titles.setdefault(image.title, []).append(cell)
    return [Pictures(f"{title[0].upper()}{title[1:]}", cells) for title, cells in titles.items()]


# ---- figures of the check ----------------------------------------------------------------------------------------
def _what(o: Outcome) -> str:
    return "error" if "clean_error" in {m.name for m in o.measures} else "accuracy"


def _levels(o: Outcome, of: str) -> tuple[Measure | None, Measure | None]:
    """The figures of the rows as they are and of all corruptions; or of moved rows, the worst and the mean."""
    what = _what(o)
    names = (f"clean_{what}", f"corruption_{what}") if not of else (f"spatial_{what}", f"mean_spatial_{what}")
    found = {m.name: m for m in o.measures if not m.slice and m.value is not None}
    return found.get(names[0]), found.get(names[1])


def _families(o: Outcome) -> list[Measure]:
    """The figures of the corruptions, the worst first."""
    what = _what(o)
    alone = [m for m in o.measures if m.name == f"corruption_{what}" and m.slice and "&" not in m.slice]
    known = [m for m in alone if m.value is not None]
    return sorted(known, key=lambda m: m.value or 0.0, reverse=what == "error")


def _dot(o: Outcome, m: Measure, clean: float | None) -> Dot:
    value = m.value or 0.0
    low, high = (value if end is None else end for end in (m.low, m.high))
    return Dot(_words(m), value, low, high, status_of(o, m), number(m.value), clean)


def _words(m: Measure) -> str:
    return m.slice.removeprefix(WHERE).replace("_", " ") or "all of them"
