"""What moved the answer in single pictures: each beside every method's map of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from auditor.store import Record
from auditor.types import Image, Outcome
from reports.images import overlay, photo, strength
from reports.parts import Folded, Picture, Pictures
from reports.pillars.effects import OPEN_ROWS, ROWS, left_out, upper
from reports.pillars.methods import quality_words
from reports.pillars.worth import Worth, worth_called, worth_of

__all__ = ["ACTIVATIONS", "activation_rows", "picture_rows"]

ACTIVATIONS = "explain.activations"

BLANK = 128  # grey, where a map has no picture under it


def picture_rows(record: Record, outcomes: list[Outcome], found: Mapping[str, Worth]) -> list[Any]:
    """A row of pictures a sample: itself and every method's map, with what is said of it; those with most maps."""
    others: dict[str, list[tuple[Outcome, Image]]] = {}
    originals: dict[str, Image] = {}
    for o in outcomes:
        for image in o.result.images if o.result and o.check != ACTIVATIONS else ():
            held = others.setdefault(image.title, [])
            if image.role == "original":
                originals[image.title] = image
            else:
                held.append((o, image))
    titles = sorted(others, key=lambda t: -len(others[t]))[:ROWS]  # a stable sort: errors stay first
    rows = [_row(record, t, originals.get(t), others[t], found) for t in titles]
    left = left_out(len(others) - len(titles))
    opened = OPEN_ROWS if left else 4
    if len(rows) <= opened:
        return rows
    return [*rows[:opened], Folded(f"{len(rows) - opened} further rows", rows[opened:]), *left]


def _row(
    record: Record,
    title: str,
    original: Image | None,
    others: list[tuple[Outcome, Image]],
    found: Mapping[str, Worth],
) -> Pictures:
    name, _, said = title.partition(": ")
    base = record.picture(original.array) if original else None
    cells = []
    if original and base is not None:
        cells.append(Picture(photo(base), original.alt, "Original", name, _is_small(base)))
    for o, image in others:
        array = record.picture(image.array)
        under = base if base is not None else _blank(array)
        source = overlay(under, array) if array.ndim == 2 else photo(array)
        first = next(i for other, i in others if other is o) is image
        called, figure = (o.title, quality_words(o, title)) if first else (_further(image), "")
        told = worth_of(found, o) if first else worth_called(found, called)
        note, alt = (figure, image.alt) if told is None else (f"{figure}; {told.word}", f"{image.alt}. {told.line}")
        cells.append(Picture(source, alt, called, note.removeprefix("; "), _is_small(under)))
    return Pictures(upper(said or title), cells)


def _further(image: Image) -> str:
    """What a further map of the same method shows: of another layer, or by another way."""
    _, _, layer = image.alt.partition(", layer ")
    return f"layer {layer.partition(';')[0]}" if layer else image.alt.partition(" for ")[0].partition(";")[0]


def _blank(shown: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A grey picture of the size of `shown` (H, W) or (H, W, 3)."""
    return np.full((*shown.shape[:2], 3), BLANK, np.uint8)


def _is_small(pixels: np.ndarray[Any, Any]) -> bool:
    return bool(max(pixels.shape) <= 64)


def activation_rows(record: Record, outcome: Outcome) -> list[Any]:
    """What layers give for single pictures, and the pictures that excite a unit most: sizes, whatever the class."""
    rows: dict[str, list[Picture]] = {}
    for image in outcome.result.images if outcome.result else ():
        array = record.picture(image.array)
        of, _, said = image.title.partition(": ")
        unit = of.startswith("unit ")
        group = rows.setdefault(upper(of) if unit else upper(said or of), [])
        if image.role == "features":
            group.append(Picture(strength(array), image.alt, image.alt.partition(": ")[0], small=True))
        else:
            group.append(Picture(photo(array), image.alt, said if unit else "Original", "", _is_small(array)))
    found = [Pictures(name, cells) for name, cells in rows.items()]
    if not found:
        return []
    what = (
        "What layers give for single rows, and the rows that excite a unit most: white is strongest, whatever the class"
    )
    return [Folded(what, found)]
