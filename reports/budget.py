"""How large a page may get: pictures beyond its budget stay among the evidence, and the page says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from reports.parts import Folded, Pictures, Prose, Section
from reports.words import counted

__all__ = ["PICTURES", "within_budget"]

PICTURES = 900_000  # characters of all pictures of a page, of the 1.5 MB that it should stay within


def within_budget(sections: Sequence[Section], budget: int = PICTURES) -> list[Section]:
    """The sections with as many rows of pictures, in reading order, as `budget` characters hold."""
    found = []
    for section in sections:
        blocks, budget = _fitting(section.blocks, budget)
        found.append(replace(section, blocks=blocks))
    return found


def _fitting(blocks: Sequence[Any], budget: int) -> tuple[list[Any], int]:
    """The blocks that the budget holds, a sentence on what it does not, and what is left of it."""
    kept: list[Any] = []
    left_out = 0
    for block in blocks:
        if isinstance(block, Folded):
            inner, budget = _fitting(block.blocks, budget)
            kept.append(replace(block, blocks=inner))
        elif isinstance(block, Pictures) and block.cells:
            size = sum(len(cell.source) for cell in block.cells)
            if size <= budget:
                kept.append(block)
            else:
                left_out += len(block.cells)
            budget = max(0, budget - size)
        else:
            kept.append(block)
    if left_out:
        said = f"{counted(left_out, 'further picture')} would make this page too large; their arrays are in evidence/."
        kept.append(Prose(said, small=True))
    return kept, budget
