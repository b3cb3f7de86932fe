"""Models of columns as a whole: charts have their marks where the figures are, words say what the figures say."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from auditor.types import Measure, Outcome, Result, Status, Table
from reports.html import render
from reports.lines import Moves, Pair, moves_svg, paired
from reports.parts import Chart, Folded, Grid, Prose
from reports.pillars.behaviour import Multiples, behaviour_blocks, reliance
from reports.pillars.explanations import explanations
from tests.reports.records import HOSTILE, audited, hostile, record
from tests.zoo import categories, linear_table

RISING = Moves("age", [20.0, 40.0, 60.0], [-0.2, 0.0, 0.2], [-0.3, 0.0, 0.1], [-0.1, 0.0, 0.3], [-0.1, 0.0, 0.1])
CITY = Moves("city", ["x", "y"], [0.3, -0.1], [0.2, -0.2], [0.4, 0.0], [None, None])
IMPORTANCE = ("column", "permutation", "low", "high", "conditional", "from", "to", "answer moves by")


def of(check: str, *tables: Table, caveats: tuple[str, ...] = (), measures: tuple[Measure, ...] = ()) -> Outcome:
    return Outcome(check, "Title", "", Status.MEASURED, "", result=Result(measures, tables, (), caveats))


def drawn(m: Moves, span: tuple[float, float] = (-0.4, 0.4)) -> ET.Element:
    return ET.fromstring(str(moves_svg("k", m, span, "what it says")))


def points(svg: ET.Element, cls: str) -> list[tuple[float, float]]:
    (found,) = [p for p in svg.iter() if p.get("class") == cls and p.get("points")]
    return [(float(a), float(b)) for a, b in (p.split(",") for p in found.get("points", "").split())]


# ---- small charts ------------------------------------------------------------------------------------------------
def test_a_line_lies_in_its_band_and_its_values_are_to_scale() -> None:
    svg = drawn(RISING)
    line, local, band = points(svg, "s1"), points(svg, "s2"), points(svg, "band")

    assert line[1][0] - line[0][0] == pytest.approx(line[2][0] - line[1][0], abs=0.11)
    assert line[0][1] - line[1][1] == pytest.approx(2 * (local[0][1] - local[1][1]), abs=0.21)
    for i, (x, y) in enumerate(line):
        high, low = band[i], band[-1 - i]
        assert high[0] == low[0] == x and high[1] <= y <= low[1]
    assert {"20", "40", "60"} <= {t.text for t in svg.iter("text")}


def test_values_that_would_lie_on_one_spot_stand_at_equal_steps() -> None:
    skewed = replace(RISING, at=[0.0, 1.0, 2.0, 3.0, 4.0, 99_999.0], **{
        name: [0.0] * 6 for name in ("values", "low", "high", "local")
    })  # fmt: skip
    x = [a for a, _ in points(drawn(skewed), "s1")]

    assert not skewed.to_scale and RISING.to_scale
    assert [b - a for a, b in pairwise(x)] == pytest.approx([x[1] - x[0]] * 5, abs=0.11)


def test_values_without_an_order_are_dots_from_low_to_high() -> None:
    svg = drawn(CITY)
    dots = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in svg.iter("circle")]
    labels = [t.text for t in svg.iter("text") if t.get("class") == "lab"]

    assert labels == ["y", "x"]
    assert dots[0][0] < dots[1][0] and dots[0][1] < dots[1][1]


def test_names_are_text() -> None:
    svg = str(moves_svg("k", replace(CITY, name=HOSTILE[0], at=[HOSTILE[1], "y"]), (-0.4, 0.4), HOSTILE[0]))
    plain = moves_svg("k", CITY, (-0.4, 0.4), "city")
    tags, expected = ([e.tag for e in ET.fromstring(str(s)).iter()] for s in (svg, plain))

    assert "<script" not in svg and "<img" not in svg
    assert tags == expected  # they draw nothing of their own


def test_charts_are_small_files() -> None:
    many = [i / 32 for i in range(32)]
    wide = Moves("x", many, many, many, many, many)
    pairs = [Pair(f"column {i}", (0.1, 0.0, 0.2), (0.1, 0.0, 0.2), "s1", "0.100") for i in range(15)]

    assert len(str(moves_svg("k", wide, (-1.0, 1.0), ""))) < 12_000
    assert all(len(str(paired(pairs, (0.0, 0.3))(w)[1])) < 12_000 for w in (640, 330))


def test_of_a_pair_the_first_is_filled_and_above_the_second() -> None:
    _, body = paired([Pair("a", (0.2, 0.1, 0.3), (0.1, 0.1, 0.1), "s1", "0.200")], (0.0, 0.4))(640)
    first, second = ET.fromstring(f"<svg>{body}</svg>").iter("circle")

    assert (first.get("class"), second.get("class")) == ("m s1", "m measured")
    assert float(first.get("cy", 0)) < float(second.get("cy", 0))
    assert float(first.get("cx", 0)) > float(second.get("cx", 0))
    whiskers = re.findall(r'class="w ', str(body))
    assert len(whiskers) == 1  # no interval, no bar


# ---- what the section says ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("loss", "caveat", "says"),
    [
        (0.031, "", "its accuracy falls by 0.03"),
        (2.5, "Curves, and how far the answer moves, are of the value, over 9 rows.", "its mean error rises by 2.50"),
    ],
)
def test_what_the_model_relies_on_most(loss: float, caveat: str, says: str) -> None:
    row = ("age", loss, 0.01, 0.1, 0.0, None, None, 0.2)

    said = reliance([of("explain.global", Table("t", IMPORTANCE, (row,)), caveats=(caveat,))])

    assert said.startswith(f"The model relies most on age: without knowing it, {says} (95 % interval 0.01 to 0.10)")
    assert said.endswith(" and the answer moves by 0.20 where its values are exchanged.")


def test_a_model_that_relies_on_nothing_is_not_said_to_rely() -> None:
    row = ("age", 0.0, None, None, 0.0, None, None, 0.0)
    outcome = of("explain.global", Table("t", IMPORTANCE, (row,)))

    assert reliance([outcome]) == ""
    assert reliance([]) == ""
    (chart,) = [b for b in behaviour_blocks(outcome) if isinstance(b, Chart)]
    assert "no interval lies above 0" in chart.answer


def test_where_accuracy_tells_nothing_the_answer_does() -> None:
    row = ("age", -0.02, -0.03, 0.01, 0.0, None, None, 0.07)

    assert reliance([of("explain.global", Table("t", IMPORTANCE, (row,)))]) == (
        "The answer moves most with age: by 0.07 where its values are exchanged."
    )


def test_rules_carry_their_interval_and_what_they_are_held_against() -> None:
    rule = ("age > 43", "yes", 0.25, 0.9, 0.85, 0.94, 1200)
    columns = ("rule", "answer", "share of rows", "precision", "low", "high", "rows")
    measures = (
        Measure("fidelity", "", 0.95, 1200, 0.93, 0.97),
        Measure("majority", "", 0.6, 1200),
        Measure("stability", "", 0.8, 5),
    )
    _, prose, grid = behaviour_blocks(of("explain.rules", Table("Rules", columns, (rule,)), measures=measures))

    assert isinstance(prose, Prose) and isinstance(grid, Grid)
    assert prose.text == (
        "1 rule follows the model in 0.95 (0.93 to 0.97) of 1,200 rows not learnt from; always naming its commonest "
        "answer does in 0.60. Of its rules 0.80 come again with other rows."
    )
    assert grid.rows == [["age > 43", "yes", "0.90 (0.85 to 0.94) of 1,200 rows", "0.25"]]


def test_where_there_are_no_rules_only_the_fidelity_is_said() -> None:
    measures = (Measure("fidelity", "", 0.7, 90), Measure("stability", "", 0.1, 5))
    _, prose = behaviour_blocks(of("explain.rules", measures=measures))

    assert prose.text == "The best small tree follows the model's values with an R2 of 0.70."


def test_an_audit_of_columns_shows_its_charts_and_all_their_figures() -> None:
    section = explanations(audited(categories()))
    (found,) = [b for b in section.blocks if isinstance(b, Multiples)]

    assert [c.title for c in found.charts] == ["age", "city", "member"]
    assert isinstance(found.figures, Folded) and [len(g.rows) for g in found.figures.blocks] == [8, 3, 2]
    assert found.figures.blocks[1].rows[0][0] == "x"
    assert "The model relies most on" in explanations(audited(linear_table())).answer


def test_images_have_no_such_charts() -> None:
    assert not any(isinstance(b, Multiples) for b in explanations(record()).blocks)


def test_hostile_names_stay_text_on_the_page() -> None:
    page = render(hostile())

    assert 'class="multiples"' in page
    assert "<script>alert" not in page and "<img src=x" not in page
