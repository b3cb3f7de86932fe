"""The sample reports, and one of 500 findings, as people open them: in a browser, by keyboard, on a phone, on paper."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from reports.html import render
from tests.reports.large import large

SAMPLES = Path(__file__).resolve().parents[2] / "reports" / "samples"
NAMES = ("credit", "digits", "digits-compare", "large")
REPORTS = ("credit", "digits", "large")
OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true)"
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    path = tmp_path_factory.mktemp("pages") / "large.html"
    path.write_text(render(large()), "utf-8")
    return {**{name: SAMPLES / f"{name}.html" for name in NAMES}, "large": path}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_fetched_and_nothing_is_logged(browser: Any, pages: dict[str, Path], name: str) -> None:
    page = browser.new_context(offline=True).new_page()
    requests: list[str] = []
    messages: list[str] = []
    page.on("request", lambda r: requests.append(r.url))
    page.on("console", lambda m: messages.append(m.text))
    page.goto(pages[name].as_uri())

    assert [r for r in requests if not r.startswith("data:")] == [pages[name].as_uri()]
    assert messages == []
    page.context.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_with_everything_open_nothing_has_to_be_scrolled_sideways(
    browser: Any, pages: dict[str, Path], name: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(pages[name].as_uri())
    page.evaluate(OPEN_ALL)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.slow  # half a minute for a page with all of its tables open
@pytest.mark.parametrize(
    ("name", "scheme", "forced"),
    [*((name, "light", "none") for name in NAMES), ("credit", "dark", "none"), ("credit", "light", "active"),
     ("digits", "dark", "none"), ("digits", "light", "active")],
)  # fmt: skip
def test_axe_finds_nothing_with_everything_open(
    browser: Any, pages: dict[str, Path], name: str, scheme: str, forced: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = browser.new_context(color_scheme=scheme, forced_colors=forced).new_page()
    page.goto(pages[name].as_uri())
    page.evaluate(OPEN_ALL)

    found = axe.Axe().run(page).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:120]) for v in found] == []
    page.context.close()


# ---- the first screen --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", REPORTS)
def test_the_first_screen_holds_verdict_findings_coverage_and_identity(
    browser: Any, pages: dict[str, Path], name: str
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(pages[name].as_uri())

    for part in (".verdict", ".why", ".top li:nth-child(3)", ".cover", ".id dd:last-child"):
        box = page.locator(part).bounding_box()
        assert box["y"] + box["height"] <= 720, part
    page.close()


# ---- on a phone --------------------------------------------------------------------------------------------------
def test_findings_after_the_third_are_folded_on_a_phone_and_open_on_a_wide_screen(
    browser: Any, pages: dict[str, Path]
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(pages["large"].as_uri())
    third, fourth, summary = page.locator("#F3 .say"), page.locator("#F4 .say"), page.locator(".later > summary")

    assert (third.is_visible(), fourth.is_visible(), summary.is_visible()) == (True, False, True)
    summary.click()
    assert fourth.is_visible()
    summary.click()
    page.set_viewport_size({"width": 1280, "height": 720})
    assert (fourth.is_visible(), summary.is_visible()) == (True, False)
    page.close()


def test_on_a_phone_the_name_of_a_row_stays_while_its_figures_are_scrolled(
    browser: Any, pages: dict[str, Path]
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(pages["credit"].as_uri())
    page.evaluate(OPEN_ALL)
    wide = "[...document.querySelectorAll('.scroll')].filter(s => s.scrollWidth > s.clientWidth + 200)"
    places = page.evaluate(
        f"{wide}.map(s => {{ s.scrollLeft = 150; const h = s.querySelector('tbody th');"
        " return [h.getBoundingClientRect().left - s.getBoundingClientRect().left, h.offsetWidth / s.clientWidth] })"
    )

    assert len(places) > 3
    assert all(abs(left) < 1 and share < 0.5 for left, share in places)
    page.close()


# ---- by keyboard -------------------------------------------------------------------------------------------------
def test_tab_goes_through_the_page_in_reading_order_and_is_seen(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(pages["credit"].as_uri())
    stops = []
    for _ in range(40):
        page.keyboard.press("Tab")
        stops.append(
            page.evaluate(
                "() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();"
                " return [e.className || e.textContent.trim(), parseFloat(s.outlineWidth), r.height,"
                " [...document.querySelectorAll('*')].indexOf(e), r.bottom > 0 && r.top < innerHeight] }"
            )
        )
    order = [place for *_, place, _ in stops]

    assert stops[0][0] == "skip"
    assert order == sorted(order)
    assert all(outline >= 2 for _, outline, *_ in stops)
    assert all(seen for *_, seen in stops)
    page.close()


def test_the_skip_link_leads_past_the_first_screens_start(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(pages["credit"].as_uri())
    page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    assert page.locator("#main").count() == 1
    page.close()


# ---- on paper ----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def printed(browser: Any, pages: dict[str, Path]) -> list[str]:
    """The text of every printed page of the digits report."""
    page = browser.new_page()
    page.goto(pages["digits"].as_uri())
    pdf = page.pdf(prefer_css_page_size=True)
    page.close()
    return [p.extract_text() for p in PdfReader(io.BytesIO(pdf)).pages]


def test_every_printed_page_says_of_which_record_it_is_and_which_page(
    printed: list[str], pages: dict[str, Path]
) -> None:
    html = pages["digits"].read_text("utf-8")
    (digest,) = re.findall(r"audit\.json, sha256 ([0-9a-f]{12})", html)

    for i, text in enumerate(printed, 1):
        assert f"audit.json sha256 {digest}" in text
        assert f"Page {i} of {len(printed)}" in text


def test_the_first_printed_page_is_the_first_screen_with_the_contents(printed: list[str]) -> None:
    first, second = (" ".join(text.split()) for text in printed[:2])

    assert "Valid until" in first and "Glossary" in first and "Sign-off" in first
    assert "What was audited" in second and "Purpose, as declared" not in first


def test_print_opens_what_is_folded_repeats_heads_and_tears_no_figure(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 680, "height": 900})
    page.goto(pages["credit"].as_uri())
    page.emulate_media(media="print")
    style = "getComputedStyle(e)"

    closed = (
        "[...document.querySelectorAll('details')].filter(d => d.lastElementChild.getBoundingClientRect().height < 1)"
    )
    assert page.evaluate(f"{closed}.length") == 0
    heads = f"[...document.querySelectorAll('thead')].every(e => {style}.display === 'table-header-group')"
    assert page.evaluate(heads)
    whole = (
        f"[...document.querySelectorAll('figure, tr, .row, .finds > li')].every(e => {style}.breakInside === 'avoid')"
    )
    assert page.evaluate(whole)
    assert page.evaluate("Math.max(...[...document.querySelectorAll('figure')].map(e => e.offsetHeight))") < 900
    page.close()
