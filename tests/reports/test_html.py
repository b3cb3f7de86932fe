"""The page: what it says first, that it needs nothing else, and that text from models stays text."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from auditor.errors import one_line
from auditor.registry import CHECKS
from auditor.store import Record
from auditor.types import Limit, Outcome, Status, Verdict
from reports.html import render
from reports.rendering import stylesheet
from tests.reports.records import HOSTILE, hostile, record, with_policy

# the id of the check alone may say what bounds do
FORBIDDEN = re.compile(r"\b(safe|fair|unbiased|compliant|(?<!robustness\.)certified)\b", re.IGNORECASE)


class Page(HTMLParser):
    """A page as its elements, its attributes and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.elements if t == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def page(found: Record) -> Page:
    return Page(render(found))


LIMITS = (
    Limit("performance.accuracy", "accuracy", slice="", fail_below=0.99),
    Limit("explain.lrp", "ledger_error", slice="", warn_above=1e-4),
    Limit("robustness.curve", "robust_accuracy", slice="linf@0.0314", warn_below=0.9),
)


@pytest.mark.parametrize("name", ["inplace_relu", "categories", "batch_norm"])
def test_needs_nothing_but_itself(name: str) -> None:
    found = page(record(name))
    addresses = [v for _, a in found.elements for k, v in a.items() if k in {"src", "href", "action", "data", "srcset"}]

    assert {t for t, _ in found.elements} & {"script", "iframe", "object", "embed", "link", "form", "base"} == set()
    assert addresses
    assert all(v and v.startswith(("#", "data:image/")) for v in addresses)
    assert "@import" not in stylesheet() and "url(" not in stylesheet()


def test_its_policy_allows_its_own_style_alone() -> None:
    html = render(record())
    styles = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in styles]
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', html)

    assert f"style-src {' '.join(f'&#39;sha256-{digest}&#39;' for digest in digests)};" in policy
    assert policy.startswith("default-src &#39;none&#39;")
    assert "unsafe" not in policy
    assert not any("style" in a for _, a in page(record()).elements)


def test_the_first_screen_holds_verdict_findings_and_identity() -> None:
    found = with_policy(record(), *LIMITS)
    html = render(found)
    first = Page(html[: html.index('<nav class="toc"')])

    assert first.words.startswith("Fail: audit of zoo 1.0")
    assert "Fail" in first.words and "1 failed" in first.words
    assert len([a for a in first.all("p") if a.get("class") == "say"]) == 3
    assert "95 % interval" in first.words and "limit at least 0.99" in first.words
    assert "sha256 bbbbbbbbbbbb" in first.words
    assert "22 Nov 2026, 09:14 UTC" in first.words
    assert f"of {len(CHECKS)} checks ran" in first.words


def test_the_second_section_holds_digests_grade_and_preflight() -> None:
    html = render(record("batch_norm"))
    second = Page(html[html.index('id="audited"') : html.index('id="findings"')]).words

    assert f"sha256 {'a' * 64}" in second and f"sha256 {'b' * 64}" in second
    assert "data: weights in a known architecture. The file holds numbers alone" in second
    assert "parameters" in second and "floating-point operations for one sample" in second and "BatchNorm" in second


def test_predictions_alone_have_no_file_and_no_grade_to_explain() -> None:
    found = record()
    alone = {**found.audit.subject, "model": {"format": "predictions only", "evidence_grade": "data"}}
    html = render(replace(found, audit=replace(found.audit, subject=alone)))
    second = Page(html[html.index('id="audited"') : html.index('id="findings"')]).words

    assert "Evidence grade" not in second and "State dict" not in second
    assert "predictions only, predictions only" not in html and "weights in a known architecture" not in html
    assert "data: no model was run; the predictions are as they came" in html


@pytest.mark.parametrize(
    ("limits", "verdict", "why"),
    [
        (LIMITS, "Fail", "Of 3 judgements 1 failed and 1 gave a warning."),
        (LIMITS[1:2], "Pass", "The one limit that was judged is met."),
        (LIMITS[1:], "Pass with conditions", "Of 2 judgements 1 gave a warning."),
        ((), "Incomplete", "nothing was judged"),
        (
            (*LIMITS[1:], Limit("explain.lrp", "gain", required=True, fail_below=1.0)),
            "Incomplete",
            "What the policy asks for is not there: gain (explain.lrp).",
        ),
        (
            (Limit("performance.accuracy", "accuracy", slice="", fail_below="recall"),),
            "Incomplete",
            "A limit is a figure that is not there: recall, for accuracy (performance.accuracy).",
        ),
    ],
)
def test_verdicts_are_words_with_their_reason(limits: tuple[Limit, ...], verdict: str, why: str) -> None:
    found = page(with_policy(record(), *limits))

    assert found.words.startswith(f"{verdict}: audit of zoo 1.0")
    assert why in found.words


