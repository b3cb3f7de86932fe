"""Charts put marks where the figures are."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from reports.charts import Bar, Dot, Line, bars, curve, figure_svg, forest, mini, units

NUMBER = r"-?\d+\.?\d*"


def drawn(draw: object, width: int = 640) -> ET.Element:
    _, body = draw(width)
    return ET.fromstring(f"<svg>{body}</svg>")


def circles(svg: ET.Element) -> list[tuple[float, float]]:
    return [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in svg.iter("circle")]


def test_a_forest_is_linear_and_its_whiskers_end_at_the_interval() -> None:
    rows = [Dot("a", 0.0, 0.0, 0.5, "pass"), Dot("b", 0.5, 0.25, 1.0, "pass"), Dot("c", 1.0, 1.0, 1.0, "pass")]
    svg = drawn(forest(rows, (0.0, 1.0)))
    (x0, _), (x1, _), (x2, _) = circles(svg)
    whiskers = [re.findall(NUMBER, p.get("d", "")) for p in svg.iter("path") if p.get("class", "").startswith("w ")]

    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert float(whiskers[1][0]) == pytest.approx((x0 + x1) / 2, abs=0.11)  # the low end, .25
    assert float(whiskers[1][2]) == pytest.approx(x2, abs=0.11)  # the high end, 1


def test_values_beyond_the_scale_stay_on_it() -> None:
    (x, _), (end, _) = circles(
        drawn(forest([Dot("a", 9.0, 8.0, 10.0, "pass"), Dot("b", 1.0, 1.0, 1.0, "pass")], (0.0, 1.0)))
    )

    assert x == end


@pytest.mark.parametrize(
    ("status", "shape"), [("fail", "l6 6-6 6-6-6z"), ("warn", "l6 10.5h-12z"), ("pass", None), ("inconclusive", None)]
)
def test_shape_says_the_same_as_colour(status: str, shape: str | None) -> None:
    svg = drawn(forest([Dot("a", 0.5, 0.4, 0.6, status)], (0.0, 1.0), 0.45))
    marks = [p for p in svg.iter() if p.get("class") == f"m {status}"]

    assert len(marks) == 1
    assert (marks[0].tag == "path" and shape in marks[0].get("d", "")) if shape else marks[0].tag == "circle"


def test_the_tint_is_on_the_side_that_does_not_pass() -> None:
    below, above = (
        next(r for r in drawn(forest([Dot("a", 0.5, 0.4, 0.6, "pass")], (0.0, 1.0), 0.3, side)).iter("rect"))
        for side in ("below", "above")
    )

    assert float(below.get("width", 0)) / float(above.get("width", 0)) == pytest.approx(0.3 / 0.7, rel=0.01)


def test_a_curve_has_a_step_an_audited_size_and_a_band_that_holds_it() -> None:
    line = Line("attack", [1.0, 0.5, 0.0], "s1", [0.9, 0.4, 0.0], [1.0, 0.6, 0.1])
    svg = drawn(curve(["0", "1/255", "2/255"], [line, Line("noise", [1.0, 1.0, 0.9], "s2")], "size"))
    points = circles(svg)
    band = [tuple(map(float, p.split(","))) for p in next(svg.iter("polygon")).get("points", "").split()]

    assert points[1][0] - points[0][0] == pytest.approx(points[2][0] - points[1][0], abs=0.11)
    assert points[1][1] == pytest.approx((points[0][1] + points[2][1]) / 2, abs=0.11)
    for i, (x, y) in enumerate(points):
        high, low = band[i], band[-1 - i]
        assert high[0] == low[0] == x
        assert high[1] - 0.1 <= y <= low[1] + 0.1
    assert {"attack", "noise"} <= {t.text for t in svg.iter("text")}


@pytest.mark.parametrize("gap_at", range(5))
def test_names_of_lines_lie_inside_the_picture_on_a_phone(gap_at: int) -> None:
    """They stand where the lines are furthest apart, which may be anywhere."""
    attack = Line("strongest attack", [0.9 if i != gap_at else 0.1 for i in range(5)], "s1")
    svg = drawn(curve(list("01234"), [attack, Line("random change", [1.0] * 5, "s2")], "size"), 330)
    names = [t for t in svg.iter("text") if t.get("class") == "lab"]

    assert [t.text for t in names] == ["strongest attack", "random change"]
    for t in names:
        wide = 7 * len(t.text or "") * (-1 if t.get("text-anchor") == "end" else 1)
        assert min(float(t.get("x", 0)), float(t.get("x", 0)) + wide) >= 0
        assert max(float(t.get("x", 0)), float(t.get("x", 0)) + wide) <= 330


def test_bars_start_at_nothing_and_their_sign_is_their_look() -> None:
    svg = drawn(bars([Bar("up", 0.2, 0.1, 0.3), Bar("down", -0.1, -0.1, -0.1)], "lowers", "raises"))
    rise, fall = svg.iter("rect")

    assert (rise.get("class"), fall.get("class")) == ("up", "down")
    assert float(rise.get("width", 0)) == pytest.approx(2 * float(fall.get("width", 0)), rel=0.02)
    zero = float(rise.get("x", 0))
    assert float(fall.get("x", 0)) + float(fall.get("width", 0)) == pytest.approx(zero, abs=0.2)
    assert len([p for p in svg.iter("path") if p.get("class") == "err"]) == 1
    assert "\N{MINUS SIGN}0.100" in {t.text for t in svg.iter("text")}


def test_a_chart_is_named_and_described_for_wide_and_for_narrow_screens() -> None:
    html = figure_svg("k", "A <title>", "What it says", forest([Dot("a", 0.5, 0.4, 0.6, "pass")], (0.0, 1.0)))

    assert html.count("<svg") == 2
    assert 'aria-labelledby="k-wt"' in html and 'aria-describedby="k-nd"' in html
    assert "A &lt;title&gt;" in html


def test_labels_are_text_and_cut_where_they_do_not_fit() -> None:
    (label,) = [
        t.text
        for t in drawn(forest([Dot("<b>" * 40, 0.5, 0.4, 0.6, "pass")], (0.0, 1.0))).iter("text")
        if t.get("class") == "lab"
    ]

    assert label.startswith("<b><b>") and label.endswith("…")
    assert len(label) < 30


def test_small_pictures_of_findings_and_limits() -> None:
    assert "limit 0.8" in mini(Dot("", 0.5, 0.4, 0.6, "fail"), 0.8, "below", (0.0, 1.0))
    assert "limit" not in mini(Dot("", 0.5, 0.4, 0.6, "measured"), None, "below", (0.0, 1.0))
    assert units(["fail", "pass", "pass"], "3 limits").count("<circle") == 2
