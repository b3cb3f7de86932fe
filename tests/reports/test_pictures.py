"""Pictures of what layers give: apart from the maps of what moved the answer, by layer and by unit."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from auditor.store import Record
from auditor.types import Image, Outcome, Result, Status
from reports.images import strength
from reports.pillars.pictures import activation_rows, picture_rows
from tests.reports.records import record

PIXELS = np.full((8, 8, 3), 200, np.uint8)
ROW, UNIT = "row 3: cat, called dog (0.91)", "unit 7 of <b>conv</b>: row 3 (2.5)"


def seen(*images: Image, check: str = "explain.activations") -> tuple[Record, Outcome]:
    """An audit in which one check shows these images of 8 by 8 pixels."""
    found = record()
    outcome = Outcome(check, "Activations", "", Status.MEASURED, "", result=Result((), images=images))
    arrays = {i.array: PIXELS if i.role == "original" else np.eye(4, dtype=np.float32) for i in images}
    return replace(found, arrays={**found.arrays, **arrays}), outcome


def images() -> tuple[Image, ...]:
    return (
        Image(ROW, "samples/row-3", "original", "The image"),
        Image(ROW, "explain.activations/a", "features", "layer1.0: mean size of what the layer gives"),
        Image(ROW, "explain.activations/b", "features", "layer2.0: mean size of what the layer gives"),
        Image(UNIT, "samples/row-3", "original", "The image of row 3"),
    )


def test_each_map_is_named_by_its_layer_and_each_unit_has_its_row() -> None:
    (folded,) = activation_rows(*seen(*images()))

    assert [(r.title, [c.name for c in r.cells]) for r in folded.blocks] == [
        ("Cat, called dog (0.91)", ["Original", "layer1.0", "layer2.0"]),
        ("Unit 7 of <b>conv</b>", ["row 3 (2.5)"]),
    ]


def test_they_are_no_maps_of_what_moved_the_answer() -> None:
    found, outcome = seen(*images())

    assert picture_rows(found, [outcome], {}) == []


def test_a_check_without_pictures_shows_none() -> None:
    assert activation_rows(*seen()) == []


@pytest.mark.parametrize(("sizes", "corner", "next_to_it"), [([[2.0, 1.0]], 255, 128), ([[0.0, 0.0]], 0, 0)])
def test_white_is_the_largest_and_black_is_nothing(sizes: list[list[float]], corner: int, next_to_it: int) -> None:
    data = strength(np.array(sizes)).partition("base64,")[2]
    shown = np.asarray(Pillow.open(io.BytesIO(base64.b64decode(data))).convert("L"))

    assert abs(int(shown[2, 2]) - corner) < 6
    assert abs(int(shown[2, -3]) - next_to_it) < 6


def test_further_maps_of_a_method_are_named_by_what_they_show() -> None:
    own = Image(ROW, "samples/row-3", "original", "The image")
    maps = (
        Image(ROW, "a", "map", "Activations for dog; strongest in the centre"),
        Image(ROW, "b", "map", "Input x gradient for dog; strongest in the centre"),
        Image(ROW, "c", "map", "Grad-CAM for dog on a grid of 4 by 4, layer body.1; strongest in the centre"),
    )
    found, outcome = seen(own, *maps, check="explain.smoothgrad")
    (row,) = picture_rows(found, [outcome], {})

    assert row.title == "Cat, called dog (0.91)"
    assert [c.name for c in row.cells] == ["Original", "Activations", "Input x gradient", "layer body.1"]
