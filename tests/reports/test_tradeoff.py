"""Accuracy against gaps: points where the figures are, the way between them, and only what both audits know."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from auditor.comparing.changes import changes
from auditor.stats import difference, rate
from auditor.store import Record
from auditor.types import Measure
from reports.compare import render
from reports.comparing.tradeoff import tradeoff_section
from reports.html import render as render_report
from reports.parts import Section
from reports.pillars.tradeoff import steps_of, tradeoff
from reports.plane import HEIGHT, WIDTH, Plane, Spot, plane_svg, span_of
from reports.words import MINUS
from tests.reports.compared import ACCURACY, GROUPS, outcome, record
from tests.reports.test_html import Page

NUMBER = r"-?\d+\.?\d*"
DP, EO, ODDS = "demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference"
TRADEOFF = "fairness.tradeoff"


# ---- the chart ---------------------------------------------------------------------------------------------------
def drawn(*spots: Spot, path: tuple[tuple[float, float], ...] = (), arrow: bool = True) -> ET.Element:
    plane = Plane(spots, path, (0.0, 1.0), (0.0, 1.0), ("accuracy", "gap"), arrow)
    return ET.fromstring(plane_svg("k", "A title", "What it says", plane))


def spot(name: str, x: float, y: float, kind: str = "s1") -> Spot:
    return Spot(name, (x, x - 0.05, x + 0.1), (y, y - 0.1, y + 0.05), kind)


def points(svg: ET.Element) -> list[tuple[float, float]]:
    big = (c for c in svg.iter("circle") if c.get("r") == "4.6")
    return [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in big]


def numbers(svg: ET.Element, cls: str) -> list[list[float]]:
    return [[float(n) for n in re.findall(NUMBER, p.get("d", ""))] for p in svg.iter("path") if p.get("class") == cls]


def test_points_and_their_bars_are_on_the_scales() -> None:
    svg = drawn(spot("before", 0.5, 0.5), spot("after", 0.25, 0.25, "s3"))
    (x0, y0), (x1, y1) = points(svg)
    wide, tall = (x0 - x1) / 0.25, (y1 - y0) / 0.25
    (bars,) = numbers(svg, "w s1")

    assert wide > 0 and tall > 0  # accuracy to the right, the gap upwards
    assert bars[0] == pytest.approx(x0 - 0.05 * wide, abs=0.2) and bars[2] == pytest.approx(x0 + 0.1 * wide, abs=0.2)
    upright = sorted(bars[i] for i in (10, 11))
    assert upright == pytest.approx([y0 - 0.05 * tall, y0 + 0.1 * tall], abs=0.2)
    assert [t.text for t in svg.iter("title")] == ["A title"]
    assert [t.text for t in svg.iter("desc")] == ["What it says"]
    assert (svg.get("aria-labelledby"), svg.get("aria-describedby")) == ("kt", "kd")


@pytest.mark.parametrize(("x", "y"), [(0.1, 0.9), (0.9, 0.1), (0.9, 0.9), (0.5, 0.1), (0.1, 0.5)])
def test_the_arrow_leads_from_the_first_point_to_the_second(x: float, y: float) -> None:
    svg = drawn(spot("before", 0.5, 0.5), spot("after", x, y))
    (a, b), (c, d) = points(svg)
    ((*start, tip_x, tip_y),) = [n[:4] for n in numbers(svg, "arrow")]

    def apart(p: tuple[float, float], q: tuple[float, float]) -> float:
        return ((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2) ** 0.5

    whole = apart((a, b), (c, d))
    assert apart((start[0], start[1]), (a, b)) == pytest.approx(9, abs=0.2)
    assert apart((tip_x, tip_y), (c, d)) == pytest.approx(9, abs=0.2)
    assert apart((start[0], start[1]), (tip_x, tip_y)) == pytest.approx(whole - 18, abs=0.3)


def test_points_that_nearly_lie_on_each_other_have_no_arrow() -> None:
    assert numbers(drawn(spot("before", 0.5, 0.5), spot("after", 0.51, 0.5)), "arrow") == []
    assert numbers(drawn(spot("a", 0.1, 0.1), spot("b", 0.9, 0.9), arrow=False), "arrow") == []


@pytest.mark.parametrize("x", [0.06, 0.5, 0.9])
@pytest.mark.parametrize("y", [0.11, 0.5, 0.94])
@pytest.mark.parametrize(("dx", "dy"), [(0.0, 0.0), (0.04, 0.0), (0.0, 0.05), (-0.04, -0.05), (0.03, -0.05)])
def test_names_lie_inside_the_picture_and_not_on_each_other(x: float, y: float, dx: float, dy: float) -> None:
    svg = drawn(spot("before", x, y), spot("after", x + dx, y + dy))
    placed = {}
    for t in svg.iter("text"):
        if t.text in {"before", "after"}:
            left = float(t.get("x", 0)) - (40 if t.get("text-anchor") == "end" else 0)
            placed[t.text] = (left, float(t.get("y", 0)))

    assert len(placed) == 2
    assert all(left >= 0 and left + 40 <= WIDTH and 10 <= y <= HEIGHT - 30 for left, y in placed.values())
    (a, b), (c, d) = placed.values()
    assert abs(a - c) > 38 or abs(b - d) > 11


@pytest.mark.parametrize(("x", "y"), [(0.6, 0.4), (0.6, 0.6), (0.4, 0.6), (0.4, 0.4)])
def test_names_lie_off_the_path(x: float, y: float) -> None:
    svg = drawn(spot("before", 0.5, 0.5), spot("after", 1 - x, 1 - y), path=((0.5, 0.5), (x, y)))
    dots = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in svg.iter("circle") if c.get("r") == "2.2"]
    for t in svg.iter("text"):
        if t.text in {"before", "after"}:
            left, base = float(t.get("x", 0)) - (40 if t.get("text-anchor") == "end" else 0), float(t.get("y", 0))
            assert not any(left < a < left + 36 and base - 9 < b < base + 2 for a, b in dots)


def test_a_path_goes_through_its_points() -> None:
    svg = drawn(spot("a", 0.2, 0.8), path=((0.2, 0.8), (0.4, 0.4), (0.6, 0.0)), arrow=False)
    (line,) = svg.iter("polyline")
    found = [tuple(map(float, p.split(","))) for p in line.get("points", "").split()]

    assert found[0] == pytest.approx(points(svg)[0], abs=0.11)
    assert found[1][0] - found[0][0] == pytest.approx(found[2][0] - found[1][0], abs=0.11)
    assert len([c for c in svg.iter("circle") if c.get("r") == "2.2"]) == 3


def test_a_scale_holds_every_interval_and_begins_at_zero_where_it_may() -> None:
    low, high = span_of([(0.1, 0.05, 0.2), (0.3, 0.25, 0.4)], zero=True)
    assert low == 0 and 0.4 < high < 0.5
    low, high = span_of([(0.1, -0.05, 0.2)], zero=True)
    assert low < -0.05
    low, high = span_of([(0.8, 0.8, 0.8)])
    assert low < 0.8 < high


# ---- the comparison ----------------------------------------------------------------------------------------------
def sides(*gaps: Measure, right: int = 80, steps: tuple[Measure, ...] = ()) -> Record:
    outcomes = [outcome(ACCURACY, rate("accuracy", right, 100)), outcome(GROUPS, *gaps)]
    return record(*outcomes, *([outcome(TRADEOFF, *steps)] if steps else []))


def by(name: str, first: int, second: int, attribute: str = "sex") -> Measure:
    return difference(name, (first, 50), (second, 50), slice=attribute)


BEFORE = sides(by(DP, 40, 10), by(EO, 45, 30), by(ODDS, 45, 25))
AFTER = sides(by(DP, 22, 20), by(EO, 35, 34), by(ODDS, 35, 30), right=75)


def section(before: Record, after: Record) -> Section | None:
    return tradeoff_section(before.audit, after.audit, changes(before, after), ("Before", "After"))


def test_each_gap_has_a_picture_with_both_figures_and_the_answer_says_them() -> None:
    found = section(BEFORE, AFTER)
    assert found is not None
    _, multiples = found.blocks
    grid = multiples.figures.blocks[0]

    assert found.answer == (
        "Accuracy went from 0.800 to 0.750. By sex, the gap in favourable answers from 0.600 to 0.040, that in true "
        "positive rates from 0.300 to 0.020, that in rates of errors from 0.400 to 0.100."
    )
    assert [c.title for c in multiples.charts] == [
        "Gap in favourable answers by sex", "Gap in true positive rates by sex", "Gap in rates of errors by sex",
    ]  # fmt: skip
    assert multiples.charts[0].answer == "From 0.600 to 0.040, accuracy from 0.800 to 0.750."
    assert grid.columns == ("figure", "before", "95 % interval", "after", "95 % interval", "difference")
    assert grid.rows[1][:2] == ["gap in favourable answers", "0.600"] and grid.rows[1][3] == "0.040"
    assert grid.rows[0][5].startswith(f"{MINUS}0.050 ({MINUS}0.1")
    svg = ET.fromstring(multiples.charts[0].svg)
    (a, b), (c, d) = points(svg)
    assert c < a and d > b and len(numbers(svg, "arrow")) == 1


def test_the_page_shows_it_in_every_comparison_that_has_the_figures() -> None:
    found = Page(render(BEFORE, AFTER, ("First", "Second")))

    assert "Accuracy against gaps" in found.words and "Gap in favourable answers by sex" in found.words
    assert {"first", "second"} <= set(found.words.split())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (record(outcome(GROUPS, by(DP, 40, 10))), AFTER),
        (BEFORE, record(outcome(ACCURACY, rate("accuracy", 80, 100)))),
        (sides(Measure(DP, "sex", None, 100, better="lower")), AFTER),
        (sides(by(DP, 40, 10, "race")), sides(by(DP, 40, 10, "sex"))),
        (sides(by(DP, 40, 10, "sex&class=a")), sides(by(DP, 40, 10, "sex&class=a"))),
    ],
)
def test_what_one_side_does_not_know_is_not_drawn(before: Record, after: Record) -> None:
    assert section(before, after) is None
    assert "Accuracy against gaps" not in render(before, after)


def test_a_gap_without_an_interval_is_a_point() -> None:
    bare = replace(by(DP, 40, 10), low=None, high=None, method="", counts=())
    found = section(sides(bare), AFTER)
    assert found is not None
    bars = numbers(ET.fromstring(found.blocks[1].charts[0].svg), "w s1")[0]

    assert bars[10] == bars[11]


def test_the_attribute_that_a_wrapper_reads_comes_first() -> None:
    both = [sides(by(DP, 40, k, "sex"), by(DP, 30, k, "race")) for k in (10, 25)]
    model = {"wrapper": "group_thresholds", "wrapper_reads": "race"}
    after = replace(both[1], audit=replace(both[1].audit, subject={**both[1].audit.subject, "model": model}))

    first = [section(both[0], a) for a in (both[1], after)]
    assert [s.blocks[1].title for s in first if s] == ["By sex", "By race"]
    assert [s.blocks[2].summary for s in first if s] == ["The same by race", "The same by sex"]


def step(attribute: str, name: str, strength: str, right: int, first: int) -> tuple[Measure, Measure]:
    about = f"{attribute}&criterion=demographic_parity&strength={strength}"
    return rate("accuracy", right, 100, slice=about), difference(name, (first, 50), (10, 50), slice=about)


STEPS = (*step("sex", DP, "1", 70, 11), *step("sex", DP, "0", 80, 40), *step("sex", DP, "0.5", 78, 22))


def test_thresholds_of_the_first_model_are_a_line_beside_the_arrow() -> None:
    found = section(sides(by(DP, 40, 10), by(EO, 45, 30), steps=STEPS), AFTER)
    assert found is not None
    charts = found.blocks[1].charts
    (line,) = ET.fromstring(charts[0].svg).iter("polyline")

    assert len(line.get("points", "").split()) == 3
    assert list(ET.fromstring(charts[1].svg).iter("polyline")) == []
    assert "The dashed line is what thresholds by group" in found.blocks[1].note
    without = section(BEFORE, AFTER)
    assert without is not None and "dashed" not in without.blocks[1].note


def test_names_that_try_to_break_out_are_text() -> None:
    odd = '"><img src=x onerror=alert(2)>'
    html = render(sides(by(DP, 40, 10, odd)), sides(by(DP, 22, 20, odd)))

    assert "<img" not in html and "&lt;img src=x" in html


# ---- one audit ---------------------------------------------------------------------------------------------------
def test_steps_are_read_in_order_and_what_is_none_is_left_out() -> None:
    odd = Measure(DP, "sex&criterion=demographic_parity&strength=many", 0.5, 10)
    unknown = Measure(DP, "sex&criterion=demographic_parity&strength=0.75", None, 10)
    found = steps_of(outcome(TRADEOFF, *STEPS, odd, unknown, rate("accuracy", 1, 2)))

    assert list(found) == [("sex", DP)]
    figures = [(s.strength, s.accuracy.counts[0], s.gap.counts[0]) for s in found["sex", DP]]
    assert figures == [(0.0, 80, 40), (0.5, 78, 22), (1.0, 70, 11)]
    assert steps_of(None) == {}


def test_a_tiny_strength_is_a_step_too() -> None:
    found = steps_of(outcome(TRADEOFF, *step("sex", DP, f"{1e-5:g}", 80, 40)))

    assert [s.strength for s in found["sex", DP]] == [1e-5]


def test_a_report_draws_the_way_of_each_attribute() -> None:
    race = (*step("race", DP, "0", 80, 30), *step("race", DP, "1", 79, 12))
    head, first, folded = tradeoff(outcome(TRADEOFF, *STEPS, *race))

    assert head.check == TRADEOFF
    assert first.title == "What closing a gap by sex would cost"
    assert first.charts[0].answer == "From 0.600 to 0.020, accuracy from 0.800 to 0.700."
    assert [row[1] for row in first.figures.blocks[0].rows] == ["0", "0.5", "1"]
    assert folded.summary == "The same by race"
    words = Page(render_report(sides(by(DP, 40, 10), steps=STEPS))).words
    assert "What closing a gap by sex would cost" in words and "as it is" in words
