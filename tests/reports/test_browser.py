"""Reports in a real browser: nothing is fetched, nothing breaks, everyone can read them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auditor.comparing.baseline import against
from auditor.scores import ANSWERS, LABELS, SCORED_ROWS
from auditor.types import Limit
from reports.compare import render as render_comparison
from reports.html import render
from tests.reports.records import hostile, record, with_policy
from tests.reports.test_texts import texts
from tests.reports.test_tradeoff import AFTER, BEFORE

pytestmark = pytest.mark.browser


def two_policies() -> str:
    """A comparison with findings, flips, another policy, another seed, changed answers and a chain of baselines."""
    lax, strict = (Limit("performance.accuracy", "accuracy", fail_below=b) for b in (0.1, 0.99))
    first = with_policy(record("inplace_relu"), lax)
    second = against(first, with_policy(record("residual"), strict))
    kept = {key: first.arrays[f"performance.accuracy/{key}"] for key in (SCORED_ROWS, ANSWERS, LABELS)}
    kept[ANSWERS] = 1 - kept[ANSWERS]
    arrays = {**second.arrays, **{f"performance.accuracy/{key}": array for key, array in kept.items()}}
    return render_comparison(first, replace(second, arrays=arrays, audit=replace(second.audit, seed=7)))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "image": render(record("inplace_relu")),
        "table": render(against(record("categories"), record("categories"))),
        "hostile": render(hostile()),
        "texts": render(texts()),
        "compare": two_policies(),
        "gaps": render_comparison(BEFORE, AFTER),
    }
    for name, html in made.items():
        (folder / f"{name}.html").write_text(html, "utf-8")
    return {name: folder / f"{name}.html" for name in made}


NAMES = ("image", "table", "hostile", "texts", "compare", "gaps")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_fetched_nothing_is_logged_and_nothing_runs(browser: Any, pages: dict[str, Path], name: str) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    requests: list[str] = []
    messages: list[str] = []
    page.on("request", lambda r: requests.append(r.url))
    page.on("console", lambda m: messages.append(m.text))
    page.on("dialog", lambda d: messages.append(d.message))
    page.goto(pages[name].as_uri())

    assert [r for r in requests if not r.startswith("data:")] == [pages[name].as_uri()]
    assert messages == []
    context.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_has_to_be_scrolled_sideways(browser: Any, pages: dict[str, Path], name: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(pages[name].as_uri())

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("scheme", "forced"),
    [
        ("light", "none"),
        pytest.param("dark", "none", marks=pytest.mark.slow),
        pytest.param("light", "active", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing(browser: Any, pages: dict[str, Path], name: str, scheme: str, forced: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    context = browser.new_context(color_scheme=scheme, forced_colors=forced)
    page = context.new_page()
    page.goto(pages[name].as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")

    found = axe.Axe().run(page).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:120]) for v in found] == []
    context.close()


def test_print_opens_what_is_folded(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(pages["image"].as_uri())
    page.emulate_media(media="print")

    shown = page.evaluate(
        "[...document.querySelectorAll('details')].every(d => d.lastElementChild.getBoundingClientRect().height > 0)"
    )
    assert shown
    page.close()


def test_a_text_is_set_in_its_own_direction(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(pages["texts"].as_uri())

    found = page.evaluate("[...document.querySelectorAll('.words')].map(p => getComputedStyle(p).direction)")
    assert found[:3] == ["ltr", "rtl", "ltr"]  # English, Arabic, Chinese
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("forced", ["none", "active"])
def test_the_sign_of_a_word_is_seen_without_its_colour(
    browser: Any, pages: dict[str, Path], scheme: str, forced: str
) -> None:
    """The line under a word: solid for, dotted against, thicker the more; also where colours are gone."""
    context = browser.new_context(color_scheme=scheme, forced_colors=forced)
    page = context.new_page()
    page.goto(pages["texts"].as_uri())

    look = "c => { const s = getComputedStyle(document.querySelector('.key .' + c)); return [s.textDecorationStyle, parseFloat(s.textDecorationThickness)] }"  # noqa: E501
    lines = {c: tuple(page.evaluate(look, c)) for c in ("p1", "p2", "p3", "p4", "n1", "n2", "n3", "n4")}
    assert lines == {f"{c}{i}": (s, i) for c, s in (("p", "solid"), ("n", "dotted")) for i in range(1, 5)}
    context.close()
