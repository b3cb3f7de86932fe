"""Colours that can be read: contrast of every text and mark colour on the page, light and dark (WCAG 2.2)."""

from __future__ import annotations

import re

import pytest

from reports.rendering import stylesheet

TEXT = ("ink", "soft", "fail", "warn", "pass", "und", "link")
MARKS = ("s1", "up", "down", "fail", "warn", "pass", "und")


def palette(scheme: str) -> dict[str, str]:
    blocks = re.findall(r":root \{(.*?)\}", stylesheet(), re.DOTALL)
    block = blocks[0 if scheme == "light" else 1]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})\b", block))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", TEXT)
def test_text_has_at_least_four_and_a_half_to_one(scheme: str, name: str) -> None:
    assert contrast(palette(scheme)[name], palette(scheme)["paper"]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", MARKS)
def test_marks_have_at_least_three_to_one(scheme: str, name: str) -> None:
    assert contrast(palette(scheme)[name], palette(scheme)["paper"]) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tint", ["h0", "h1", "h2", "h3", "h4"])
def test_figures_can_be_read_on_every_tint(scheme: str, tint: str) -> None:
    assert contrast(palette(scheme)["ink"], palette(scheme)[tint]) >= 4.5


DECORATION = ("paper", "rule", "hair", "zone", "band")  # what they show stands in words or marks, too
TINTS = ("h0", "h1", "h2", "h3", "h4", "p1", "p2", "p3", "p4", "n1", "n2", "n3", "n4")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tint", TINTS)
def test_words_can_be_read_on_every_tint(scheme: str, tint: str) -> None:
    assert contrast(palette(scheme)["ink"], palette(scheme)[tint]) >= 4.5


FONTS = {"serif", "sans", "mono"}


def roles(block: str) -> set[str]:
    return set(re.findall(r"--([\w-]+):", block)) - FONTS


def test_every_role_has_a_colour_in_light_and_dark_and_is_looked_at_here() -> None:
    light, dark, forced = re.findall(r":root \{(.*?)\}", stylesheet(), re.DOTALL)[:3]
    known = {*TEXT, *MARKS, *TINTS, *DECORATION}

    assert roles(light) == roles(dark) == known
    assert roles(forced) == known - set(TINTS)  # a forced palette leaves tints out: they only repeat the figures
    assert "#" not in forced


def test_charts_and_page_use_no_colour_but_by_its_role() -> None:
    rules = re.sub(r":root \{.*?\}", "", stylesheet(), flags=re.DOTALL)

    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", rules) == []
    assert set(re.findall(r"var\(--([\w-]+)\)", rules)) <= {*TEXT, *MARKS, *TINTS, *DECORATION, *FONTS}
