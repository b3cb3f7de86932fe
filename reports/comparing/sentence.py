"""The comparison in one sentence: what was to improve, what it may have cost, and for whom."""

from __future__ import annotations

from collections.abc import Sequence

from reports.comparing.naming import about_words
from reports.comparing.summary import COUNTED, Judged, Summed, Word
from reports.words import counted, figure_words, number

__all__ = ["answer"]

UNMEASURED = "was not measured"  # is said last
SMALL = 0.1  # below it a figure needs a third decimal
ELSEWHERE, OTHERS = ("bounds", "corruption", "calibration", "explanations"), 2  # and how many there is room for


def answer(summed: Sequence[Summed]) -> str:
    """The most telling figure of robustness, accuracy and fairness, and of others where it moved."""
    pillars = {s.pillar.key: s for s in summed}
    told = [_attacked(pillars["robustness"]), _first(pillars["performance"]), _fairness(pillars["fairness"])]
    said = sorted(told, key=lambda words: words.endswith(UNMEASURED))
    others = [pillars[key].figures[0] for key in ELSEWHERE if pillars[key].figures]
    moved = sorted((j for j in others if j.word in (Word.WORSE, Word.IMPROVED)), key=lambda j: j.word is not Word.WORSE)
    at = next((i for i, words in enumerate(said) if words.endswith(UNMEASURED)), len(said))
    said[at:at] = [clause(j) for j in moved[:OTHERS]]
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def clause(j: Judged) -> str:
    """`robust accuracy, changes up to 0.15, rose from 0.09 to 0.68`."""
    c, about = j.change, about_words(j.change)
    separator = " " if about.startswith("by ") else ", "
    name = f"{figure_words(c.name)}{separator}{about}" if about else figure_words(c.name)
    name = f"{name}," if separator == ", " and about else name
    digits = 3 if max(abs(c.before or 0.0), abs(c.after or 0.0)) < SMALL else 2
    before, after = number(c.before, digits), number(c.after, digits)
    if j.word is Word.UNSAID:
        return f"of {name.rstrip(',')} it cannot be said how it moved" if c.value is None else (
            f"{name} went from {before} to {after} ({c.doubt}), of which nothing can be said"
        )  # fmt: skip
    if j.word is Word.UNMOVED:
        return f"{name} did not move measurably ({before} before, {after} after, n = {c.n[1]:,})"
    return f"{name} {'rose' if (c.value or 0) > 0 else 'fell'} from {before} to {after}"


def _attacked(s: Summed) -> str:
    """The size in the middle of those audited, whatever moved; and signs of failed attacks, where they rose."""
    curves = [j for j in s.figures if j.change.name != COUNTED and j.change.value is not None]
    if not curves:
        return f"robustness {UNMEASURED}"
    ordered = sorted(curves, key=lambda j: float(j.change.slice.rpartition("@")[2]))
    said = clause(ordered[(len(ordered) - 1) // 2])
    fired = [j.change for j in s.figures if j.change.name == COUNTED and (j.change.value or 0) > 0]
    return f"{said}; signs of a failed attack rose from {number(fired[0].before)} to {number(fired[0].after)}" if (
        fired
    ) else said  # fmt: skip


def _first(s: Summed) -> str:
    return clause(s.figures[0]) if s.figures else f"accuracy {UNMEASURED}"


def _fairness(s: Summed) -> str:
    told = [j for j in s.figures if j.word is not Word.UNSAID]
    if not s.figures:
        return f"fairness {UNMEASURED}"
    if not told:
        return "of no fairness figure can it be said how it moved"
    if told[0].word is Word.UNMOVED:
        return f"of {counted(len(told), 'fairness figure')} none moved measurably" if len(told) > 1 else clause(told[0])
    better = s.of(Word.IMPROVED) if told[0].word is Word.WORSE else []
    return "; ".join(clause(j) for j in (*better[:1], told[0]))
