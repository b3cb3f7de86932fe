"""Explanations: which parts of the input moved the answer, with each method's own figure beside its picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from auditor.store import Record
from auditor.types import Outcome, Table
from reports.parts import Folded, Grid, Heading, Points, Section, grid_of, interval_words, tag
from reports.pillars.behaviour import BEHAVIOUR, behaviour_blocks, reliance
from reports.pillars.common import plain_blocks, ran
from reports.pillars.counterfactual import COUNTERFACTUALS, counterfactual_blocks
from reports.pillars.effects import WordLegend, bar_rows, word_rows
from reports.pillars.evidence import EVIDENCE, evidence_blocks
from reports.pillars.methods import QUALITY, other_tables, quality
from reports.pillars.pictures import ACTIVATIONS, activation_rows, picture_rows
from reports.pillars.shortcuts import SHORTCUTS, shortcut_blocks
from reports.pillars.worth import worths
from reports.since import beside_baseline
from reports.words import number

__all__ = ["explanations"]

ROUTING = "explain.attention"


@dataclass(frozen=True)
class Legend:
    """The colour scale of the maps."""

    kind: ClassVar[str] = "legend"


def explanations(record: Record) -> Section | None:
    """The section, None when no check of it ran."""
    outcomes = sorted(ran(record.audit, "explain"), key=lambda o: o.check == ROUTING)  # last: it is no evidence
    if not outcomes:
        return None
    single = [o for o in outcomes if o.check != SHORTCUTS]
    found = worths(record.audit)
    pictures, texts, bars = picture_rows(record, single, found), word_rows(single, found), bar_rows(single, found)
    blocks: list[Any] = [b for o in outcomes if o.check in BEHAVIOUR for b in behaviour_blocks(o)]
    blocks += [Heading("Single rows, errors first")] if pictures or texts or bars else []
    blocks += [Legend(), *pictures] if pictures else []
    blocks += [WordLegend(), *texts] if texts else []
    blocks += bars
    known = [o for o in outcomes if o.check in QUALITY]
    if known:
        blocks += [
            Heading("What each method is worth here"),
            *_worth(known),
            Points([f"{o.title}: {c}" for o in known for c in (o.result.caveats if o.result else ())]),
            *(b for o in known for b in _folded(other_tables(o), f"{o.title}: ")),
        ]
    blocks += [*evidence_blocks(outcomes, found), *shortcut_blocks(record)]
    for o in single:
        if o.check == COUNTERFACTUALS:
            blocks += counterfactual_blocks(o)
        elif o.check not in (*QUALITY, *BEHAVIOUR, *EVIDENCE) and o.result is not None:
            plain = plain_blocks(replace(o, result=replace(o.result, tables=other_tables(o))))
            blocks += beside_baseline(record.audit, o.check, plain)
            blocks += activation_rows(record, o) if o.check == ACTIVATIONS else []
    return Section("explanations", "Explanations", f"{reliance(outcomes)} {_answer(known)}".strip(), blocks)


def _answer(outcomes: list[Outcome]) -> str:
    names = [o.title for o in outcomes if o.check != ROUTING]
    if not names:
        return ""
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    said = f"{listed} show{'s' if len(names) == 1 else ''} what moved the answer; each with a figure of its own worth."
    return f"{said} Attention shows what was looked up on the way." if len(names) < len(outcomes) else said


def _worth(outcomes: list[Outcome]) -> list[Grid]:
    """Each method by its own figure; nothing where none has one."""
    rows = []
    for o in outcomes:
        m = quality(o, "")
        if m is not None:
            name, words = QUALITY[o.check]
            figures = [name.replace("_", " "), number(m.value), interval_words(m, 2), f"{m.n:,}"]
            rows.append([o.title, tag(o.status), *figures, words])
    columns = ("method", "verdict", "its own figure", "value", "95 % interval", "n", "how to read it")
    return [Grid("Each method by its own figure", columns, rows, frozenset({3, 4, 5}))] if rows else []


def _folded(tables: Sequence[Table], before: str) -> list[Folded]:
    """Tables as they are, each behind a click."""
    grids = [grid_of(t, f"{before}{t.title}") for t in tables]
    return [Folded(g.caption, [g]) for g in grids]
