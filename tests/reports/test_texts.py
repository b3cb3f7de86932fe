"""Texts in a report: every word where it stood, its sign readable without colour, long and hostile ones harmless."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from auditor.data.words import spans
from auditor.explained.samples import SPECIAL as SPECIAL_ROW
from auditor.store import Record
from auditor.types import Image, Measure, Outcome, Result, Scalar, Status, Table
from reports.html import render
from reports.rendering import stylesheet
from reports.texts import LONGEST, SPECIAL, excerpt, figure_in, words_of
from tests.reports.records import HOSTILE, record
from tests.reports.test_html import Page
from tests.reports.test_style import contrast, palette

CHINESE = "\u8fd9\u90e8\u7535\u5f71\u5f88\u597d\u3002\u4e0d\u597d"
ARABIC = "\u0641\u064a\u0644\u0645 \u0631\u0627\u0626\u0639\u060c"
TITLE = "row 3: good, called bad (0.81)"


def table(text: str, shares: dict[str, float], title: str = TITLE, special: float | None = -0.5) -> Table:
    rows: list[tuple[Scalar, ...]] = [(text[a:b], shares.get(text[a:b], 0.0)) for a, b in spans(text)]
    last = [] if special is None else [(SPECIAL, special)]
    return Table(title, ("word", "relevance"), (*rows, *last))


def explained(*tables: Table, check: str = "explain.lrp", images: tuple[Image, ...] = ()) -> Record:
    """A record in which one check explains these texts."""
    found = record("linear_table")
    measures = (Measure("ledger_error", "", 0.001, 1), Measure("ledger_error", "row=3", 0.001, 1))
    outcome = Outcome(check, "Method", "", Status.MEASURED, "", {}, (), Result(measures, tables, images))
    others = tuple(o for o in found.audit.outcomes if not o.check.startswith("explain."))
    return replace(found, audit=replace(found.audit, outcomes=(*others, outcome)))


def texts() -> Record:
    """An English, an Arabic, a Chinese, a long and a hostile text, all behind each other."""
    draw = np.random.default_rng(0)
    held = ["a good but dull film ...", ARABIC, CHINESE, "a good film , they say . " * 100, " ".join(HOSTILE)]
    tables = []
    for i, text in enumerate(held):
        shares = {text[a:b]: float(draw.normal()) for a, b in spans(text)}
        tables.append(table(text, shares, f"row {i}: good (0.{i}1)"))
    return explained(*tables)


def section(found: Record) -> str:
    """The HTML of the explanations."""
    html = render(found)
    return html[html.index('<section id="explanations"') : html.index('<section id="', html.index('id="explanations"'))]


def shown(html: str) -> list[str]:
    """Every running text as it is read on the page, without what only a screen reader says."""
    texts = re.findall(r'<p class="words" dir="auto">(.*?)</p>', html, re.DOTALL)
    return ["".join(Page(re.sub(r'<bdi class="vh">.*?</bdi>', "", t)).text) for t in texts]


def test_the_last_row_has_the_name_that_the_engine_gives_it() -> None:
    assert SPECIAL == SPECIAL_ROW


# ---- intervals ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("unit", ["word", "sentence"])
def test_words_and_sentences_with_intervals_have_whiskers_and_the_ends_in_their_table(unit: str) -> None:
    rows: tuple[tuple[Scalar, ...], ...] = (("It was good .", 0.4, 0.3, 0.5), ("Was it ?", -0.1, -0.2, 0.05))
    with_ends = section(explained(Table(TITLE, (unit, "weight", "low", "high"), rows), check="explain.lime"))
    without = section(explained(Table(TITLE, (unit, "weight"), tuple(r[:2] for r in rows)), check="explain.lime"))

    assert "The thin lines are 95 % intervals." in with_ends
    assert "thin line" not in without
    # a wide and a narrow picture, a whisker a bar
    assert [page.count('class="err"') for page in (with_ends, without)] == [4, 0]
    assert f"strongest {unit}s" in with_ends
    assert re.search(r"<th[^>]*>low</th><th[^>]*>high</th>", with_ends)
    assert shown(with_ends) == shown(without) == ["It was good . Was it ?"]


def test_what_raises_a_value_raises_no_probability() -> None:
    row: tuple[Scalar, ...] = ("age", "40", 3.0, 2.0, 4.0)
    page = section(
        explained(Table(TITLE, ("column", "value", "weight on the value", "low", "high"), (row,)), check="explain.lime")
    )

    assert "raises the value most" in page
    assert "probability" not in page


# ---- one text ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("it 's good , is n't it ?", "it's good, isn't it?"),
        ("they shout ` good ! ' and `` bad '' twice", "they shout `good!' and ``bad'' twice"),
        ('a "good" film (once)... :-)', 'a "good" film (once)... :-)'),
        (CHINESE, CHINESE),
        (ARABIC, ARABIC),
    ],
)
def test_a_text_is_read_as_it_stands(text: str, read: str) -> None:
    assert shown(section(explained(table(text, {"good": 1.0})))) == [read]


def test_sign_and_strength_are_classes_words_and_lines_and_not_colour_alone() -> None:
    html = section(explained(table("a good but dull film", {"good": 2.0, "dull": -1.9, "but": -0.5, "film": 0.21})))

    assert '<span class="p4">good</span><bdi class="vh"> (for)</bdi>' in html
    assert '<span class="n4">dull</span><bdi class="vh"> (against)</bdi>' in html
    assert '<span class="n1">but</span>' in html and '<span class="p1">film</span>' in html
    assert "\u201c<bdi>good</bdi>\u201d raises the logit most; ledger error 0.001." in html
    style = stylesheet()
    assert re.search(r"\.words span[^}]*text-decoration: underline solid", style)
    assert re.search(r"\.words \.n1[^}]*text-decoration-style: dotted", style)
    thickness = [re.search(rf"\.words \.p{i}, \.words \.n{i},[^}}]*thickness: (\d)px", style) for i in range(1, 5)]
    assert [m and int(m[1]) for m in thickness] == [1, 2, 3, 4]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tint", [f"{sign}{i}" for sign in "pn" for i in range(1, 5)])
def test_words_can_be_read_on_every_tint(scheme: str, tint: str) -> None:
    assert contrast(palette(scheme)["ink"], palette(scheme)[tint]) >= 4.5


def test_what_is_no_word_is_told_with_what_all_adds_up_to() -> None:
    html = section(explained(table("a good film", {"a": 0.25, "good": 1.5}, special=-0.5)))
    assert "Special tokens, which are no words, hold \N{MINUS SIGN}0.500 of 1.250 in all (relevance)." in html

    html = section(explained(table("a good film", {"a": 0.25, "good": 1.5}, special=None)))
    assert "The relevance of the words adds up to 1.750 in all." in html and SPECIAL not in html


def test_the_strongest_words_are_a_chart_with_its_figures() -> None:
    text = " ".join(f"w{i}" for i in range(30))
    html = section(explained(table(text, {f"w{i}": (-1) ** i * i / 10 for i in range(30)})))
    chart = html[html.index("The strongest words as bars") :]

    figures = re.findall(r'<th scope="row">(\w+)</th><td class="n">(\d+)</td><td class="n">([\u2212\d.]+)</td>', chart)
    values = [(i, (-1) ** i * i / 10) for i in range(29, 19, -1)]
    assert figures == [(f"w{i}", str(i + 1), f"{v:.3f}".replace("-", "\N{MINUS SIGN}")) for i, v in values]


def test_where_no_word_speaks_against_none_is_said_to_speak_for() -> None:
    attended = Table(TITLE, ("word", "attention"), (("a", 0.1), ("film", 0.9)))
    html = section(explained(attended, check="explain.attention"))

    assert "\u201c<bdi>film</bdi>\u201d has the largest attention" in html
    assert "(strong)" in html and "(for)" not in html and "raises" not in html.replace("bars raise", "")


@pytest.mark.parametrize("rows", [(), ((SPECIAL, 1.0),), (("a", None), ("b", None)), (("a", float("nan")), ("b", 1.0))])
def test_odd_tables_of_words_do_no_harm(rows: tuple[tuple[Scalar, ...], ...]) -> None:
    assert "Method" in section(explained(Table(TITLE, ("word", "relevance"), rows)))


def test_a_share_that_is_no_number_counts_as_none() -> None:
    assert (figure_in(float("nan")), figure_in(None), figure_in(0.5)) == (0.0, 0.0, 0.5)


# ---- long texts --------------------------------------------------------------------------------------------------
def test_of_a_long_text_the_strongest_parts_are_seen_and_the_rest_counted() -> None:
    """Every word is either shown or counted, whatever the shares are."""
    draw = np.random.default_rng(0)
    for n in (150, 151, 600, 5000):
        shares = (draw.normal(size=n) ** 3).tolist()
        words = words_of([f"w{i}" for i in range(n)], shares)
        seen = excerpt(words, shares)

        assert sum(w.left_out or 1 for w in seen) == n
        strongest = sorted(range(n), key=lambda i: -abs(shares[i]))[:10]
        assert {f"w{i}" for i in strongest} <= {w.text for w in seen}
        assert len(seen) == n if n == 150 else len(seen) < 145
        position = 0
        for w in seen:
            assert w.left_out > 3 or w.text == f"w{position}" or (w.left_out and position + w.left_out == n)
            position += w.left_out or 1


def test_a_word_after_a_gap_stands_apart_from_it() -> None:
    text = f"{'x ' * 200}do n't go {'x ' * 200}"
    seen = shown(section(explained(Table(TITLE, ("word", "relevance"), tuple(
        (w, float(i == 207)) for i, w in enumerate(text.split()))))))[0].strip()  # fmt: skip

    assert seen.startswith("\u2026 201 words \u2026 n't go x")


def test_the_whole_of_a_long_text_is_behind_a_click() -> None:
    text = " ".join(f"w{i}" for i in range(600))
    html = section(explained(table(text, {"w300": 1.0})))
    seen, whole = shown(html)

    assert "\u2026 294 words \u2026 w294 w295" in seen and "w306" in seen and "w310" not in seen
    assert whole == text
    assert "<summary>The whole text</summary>" in html


def test_an_endless_text_does_not_make_an_endless_page() -> None:
    draw = np.random.default_rng(1)
    rows = tuple((f"word{i}", float(v)) for i, v in enumerate(draw.normal(size=10_000)))
    tables = [Table(f"row {i}: good (0.9)", ("word", "relevance"), rows) for i in range(12)]
    html = section(explained(*tables, Table("row 12: bad (0.9)", ("word", "relevance"), (("x" * 100_000, 1.0),))))

    assert len(html.encode()) < 1_000_000
    assert "9,000 further words are in audit.json." in html
    assert "5 more rows explained" in html
    assert "x" * (LONGEST + 1) not in html


# ---- text of others ----------------------------------------------------------------------------------------------
def test_hostile_words_stay_words() -> None:
    text = " ".join(HOSTILE)
    rows = tuple((w, float((-1) ** i)) for i, w in enumerate([*HOSTILE, "a\u202eb\u2066c", "\x1b[31m", *text.split()]))
    html = section(explained(Table(f"row 3: {HOSTILE[0]}", ("word", "relevance"), rows)))
    found = Page(html)

    assert not {t for t, _ in found.elements} & {"script", "iframe", "img", "object", "link", "base"}
    assert not any(k.startswith("on") or k == "style" for _, a in found.elements for k in a)
    assert "<script>alert(1)</script>" in found.words and "{{ 7*7 }}" in found.words
    assert not set("\u202e\u2066\x1b\x00") & set(html)


def test_a_text_finds_its_own_direction() -> None:
    """dir=auto looks at the text itself, not at what is isolated in it: no word may be, and all that is ours must."""
    hebrew = "\u05e1\u05e8\u05d8 \u05e0\u05d4\u05d3\u05e8 " * 100
    (seen, _) = re.findall(
        r'<p class="words" dir="auto">(.*?)</p>',
        section(explained(table(hebrew, {"\u05e0\u05d4\u05d3\u05e8": 1.0}))),
        re.DOTALL,
    )

    assert not re.search("[a-z]", re.sub(r"<bdi[^>]*>[^<]*</bdi>|<[^>]*>", "", seen))
    assert not re.search("[\u0590-\u05ff]", "".join(re.findall(r"<bdi[^>]*>(.*?)</bdi>", seen)))


# ---- other tables and pictures of the section --------------------------------------------------------------------
def test_a_table_that_is_no_row_is_shown_as_it_is() -> None:
    heads = Table("Heads", ("layer", "head", "entropy"), ((0, 1, 0.25), (0, 2, 0.75)))
    odd = Table("Odd", ("column", "value", "effect"), (("a", "1", "text"),))
    html = section(explained(heads, odd, table("a good film", {"good": 1.0})))

    assert "Method: Heads" in html and "0.750" in html and "Method: Odd" in html
    assert len(re.findall("<h4>", html)) == 1
    unknown = section(explained(heads, table("a good film", {"good": 1.0}), check="explain.unheard_of"))
    assert "Heads" in unknown and '<span class="p4">good</span>' in unknown


def test_a_picture_without_an_original_is_shown_with_what_there_is() -> None:
    found = explained(images=(Image("layer 4, channel 7", "x/map", "map", "What channel 7 answers to"),
                              Image("layer 4, best patch", "x/patch", "activation", "The patch it answers to most"),
                              Image("row 1: a (0.5)", "x/patch", "original", "The image of row 1")))  # fmt: skip
    arrays = {"x/map": np.eye(5, dtype=np.float32), "x/patch": np.zeros((5, 5, 3), np.uint8)}
    html = section(replace(found, arrays=arrays))

    for alt in ("What channel 7 answers to", "The patch it answers to most", "The image of row 1"):
        assert html.count(f'alt="{alt}"') == 1
    assert "Layer 4, channel 7" in html
