"""The summary of a comparison as blocks of the page: counts, the most telling figures of each pillar, their picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from markupsafe import Markup

from reports.charts import Dot, figure_svg
from reports.comparing.naming import about_words, change_words, interval_of, n_words, values_words
from reports.comparing.picture import moves
from reports.comparing.summary import COUNTED, Judged, Summed, Word
from reports.parts import Chart, Folded, Grid, Heading, Prose, Section, icon
from reports.words import counted, figure_words

__all__ = ["MARKS", "Counts", "Moved", "MovedRow", "summary_section"]

MARKS = {Word.IMPROVED: "pass", Word.WORSE: "fail", Word.UNMOVED: "inconclusive", Word.UNSAID: "measured"}
MOST = 3  # figures of a word that a pillar shows unfolded
NO_SHARES = frozenset(
    {"max_sensitivity", "rules_fired", "corruption_error", "missing_error"}
)  # of no scale from 0 to 1


@dataclass(frozen=True)
class MovedRow:
    """A figure with its word, before and after, the change with its interval, and the rows behind it."""

    status: str
    word: str
    figure: str
    about: str
    values: tuple[str, str]
    change: str
    interval: str
    note: str


@dataclass(frozen=True)
class Moved:
    """Figures that moved or did not, under the name of their pillar."""

    kind: ClassVar[str] = "moved"
    title: str
    rows: Sequence[MovedRow]


@dataclass(frozen=True)
class Counts:
    """How many figures of each pillar have each word, with its mark; none where nothing of the pillar was measured."""

    kind: ClassVar[str] = "counts"
    caption: str
    words: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, Sequence[int]]]


def summary_section(summed: Sequence[Summed]) -> Section:
    """What improved, got worse, did not move, and cannot be said."""
    every = [j for s in summed for j in s.figures]
    blocks: list[Any] = [_counts(summed)]
    if every:
        blocks.append(
            Prose(_how_judged(sum(j.word is not Word.UNSAID and j.change.name != COUNTED for j in every)), small=True)
        )
    for s in summed:
        blocks += _pillar(s)
    if chart := _chart(summed):
        blocks += [Heading("The changes on one scale"), chart]
    return Section("summary", "What moved", _counted(every), blocks)


def _counted(every: Sequence[Judged]) -> str:
    """`Of 24 figures 5 improved, 1 got worse, ...`."""
    if not every:
        return "No figure was measured in either audit."
    n = {word: sum(j.word is word for j in every) for word in Word}
    return (
        f"Of {counted(len(every), 'figure')} {n[Word.IMPROVED]} improved, {n[Word.WORSE]} got worse, "
        f"{n[Word.UNMOVED]} did not move, and of {n[Word.UNSAID]} it cannot be said."
    )


def _how_judged(n: int) -> str:
    return (
        f"The words hold together: each of the {counted(n, 'figure')} is tested by the interval of its change, with "
        "Holm's correction over all of them, so that the chance that any is called improved or worse though it did not "
        "move is about 5 % at most. The intervals printed are those of each figure alone, at 95 %: one may lie off 0 "
        "beside “did not move”. That a figure did not move means that these rows show no change, not that there is "
        "none: its interval says how large one could be. Signs of a failed attack are counted and have no interval."
    )


def _counts(summed: Sequence[Summed]) -> Counts:
    rows = [(s.pillar.title, [len(s.of(word)) for word in Word] if s.figures else []) for s in summed]
    return Counts("How many figures of each pillar moved", [(MARKS[word], str(word)) for word in Word], rows)


def _pillar(s: Summed) -> list[Any]:
    if not s.figures:
        return [Moved(s.pillar.title, []), Prose(f"Not measured: {s.why}.")]
    shown = [j for word in (Word.WORSE, Word.IMPROVED, Word.UNMOVED, Word.UNSAID) for j in s.of(word)[:MOST]]
    blocks: list[Any] = [Moved(s.pillar.title, [_row(j) for j in shown])]
    if len(shown) < len(s.figures):
        every = _grid(f"{s.pillar.title}: every figure", s.figures)
        blocks.append(Folded(f"All {len(s.figures)} figures of this pillar", [every]))
    return blocks


def _row(j: Judged) -> MovedRow:
    c = j.change
    note = "; ".join(words for words in (n_words(c), c.doubt) if words)
    return MovedRow(
        MARKS[j.word], j.word.capitalize(), figure_words(c.name), about_words(c), values_words(c), change_words(c),
        interval_of(c), note,
    )  # fmt: skip


def _grid(caption: str, figures: Sequence[Judged]) -> Grid:
    rows = []
    for j in figures:
        c = j.change
        word = Markup('<span class="tag {0}">{1} {2}</span>').format(MARKS[j.word], icon(MARKS[j.word]), j.word)
        name = " ".join(words for words in (figure_words(c.name), about_words(c)) if words)
        rows.append([name, word, *values_words(c), change_words(c), interval_of(c), n_words(c)])
    columns = ("figure", "moved", "before", "after", "change", "95 % interval", "rows")
    return Grid(caption, columns, rows, frozenset({2, 3, 4, 5}))


# ---- the picture -------------------------------------------------------------------------------------------------
def _chart(summed: Sequence[Summed]) -> Chart | None:
    """The most telling figure of each word and pillar, where it has an interval."""
    chosen = [
        j
        for s in summed
        for word in (Word.WORSE, Word.IMPROVED, Word.UNMOVED)
        for j in [k for k in s.of(word) if k.change.name not in NO_SHARES][:1]
    ]
    if not chosen:
        return None
    title = "The most telling figure of each pillar and word."
    said = "To the right of the line is better, whether a higher figure is better or a lower one."
    svg = figure_svg("c-moved", title, said, moves([_dot(j) for j in chosen]))
    note = (
        "The bars are 95 % intervals of each change alone; the number is the change as it is. ◆ got worse, ● improved, "
        "○ did not move. Figures that are no shares are in the lists above."
    )
    return Chart(title, said, svg, _grid("The changes in this chart", chosen), note)


def _dot(j: Judged) -> Dot:
    c, ends = j.change, j.change.ends or (0.0, 0.0)
    sign = 1 if c.better == "higher" else -1
    low, high = sorted(sign * end for end in ends)
    name = ", ".join(words for words in (figure_words(c.name), about_words(c)) if words)
    return Dot(name, sign * (c.value or 0.0), low, high, MARKS[j.word], change_words(c))
