"""Explanations: which parts of the input moved the answer, with each method's own figure beside its picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from auditor.store import Record
from auditor.types import Image, Measure, Outcome, Table
from reports.charts import Bar, bars, figure_svg
from reports.images import overlay, photo
from reports.parts import (
    Chart,
    Folded,
    Grid,
    Heading,
    Picture,
    Pictures,
    Points,
    Prose,
    Section,
    grid_of,
    interval_words,
    tag,
)
from reports.pillars.common import plain_blocks, ran, section_note
from reports.words import counted, number

__all__ = ["QUALITY", "explanations", "quality"]

ROWS, OPEN_ROWS = 8, 2
QUALITY = {
    "explain.gradcam": (
        "hirescam_correlation",
        "Agreement with HiResCAM, which needs no averaging. 1 is full agreement.",
    ),
    "explain.lrp": ("ledger_error", "What the shares leave out of the logit they explain. 0 is exact."),
    "explain.shap": ("repeat_error", "How far two runs lie apart, against the size of the values. 0 is no distance."),
    "explain.lime": (
        "fidelity",
        "How well the simple model follows the real one nearby. 1 is exactly, below .5 do not read it.",
    ),
}


@dataclass(frozen=True)
class Legend:
    """The colour scale of the maps."""

    kind: ClassVar[str] = "legend"


def explanations(record: Record) -> Section | None:
    """The section, None when no check of it ran."""
    outcomes = ran(record.audit, "explain")
    if not outcomes:
        return None
    blocks: list[Any] = []
    known = [o for o in outcomes if o.check in QUALITY]
    pictures = _picture_rows(record, known)
    bar_rows = _bar_rows(known)
    if pictures or bar_rows:
        blocks.append(Heading("Single rows, errors first"))
    if pictures:
        blocks += [Legend(), *pictures]
    blocks += bar_rows
    if known:
        blocks += [
            Heading("What each method is worth here"),
            _worth(known),
            Points([f"{o.title}: {c}" for o in known for c in (o.result.caveats if o.result else ())]),
        ]
    for o in outcomes:
        if o not in known:
            blocks += plain_blocks(o)
    note, status = section_note(outcomes)
    return Section("explanations", "Explanations", _answer(known), blocks, note, status)


def _answer(outcomes: list[Outcome]) -> str:
    names = [o.title for o in outcomes]
    if not names:
        return ""
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{listed} show{'s' if len(names) == 1 else ''} what moved the answer; each with a figure of its own worth."


def quality(o: Outcome, title: str) -> Measure | None:
    """A method's own figure for the row of that title; for the whole when the title is empty."""
    if o.result is None or o.check not in QUALITY:
        return None
    row = title.partition(":")[0].removeprefix("row ")
    where = f"row={row}" if title else ""
    return next((m for m in o.result.measures if m.name == QUALITY[o.check][0] and m.slice == where), None)


def _quality_words(o: Outcome, title: str) -> str:
    m = quality(o, title)
    return f"{m.name.replace('_', ' ')} {number(m.value)}" if m else ""


# ---- pictures ----------------------------------------------------------------------------------------------------
def _picture_rows(record: Record, outcomes: list[Outcome]) -> list[Any]:
    """A row of pictures a sample: itself and every method's map; those that most methods explain."""
    maps: dict[str, list[tuple[Outcome, Image]]] = {}
    originals: dict[str, Image] = {}
    for o in outcomes:
        for image in o.result.images if o.result else ():
            if image.role == "map":
                maps.setdefault(image.title, []).append((o, image))
            elif image.role == "original":
                originals[image.title] = image
    titles = sorted(maps, key=lambda t: -len(maps[t]))[:ROWS]  # a stable sort: errors stay first
    rows = [_picture_row(record, t, originals[t], maps[t]) for t in titles if t in originals]
    left = _left_out(len(maps) - len(titles))
    opened = OPEN_ROWS if left else 4
    if len(rows) <= opened:
        return rows
    return [*rows[:opened], Folded(f"{len(rows) - opened} further rows", rows[opened:]), *left]


