"""summary.md, rendered by a CommonMark library with GitHub's extensions: what is hostile in it stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from auditor.store import Record
from auditor.types import Acceptance, Policy
from reports.formats.inert import code, text
from reports.formats.markdown import summary
from tests.reports.formats.cases import BAD, CASES, CHECK, FLOOR, figures, judged, outcome
from tests.reports.records import hostile

NO_WIDTH = "\N{ZERO WIDTH SPACE}"
OURS = {"h2", "p", "ul", "li", "strong", "code", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"}
# what GitHub makes links, pictures and mentions of, in text that is no code (html-pipeline's and gemoji's expressions)
LIVE = re.compile(
    r"(?:^|\W)@[a-z0-9]|(?:^|\W)(?:#|gh-)\d|:[\w+-]+:|\b(?:https?|ftp|mailto|xmpp):[\w/]|\bwww\.|\w@\w+\.\w",
    re.IGNORECASE,
)


class Shown(HTMLParser):
    """The tags of a page, its text, and the text that is not code."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text, self.prose = "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name != "style"]
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.text += data
        self.prose += " \N{REPLACEMENT CHARACTER} " if self.tags[-1:] == ["code"] else data


def shown(markdown: str) -> Shown:
    """As GitHub renders it, which makes links of addresses, but not of each name with a dot in it."""
    github = MarkdownIt("gfm-like", {"html": True, "linkify": True})
    assert github.linkify is not None
    github.linkify.set({"fuzzy_link": False})
    return Shown(github.render(markdown))


def plain(given: str) -> str:
    return " ".join(given.split())


# ---- text and code -----------------------------------------------------------------------------------------------
HOSTILE = (
    "@octocat", "me@evil.example", "#123", "gh-7", "GH-7", "owner/repo#1", ":tada:", ":a:b:", "www.evil.example",
    "https://evil.example", "http:x", "mailto:a@b.c", "[l](http://e.example)", "![i](http://e.example/i.png)",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<http://e.example>", "&lt;b&gt;", "&#64;x", "**b**",
    "_i_", "~~s~~", "`c`", "``", "| x |", "# h", "- l", "+ l", "1. l", "12) l", "===", "---", "> q", "$x$", "\\", "a\\",
    "a\n\nb", "    code", "[^1]", "[x]: http://e.example", "<!-- c", "```",
)  # fmt: skip
CHARACTERS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=8)
TEXTS = st.lists(CHARACTERS | st.sampled_from(HOSTILE), max_size=6).map("".join)
TABLE = {f"{end}{tag}" for tag in ("table", "thead", "tbody", "tr", "th", "td") for end in ("", "/")}


@pytest.mark.parametrize("given_text", HOSTILE)
@pytest.mark.parametrize(
    ("place", "said", "tags"),
    [
        ("{}", "{}", {"p", "/p"}),
        ("- {}", "{}", {"ul", "/ul", "li", "/li"}),
        ("{0} {0}", "{0} {0}", {"p", "/p"}),
        ("| a |\n| --- |\n| {} |", "a {}", TABLE),
    ],
    ids=["paragraph", "list", "twice", "table"],
)
def test_text_is_shown_as_it_is_and_is_nothing_else(given_text: str, place: str, said: str, tags: set[str]) -> None:
    found = shown(place.format(text(given_text)))

    assert plain(found.text.replace(NO_WIDTH, "")) == said.format(plain(given_text))
    assert set(found.tags) <= tags
    assert not LIVE.search(found.prose)


@given(TEXTS)
def test_any_text_is_shown_as_it_is(given_text: str) -> None:
    found = shown(f"x {text(given_text, 10_000)} x")

    assert plain(found.text).replace(NO_WIDTH, "") == plain(f"x {plain(given_text)} x").replace(NO_WIDTH, "")
    assert found.tags == ["p", "/p"]
    assert not LIVE.search(found.prose)


@given(TEXTS)
def test_any_text_is_shown_as_code(given_text: str) -> None:
    found = shown(f"x {code(given_text, 10_000)} x")

    said = plain(given_text)
    assert plain(found.text) == plain(f"x {said} x")
    assert found.tags == (["p", "code", "/code", "/p"] if said else ["p", "/p"])


