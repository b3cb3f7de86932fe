"""What moved the answer in single rows of columns and single texts: bars, and running text with its strongest words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from markupsafe import Markup

from auditor.types import Outcome, Scalar, Table
from reports.charts import Bar, bars, figure_svg
from reports.parts import Chart, Folded, Grid, Pictures, Prose, grid_of
from reports.pillars.methods import (
    DEVIATION,
    ENDS,
    UNITS,
    bar_label,
    is_bars,
    is_of_deviation,
    is_words,
    order_words,
    quality_words,
)
from reports.pillars.worth import Worth, worth_called, worth_of
from reports.texts import Running, excerpt, figure_in, parts_of, short, strongest, words_of
from reports.words import counted, number

__all__ = ["WordLegend", "bar_rows", "left_out", "upper", "word_rows"]

ROWS, OPEN_ROWS = 8, 2
MOST_WORDS = 1000
NOTE = "Filled bars raise, outlined bars lower."
LINES = " The thin lines are 95 % intervals."
DEVIATION_MORE = "One standard deviation more of "
OF_DEVIATIONS = (
    " The bar of a number is what one standard deviation (SD) more of it does, whatever its value here; that of a "
    "category is what being there does."
)
Draw = Callable[[Outcome, Table, str], Any]


@dataclass(frozen=True)
class WordLegend:
    """How tinted words are read."""

    kind: ClassVar[str] = "wordlegend"


def bar_rows(outcomes: Sequence[Outcome], found: Mapping[str, Worth]) -> list[Any]:
    """Every method's columns of each row as bars, with what is said of the method."""
    return _rows(outcomes, is_bars, _bar_chart, found)


def word_rows(outcomes: Sequence[Outcome], found: Mapping[str, Worth]) -> list[Any]:
    """Each text as every method sees it, with what is said of the method."""
    return _rows(outcomes, is_words, _running, found)


def left_out(n: int) -> list[Prose]:
    """What to say of rows that were explained and are not shown."""
    return [Prose(f"{counted(n, 'more row')} explained: figures in audit.json, maps in evidence.", small=True)] * (
        n > 0
    )


def upper(text: str) -> str:
    """`text` with a capital first letter; class names keep theirs."""
    return f"{text[:1].upper()}{text[1:]}"


def _rows(
    outcomes: Sequence[Outcome], is_drawn: Callable[[Table], bool], draw: Draw, found: Mapping[str, Worth]
) -> list[Any]:
    """The rows that most methods explain, each with all of them; those behind the first are folded."""
    held: dict[str, list[tuple[Outcome, Table]]] = {}
    for o in outcomes:
        for table in o.tables:
            if is_drawn(table) and table.rows:
                held.setdefault(table.title, []).append((o, table))
    titles = sorted(held, key=lambda t: -len({o.check for o, _ in held[t]}))  # a stable sort: errors stay first
    groups = [(t, [draw(o, table, _line(found, o, table)) for o, table in held[t]]) for t in titles[:ROWS]]
    opened = [block for t, blocks in groups[:OPEN_ROWS] for block in (Pictures(upper(t), ()), *blocks)]
    folded = [Folded(upper(t), blocks) for t, blocks in groups[OPEN_ROWS:]]
    return [*opened, *folded, *left_out(len(titles) - ROWS)]


def _line(found: Mapping[str, Worth], o: Outcome, table: Table) -> str:
    """What is said of the method, in front of what else there is to note."""
    told = worth_called(found, table.columns[1] if is_words(table) else table.columns[2]) or worth_of(found, o)
    return f" {told.line}" if told else ""


# ---- bars --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Effect:
    """A bar, and what a sentence calls it: a name, and what stands around that."""

    bar: Bar
    before: str
    name: str
    behind: str = ""


def _bar_chart(o: Outcome, table: Table, line: str) -> Chart:
    has_ends = table.columns[3:5] == ENDS
    effects = []
    for row in table.rows:
        label = bar_label(table, row)
        called = (DEVIATION_MORE, str(row[0])) if is_of_deviation(table, row) else ("", label)
        effects.append(_Effect(_bar(label, row[2], row[3:5] if has_ends else ()), *called))
    of_what = OF_DEVIATIONS if DEVIATION in table.columns else ""
    note = NOTE + (LINES if has_ends else "") + of_what + order_words(o, table.title) + line
    figures = grid_of(table, f"{_named(o, table.columns[2])}, {table.title}")
    return _chart(o, table.title, table.columns[2], effects, figures, note)


