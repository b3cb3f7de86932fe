"""Rows that attacks turned: before, the change, after; of every audited size the easiest and the hardest."""

from __future__ import annotations

from typing import Any

from auditor.store import Record
from auditor.types import Outcome
from reports.images import change, photo
from reports.parts import Folded, Picture, Pictures, grid_of
from reports.words import change_words, epsilons

__all__ = ["turned"]

OPEN = 4
CHANGED = (("column", "before"), ("word", "before"))


def turned(record: Record, o: Outcome) -> list[Any]:
    """Pictures, the first few of them in sight, or tables of the columns or words that changed."""
    if o.result is None:
        return []
    titles = list(dict.fromkeys(i.title for i in o.result.images))
    pictures = [block for title in titles if (block := _pictures(record, o, title)) is not None]
    blocks: list[Any] = pictures[:OPEN]
    if pictures[OPEN:]:
        blocks.append(Folded(f"{len(pictures) - OPEN} further rows that were turned", pictures[OPEN:]))
    tables = [t for t in o.result.tables if t.columns[:2] in CHANGED]
    return blocks + [Folded(_heading(o, t.title), [grid_of(t)]) for t in tables]


def _pictures(record: Record, o: Outcome, title: str) -> Pictures | None:
    by_role = {i.role: i for i in o.result.images if i.title == title} if o.result else {}
    if not {"original", "change", "adversarial"} <= set(by_role):
        return None
    before, after = (record.picture(by_role[r].array) for r in ("original", "adversarial"))
    source, factor = change(record.picture(by_role["change"].array))
    small = max(before.shape) <= 64
    cells = [
        Picture(photo(before), by_role["original"].alt, "Before", by_role["original"].alt, small),
        Picture(source, by_role["change"].alt, "The change", f"shown {factor:.0f} times enlarged", small),
        Picture(photo(after), by_role["adversarial"].alt, "After", by_role["adversarial"].alt, small),
    ]
    return Pictures(_heading(o, title), cells)


def _heading(o: Outcome, title: str) -> str:
    """`row 3: cat (0.98), called dog (0.61); the easiest of linf@0.1` with the size first and in words."""
    row, _, which = title.rpartition("; the ")
    kind, _, at = which.partition(" of ")
    exact = epsilons(o)
    if not row or at not in exact:
        return f"{title[0].upper()}{title[1:]}"
    return f"{change_words(at, exact[at])}, the {kind} turned: {row}"
