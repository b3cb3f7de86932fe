"""Corruptions in the report: the hardest first, one severity in sight, nothing invented where a figure is not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from auditor.store import Record
from auditor.types import Image, Measure, Outcome, Result, Status, Table
from reports.html import render
from reports.parts import Chart, Folded, Pictures, Prose
from reports.pillars.corruption import corruption_answer, corruption_blocks
from tests.reports.records import record
from tests.reports.test_html import Page

LEVELS = {"clean_accuracy": 0.9, "corruption_accuracy": 0.6, "spatial_accuracy": 0.2, "mean_spatial_accuracy": 0.5}
TABLES = (
    Table("Accuracy by corruption", ("corruption", "accuracy", "n"), (("fog", 0.8, 10), ("snow", 0.4, 10))),
    Table("Accuracy by severity", ("corruption", "severity 3", "n"), (("fog", 0.8, 10), ("snow", 0.4, 10))),
)


def outcome(levels: dict[str, float | None], images: tuple[Image, ...] = ()) -> Outcome:
    alone = tuple(Measure(name, "", value, 10, 0.1, 0.95) for name, value in levels.items())
    families = tuple(
        Measure("corruption_accuracy", f"corruption={f}", v, 10, 0.1, 0.95) for f, v in (("fog", 0.8), ("snow", 0.4))
    )
    result = Result((*alone, *families), TABLES, images)
    return Outcome("robustness.corruption", "Accuracy under corruptions", "", Status.MEASURED, "", {}, (), result)


def shown(o: Outcome, **arrays: np.ndarray) -> list[object]:
    return corruption_blocks(Record(record().audit, arrays, {}), o)


def test_the_hardest_corruption_stands_first_and_in_the_answer() -> None:
    found = outcome(LEVELS)
    (chart,) = [b for b in shown(found) if isinstance(b, Chart)]

    assert corruption_answer(found) == (
        "Corruptions that nobody aims bring the accuracy from 0.90 to 0.60 on average, snow to 0.40."
    )
    assert chart.svg.index(">all of them<") < chart.svg.index(">snow<") < chart.svg.index(">fog<")
    assert "as they are, 0.90" in chart.note
    assert any("worst for each row leaves an accuracy of 0.20" in b.text for b in shown(found) if isinstance(b, Prose))


def test_figures_that_are_not_known_are_not_said() -> None:
    found = outcome(LEVELS | {"corruption_accuracy": None, "spatial_accuracy": None})

    assert corruption_answer(found) == ""
    assert not any(isinstance(b, Prose) for b in shown(found))
    assert any(isinstance(b, Chart) for b in shown(found))


def test_one_severity_is_in_sight_and_the_others_are_folded() -> None:
    names = [(s, f) for s in (1, 3, 5) for f in ("fog", "snow")]
    images = tuple(Image(f"row 7 at severity {s}", f"x/{s}-{f}", "corrupted", f"{f}, called <b>") for s, f in names)
    arrays = {f"x/{s}-{f}": np.full((8, 8, 3), 40 * s, np.uint8) for s, f in names}
    blocks = shown(outcome(LEVELS, images), **arrays)
    (open_one,) = [b for b in blocks if isinstance(b, Pictures)]
    folded = [inner for b in blocks if isinstance(b, Folded) for inner in b.blocks if isinstance(inner, Pictures)]

    assert open_one.title == "Row 7 at severity 3"
    assert [(c.name, c.note) for c in open_one.cells] == [("Fog", "called <b>"), ("Snow", "called <b>")]
    assert [p.title for p in folded] == ["Row 7 at severity 1", "Row 7 at severity 5"]


def test_the_page_of_a_real_audit_has_it_and_keeps_texts_text() -> None:
    found = record()
    checked = found.audit.outcome("robustness.corruption")
    assert checked is not None
    assert checked.result is not None
    hostile = tuple(replace(i, alt=f"fog, called <script>{k}</script>") for k, i in enumerate(checked.result.images))
    audit = found.audit.with_outcome(replace(checked, result=replace(checked.result, images=hostile)))
    page = Page(render(replace(found, audit=audit)))

    assert any("at severity 3" in text for text in page.text)
    assert "called <script>0</script>" in page.text
    assert "script" not in {tag for tag, _ in page.elements}