def test_an_error_makes_it_incomplete_and_is_the_first_thing_said() -> None:
    found = record()
    broken = Outcome("explain.lrp", "LRP", "", Status.ERROR, "ZeroDivisionError: no", {})
    outcomes = tuple(broken if o.check == "explain.lrp" else o for o in found.audit.outcomes)
    words = page(replace(found, audit=replace(found.audit, outcomes=outcomes, verdict=Verdict.INCOMPLETE))).words

    assert words.startswith("Incomplete")
    assert "The check explain.lrp ended with an error" in words
    assert "ZeroDivisionError: no" in words


def test_every_figure_of_a_chart_stands_in_a_table_too() -> None:
    found = record()
    words = page(found).words
    outcome = found.audit.outcome("robustness.curve")

    for m in outcome.result.measures:
        assert f"{m.value:.3f}" in words


def test_pictures_have_words_and_stand_beside_their_methods_figure() -> None:
    html = render(record())
    images = Page(html).all("img")

    assert len(images) >= 3 * 2 + 2 * 2
    assert all(a["alt"] and len(a["alt"]) > 20 for a in images)
    for word in ("hirescam correlation", "ledger error", "standard error", "fidelity"):
        assert f"</b>{word}" in html


def test_tables_have_headers_captions_and_a_place_to_scroll() -> None:
    found = page(record("categories"))

    assert len(found.all("table")) == len(found.all("caption"))
    assert all(a.get("scope") in {"col", "row"} for a in found.all("th"))
    for region in (a for t, a in found.elements if t == "div" and a.get("role") == "region"):
        assert region["tabindex"] == "0" and region["aria-labelledby"]


def test_ids_are_unique_and_every_reference_has_a_target() -> None:
    for found in (page(record()), page(record("categories")), page(hostile())):
        ids = [a["id"] for _, a in found.elements if "id" in a]
        names = {
            n
            for _, a in found.elements
            for k in ("aria-labelledby", "aria-describedby")
            for n in (a.get(k) or "").split()
        }
        links = {a["href"].removeprefix("#") for a in found.all("a") if a["href"]}

        assert len(ids) == len(set(ids))
        assert names | links <= set(ids)


def test_text_from_models_and_data_stays_text() -> None:
    html = render(hostile())
    found = Page(html)
    handlers = [k for _, a in found.elements for k in a if k.startswith("on")]

    assert handlers == []
    assert not {t for t, _ in found.elements} & {"script", "iframe", "object", "embed", "link", "base"}
    assert all((a.get("src") or "").startswith("data:image/") for a in found.all("img"))
    assert all((a.get("href") or "").startswith("#") for a in found.all("a"))
    assert "<script>alert(1)</script>" in found.words  # shown as it is
    assert "49" not in re.findall(r"\{\{ 7\*7 \}\}|(?<!\.)\b49\b", found.words)  # 0.49 is a figure
    assert one_line(HOSTILE[0]) in found.words


def test_no_promise_is_made() -> None:
    for found in (record(), record("categories"), with_policy(record(), *LIMITS)):
        assert not FORBIDDEN.findall(page(found).words)


def test_a_section_without_content_is_left_out() -> None:
    table, image = page(record("linear_table")).words, page(record()).words

    assert "Impact ratio" in table
    assert "What was not measured" in image
    assert "Privacy" not in image


def test_the_same_record_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = record()
    later = replace(found, run={**found.run, "started": "2027-01-01T00:00:00+00:00"})

    assert render(found) == render(found)
    assert render(found) != render(later)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert render(found) == render(later)
    assert "14 Nov 2023, 22:13 UTC" in render(found)


def test_its_size_is_kept() -> None:
    assert len(stylesheet().encode()) <= 25_000
    assert len(render(record()).encode()) < 1_500_000
    for svg in re.findall(r"<svg.*?</svg>", render(record("categories")), re.DOTALL):
        assert len(svg) <= 12_000
    for data in re.findall(r'src="(data:[^"]*)"', render(record())):
        assert len(data) <= 16_000