# ---- the summary -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("found", [*(c.record for c in CASES.values()), hostile()], ids=[*CASES, "hostile"])
def test_it_renders_to_our_own_tags_and_no_link(found: Record) -> None:
    page = shown(summary(found))

    assert {tag.lstrip("/") for tag in page.tags} <= OURS
    assert page.tags[0] == "h2"
    assert page.tags.count("details") == page.tags.count("/details") == 1
    assert page.tags.count("tr") == 1 + len(found.audit.outcomes)
    assert not LIVE.search(page.prose)
    folded = page.tags[page.tags.index("/summary") :]
    assert folded[1] == "table" and folded[-1] == "/details"


def test_it_shows_the_verdict_why_and_every_finding() -> None:
    page = shown(summary(CASES["one"].record))

    assert page.text.startswith("Fail: audit of zoo 1.0\nOf 2 judgements 1 failed.\n")
    assert "F1 Failed: Accuracy for group = a is 0.05. 0.05 (95 % interval 0.03 to 0.09; n = 200)" in page.text
    assert f"; limit at least 0.50 {CHECK}/accuracy/group=a" in page.text
    assert "1 of 1 checks ran." in page.text and "1 check\n" in page.text


def test_new_findings_come_first_and_all_states_are_counted() -> None:
    found = CASES["baseline"].record
    page = shown(summary(found))

    assert "Since the baseline (zoo 1.0, fail): 1 new, 1 fixed, 1 worse, 0 better, 0 unchanged." in page.text
    assert f"Fixed: {CHECK}/accuracy/group=b." in page.text
    first, second = re.findall(r"(F\d) Failed \((\w+)\)", page.text)
    assert (first, second) == (("F2", "new"), ("F1", "worse"))


def test_acceptances_that_expire_soon_are_named() -> None:
    def of(expires: date) -> str:
        accept = (Acceptance(f"{CHECK}/accuracy/group=a", "Ann @octocat", "retraining", expires),)
        return shown(summary(judged(Policy("p", (FLOOR,), accept), outcome(CHECK, measures=figures(a=BAD))))).text

    soon = of(date(2026, 12, 23)).replace(NO_WIDTH, "")
    assert (
        f"Accepted for now: 1 finding. Expiring within 30 days: {CHECK}/accuracy/group=a on 23 Dec 2026 (Ann @octocat)."
        in soon
    )
    assert "Expiring" not in of(date(2026, 12, 24))


def test_what_is_left_out_is_counted() -> None:
    page = shown(summary(CASES["many"].record))

    assert len(re.findall(r"F\d+ Failed", page.text)) == 20
    assert "480 more findings, in report.html." in page.text


def test_it_is_never_larger_than_a_comment_may_be() -> None:
    """Names of 100,000 characters, four bytes each, in everything that is listed; and 5,000 checks."""
    long = "\N{ROCKET}" * 100_000
    names = [f"{long}{i}" for i in range(40)]
    accept = tuple(
        Acceptance(f"{CHECK}/accuracy/group={name}", long, long, date(2026, 12, 1)) for name in names[:20]
    )  # fmt: skip
    policy = Policy("p", (FLOOR,), accept)
    checks = [outcome(f"more.check{i}", reason=long) for i in range(5_000)]
    found = judged(policy, outcome(CHECK, measures=figures(**dict.fromkeys(names, BAD))), *checks)
    audit = replace(found.audit, subject={**found.audit.subject, "name": long})

    markdown = summary(replace(found, audit=audit))

    assert len(markdown.encode()) < 60_000
    assert markdown.endswith("\n\n</details>\n")
    left_out = re.findall(r"^([\d,]+) more (\w+), in report.html.$", markdown, re.MULTILINE)
    assert [what for _, what in left_out] == ["findings", "checks"]
    rows = len(re.findall(r"^\| `", markdown, re.MULTILINE))
    assert rows + int(left_out[1][0].replace(",", "")) == 5_001


def test_findings_keep_their_order_but_for_the_new_ones() -> None:
    keys = [int(k) for k in re.findall(r"^- \*\*F(\d+) ", summary(CASES["mixed"].record), re.MULTILINE)]

    assert keys == list(range(1, len(keys) + 1))
