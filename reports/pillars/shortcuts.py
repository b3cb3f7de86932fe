"""Places and words that decide a class: what was found as sentences, with the mean picture of where relevance lies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from auditor.store import Record
from auditor.types import Image, Outcome, Table
from reports.images import overlay, photo
from reports.parts import CheckHead, Folded, Picture, Pictures, Points, Prose, grid_of

__all__ = ["SHORTCUTS", "shortcut_blocks"]

SHORTCUTS = "explain.shortcuts"
NONE = "No place and no word was found that decides a class whatever else a row shows."


def shortcut_blocks(record: Record) -> list[Any]:
    """What was found, one sentence and one pair of pictures a class; then the figures of all classes."""
    outcome = record.audit.outcome(SHORTCUTS)
    if outcome is None or outcome.result is None:
        return []
    (table,), caveats = outcome.tables, outcome.result.caveats
    found = {str(row[0]): str(row[-1]) for row in table.rows if row[-1]}
    rest = tuple(c for c in caveats if c not in found.values())
    blocks: list[Any] = [CheckHead(outcome.title, SHORTCUTS, outcome.status, outcome.reason)]
    pictures = _pictures(record, outcome)
    for name, sentence in found.items():
        blocks += [Prose(sentence), *([pictures[name]] if name in pictures else [])]
    if not found:
        blocks.append(Prose(NONE))
    blocks += [grid_of(_marked(table)), Points(rest)]
    others = [p for name, p in pictures.items() if name not in found]
    return [*blocks, *([Folded("Where the relevance of the other classes lies in the mean", others)] if others else [])]


def _marked(table: Table) -> Table:
    """The table with yes or no where it has a sentence."""
    return replace(table, rows=tuple((*row[:-1], bool(row[-1])) for row in table.rows))


def _pictures(record: Record, outcome: Outcome) -> dict[str, Pictures]:
    """The mean image and the mean map of each class by its name."""
    held: dict[str, dict[str, Image]] = {}
    for image in outcome.result.images if outcome.result else ():
        held.setdefault(image.title, {})[image.role] = image
    found = {}
    for title, roles in held.items():
        mean, shares = (record.picture(roles[role].array) for role in ("original", "map"))
        small, said = max(mean.shape) <= 64, roles["map"].alt
        cells = [
            Picture(photo(mean), roles["original"].alt, "Mean image", "", small),
            Picture(overlay(mean, shares), said, "Mean relevance", said.partition(": ")[2], small),
        ]
        found[title.removeprefix("class ")] = Pictures(f"Class {title.removeprefix('class ')}", cells)
    return found