def _left_out(n: int) -> list[Prose]:
    """What to say of rows that were explained and are not shown."""
    return [Prose(f"{counted(n, 'more row')} explained: figures in audit.json, maps in evidence.", small=True)] * (
        n > 0
    )


def _picture_row(record: Record, title: str, original: Image, maps: list[tuple[Outcome, Image]]) -> Pictures:
    pixels = record.arrays[original.array]
    small = max(pixels.shape) <= 64
    cells = [Picture(photo(pixels), original.alt, "Original", title.partition(":")[0], small)]
    for o, image in maps:
        source = overlay(pixels, record.arrays[image.array])
        cells.append(Picture(source, image.alt, o.title, _quality_words(o, title), small))
    return Pictures(_upper(title.partition(": ")[2]), cells)


def _upper(text: str) -> str:
    """`text` with a capital first letter; class names keep theirs."""
    return f"{text[:1].upper()}{text[1:]}"


# ---- rows of columns ---------------------------------------------------------------------------------------------
def _bar_rows(outcomes: list[Outcome]) -> list[Any]:
    titles = list(dict.fromkeys(t.title for o in outcomes for t in (o.result.tables if o.result else ())))
    by_count = sorted(titles, key=lambda t: -sum(t in {x.title for x in o.result.tables} for o in outcomes if o.result))
    groups = [
        (t, [_bar_chart(o, table, t) for o in outcomes for table in _tables(o) if table.title == t]) for t in by_count
    ]
    shown = [Folded(_upper(t), charts) for t, charts in groups[OPEN_ROWS:ROWS]]
    opened = [block for t, charts in groups[:OPEN_ROWS] for block in (Pictures(_upper(t), ()), *charts)]
    return [*opened, *shown, *_left_out(len(groups) - ROWS)]


def _tables(o: Outcome) -> tuple[Table, ...]:
    return o.result.tables if o.result else ()


def _bar_chart(o: Outcome, table: Table, title: str) -> Chart:
    effects = []
    for row in table.rows:
        value = float(row[2] or 0.0)
        repeats = [float(v or 0.0) for v in row[3:5]] or [value]
        label = f"{row[0]} = {row[1]}" if row[1] != "" else str(row[0])
        effects.append(Bar(label, value, min(repeats), max(repeats)))
    unit = {"relevance": "the logit", "effect": "the probability", "weight": "the probability"}.get(
        table.columns[2], ""
    )
    strongest = max(effects, key=lambda b: abs(b.value), default=None)
    said = f"{strongest.label} {'raises' if strongest.value > 0 else 'lowers'} {unit} most" if strongest else ""
    key = f"b-{o.check.partition('.')[2]}-{title.partition(':')[0].removeprefix('row ')}"
    svg = figure_svg(key, f"{o.title}, {title}", said, bars(effects, "lowers", f"raises {unit}"))
    note = "Filled bars raise, outlined bars lower."
    if len(table.columns) > 3:
        note += " The thin line joins what two runs said."
    figures = grid_of(table, f"{o.title}, {table.title}")
    return Chart(f"{o.title}.", f"{said}; {_quality_words(o, title)}.", svg, figures, note)


# ---- what each method is worth -----------------------------------------------------------------------------------
def _worth(outcomes: list[Outcome]) -> Grid:
    rows = []
    for o in outcomes:
        m = quality(o, "")
        if m is not None:
            name, words = QUALITY[o.check]
            figures = [name.replace("_", " "), number(m.value), interval_words(m, 2), f"{m.n:,}"]
            rows.append([o.title, tag(o.status), *figures, words])
    columns = ("method", "verdict", "its own figure", "value", "95 % interval", "n", "how to read it")
    return Grid("Each method by its own figure", columns, rows, frozenset({3, 4, 5}))