def _bar(label: str, value: Scalar, ends: Sequence[Scalar]) -> Bar:
    """A bar, with a line between `ends` where they are known."""
    at = [figure_in(v) for v in ends if v is not None] or [figure_in(value)]
    return Bar(label, figure_in(value), min(at), max(at))


def _chart(o: Outcome, title: str, name: str, effects: Sequence[_Effect], figures: Grid, note: str) -> Chart:
    most = max(effects, key=lambda e: abs(e.bar.value))
    said, quality = _said(most.bar.value, name), quality_words(o, title, name)
    key = "b" + hashlib.sha256(f"{o.check} {title} {name}".encode()).hexdigest()[:10]
    unit = UNITS.get(name, "")
    sides = ("lowers", f"raises {unit}") if unit else ("negative", f"positive {name}")
    described = f"{most.before}{most.name}{most.behind} {said}"
    svg = figure_svg(key, f"{_named(o, name)}, {title}", described, bars([e.bar for e in effects], *sides))
    label = (most.before, most.name, most.behind)  # what it names may run from right to left
    answer = Markup("{}<bdi>{}</bdi>{} {}{}.").format(*label, said, f"; {quality}" if quality else "")
    return Chart(f"{_named(o, name)}.", answer, svg, figures, note)


def _named(o: Outcome, effect: str) -> str:
    """The method, with the effect where it shows several."""
    several = len({t.columns[1] for t in o.tables if is_words(t)} | {t.columns[2] for t in o.tables if is_bars(t)})
    return f"{o.title}: {effect}" if several > 1 else o.title


def _said(value: float, name: str) -> str:
    """What the strongest does, with what it does it to."""
    if name in UNITS:
        return f"{'raises' if value > 0 else 'lowers'} {UNITS[name]} most"
    return f"has the {'largest' if value >= 0 else 'most negative'} {name}"


# ---- texts -------------------------------------------------------------------------------------------------------
def _running(o: Outcome, table: Table, line: str) -> Running | Prose:
    texts, shares, special = parts_of(table)
    name = table.columns[1]
    if not texts:
        return Prose(f"{_named(o, name)}: the text has no words.")
    words = words_of(texts, shares)
    seen = excerpt(words, shares)
    whole = words[:MOST_WORDS] if len(seen) < len(words) else []
    chart = _strongest(o, table, texts, shares, line)
    more, rest = max(0, len(words) - MOST_WORDS), _rest(special, sum(shares), name)
    signs = ("for", "against") if min(shares) < 0 else ("strong", "")  # of attention no word speaks against
    return Running(_named(o, name), chart.answer, seen, whole, more, signs, rest, chart)


def _strongest(o: Outcome, table: Table, texts: Sequence[str], shares: Sequence[float], line: str) -> Chart:
    """The words that matter most as bars, with their places in the text."""
    order = strongest(shares)
    unit, name, *ends = table.columns
    bar_of = [(short(texts[i]), shares[i], table.rows[i][2:]) for i in order]
    effects = [_Effect(_bar(*of), "\u201c", of[0], "\u201d") for of in bar_of]
    rows = tuple((short(texts[i]), i + 1, shares[i], *table.rows[i][2:]) for i in order)
    caption = f"{_named(o, name)}, {table.title}: strongest {unit}s"
    figures = grid_of(Table(caption, (unit, "place in the text", name, *ends), rows))
    note = NOTE + LINES * bool(ends) + order_words(o, table.title) + line
    return _chart(o, table.title, name, effects, figures, note)


def _rest(special: float | None, words: float, name: str) -> str:
    """What is no word, and what all adds up to."""
    whole = f"{number(words + (special or 0.0), 3)} in all"
    if special is None:
        return f"The {name} of the words adds up to {whole}."
    return f"Special tokens, which are no words, hold {number(special, 3)} of {whole} ({name})."
