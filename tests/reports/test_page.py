"""What the page says beside its figures: whose it is, until when, what goes unmeasured, how it is signed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auditor.policy import judge
from auditor.store import Record, save
from auditor.types import Limit, Outcome, Policy, Status
from reports.budget import within_budget
from reports.bundle import write
from reports.dates import valid_until
from reports.html import render
from reports.legend import legend
from reports.parts import Picture, Pictures, Prose, Section
from reports.rendering import margins, stylesheet
from reports.sections.decisions import IN_FULL, OPEN
from reports.sections.out_of_reach import OUT_OF_REACH
from reports.words import isolated, slice_words
from tests.reports.large import FINDINGS, large
from tests.reports.records import record, with_policy
from tests.reports.test_html import LIMITS, Page

SAMPLES = Path(__file__).resolve().parents[2] / "reports" / "samples"
HEBREW = "\u05e2\u05e8\u05d1"


def section(html: str, key: str) -> str:
    (found,) = re.findall(rf'<section id="{key}".*?</section>', html, re.DOTALL)
    return str(found)


def words(html: str) -> str:
    return Page(html).words


def changed(found: Record, check: str, **changes: Any) -> Record:
    """The record with one outcome changed, and nothing judged of it."""
    changes = {"judgements": (), **changes}
    outcomes = tuple(replace(o, **changes) if o.check == check else o for o in found.audit.outcomes)
    return replace(found, audit=replace(found.audit, outcomes=outcomes))


# ---- whose, since when, until when -------------------------------------------------------------------------------
def test_the_page_names_the_very_record_that_lies_beside_it(tmp_path: Path) -> None:
    write(record(), tmp_path)
    digest = hashlib.sha256((tmp_path / "audit.json").read_bytes()).hexdigest()
    html = (tmp_path / "report.html").read_text("utf-8")

    assert f"audit.json, sha256 {digest[:12]}" in words(html)
    assert f"sha256 {digest}" in section(html, "provenance")
    assert f'content: "audit.json sha256 {digest[:12]}"' in html


def test_a_record_made_in_memory_has_the_digest_of_its_file(tmp_path: Path) -> None:
    save(record(), tmp_path)
    digest = hashlib.sha256((tmp_path / "audit.json").read_bytes()).hexdigest()

    assert digest in render(record())


@pytest.mark.parametrize(
    ("started", "until"),
    [
        ("2026-11-22T09:14:00+00:00", "22 Nov 2027"),
        ("2026-12-31T23:30:00-02:00", "1 Jan 2028"),  # the day in UTC
        ("2028-02-29T12:00:00+00:00", "28 Feb 2029"),
        ("", ""),
    ],
)
def test_it_holds_for_a_year_where_the_day_is_known(started: str, until: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    dated = replace(record(), run={"started": started})
    shown = words(render(dated))

    assert valid_until(dated) == (f"{until} by policy of one year" if until else "")
    assert ("Valid until" in shown) == bool(until)
    assert f"Valid until {until} by policy of one year, or the next version" in shown or not until


def test_the_page_never_says_that_it_is_signed_or_valid() -> None:
    shown = words(render(record()))

    assert "Unsigned when this page was written; verify with auditor verify" in shown
    assert not re.search(r"\b(page|report|record|audit|it) is (valid|signed|authentic|genuine|verified)\b", shown)


# ---- print -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["", 'a" } body { display: none', "abc\n", "ABC", "\u0661"])
def test_nothing_but_a_digest_reaches_the_style_of_the_margins(text: str) -> None:
    with pytest.raises(ValueError, match="is no digest"):
        margins(text)


def test_the_margins_say_which_record_and_which_page() -> None:
    style = margins("0123456789abcdef" * 4)

    assert '"audit.json sha256 0123456789ab"' in style and "cdef" not in style
    assert '"Page " counter(page) " of " counter(pages)' in style


# ---- findings ----------------------------------------------------------------------------------------------------
def test_of_many_findings_the_worst_stand_in_full_and_every_other_has_a_line() -> None:
    found = section(render(large()), "findings")
    keys = re.findall(r'<li id="(F\d+)"', found)
    lines = re.findall(r'<th scope="row">(F\d+)</th>', found)

    assert keys == [f"F{i}" for i in range(1, IN_FULL + 1)]
    assert lines == [f"F{i}" for i in range(IN_FULL + 1, FINDINGS + 1)]
    assert found.index(f'id="F{OPEN}"') < found.index('<details class="later">') < found.index(f'id="F{OPEN + 1}"')
    assert f"performance.accuracy: {FINDINGS - IN_FULL} further findings ({FINDINGS - IN_FULL} failed)" in found


def test_few_findings_are_not_folded() -> None:
    found = section(render(with_policy(record(), *LIMITS)), "findings")

    assert len(re.findall(r'<li id="F\d+"', found)) == 2
    assert "<details" not in found


def test_links_to_findings_lead_to_them() -> None:
    page = Page(render(large()))
    ids = {a["id"] for _, a in page.elements if "id" in a}

    assert {a["href"] for a in page.all("a")} >= {"#F1", "#F2", "#F3"}
    assert all((a["href"] or "").removeprefix("#") in ids for a in page.all("a"))


def test_the_contents_count_the_findings_of_each_section() -> None:
    html = render(with_policy(record(), *LIMITS))
    rail = words(html[html.index('<nav class="toc"') : html.index("</nav>")])

    assert "Performance 1 failed" in rail and "Robustness 1 warning" in rail and "Sign-off open" in rail
    assert "500 failed" in words(render(large()))


# ---- what was not measured ---------------------------------------------------------------------------------------
def test_checks_without_a_result_stand_by_why() -> None:
    found = record("linear_table")
    found = changed(found, "explain.lrp", status=Status.ERROR, reason="ZeroDivisionError: no", result=None)
    found = changed(found, "explain.shap", status=Status.SKIPPED, reason="not selected", result=None)
    needs = "there are no reference rows to find thresholds on; [data] reference names them"
    found = changed(found, "fairness.tradeoff", status=Status.NOT_APPLICABLE, reason=needs, result=None)
    shown = section(render(found), "gaps")
    tables = re.findall(r"<caption[^>]*><span>(.*?)</span>(.*?)</table>", shown, re.DOTALL)
    groups = {re.sub(r"^\d+ checks? ", "", caption): body for caption, body in tables}

    assert "explain.lrp" in groups["that ended in an error"]
    assert "explain.shap" in groups["not selected"]
    assert "fairness.tradeoff" in groups["without the reference data to run on"]
    assert "explain.gradcam" in groups["that did not apply"]
    assert sum(t.count("<tr>") - 1 for t in groups.values()) == sum(o.result is None for o in found.audit.outcomes)


def test_a_check_that_says_it_lacks_reference_data_does_not_where_there_are_some() -> None:
    found = record("linear_table")
    subject = {**found.audit.subject, "data": {**found.audit.subject["data"], "reference": "train.csv"}}
    found = replace(found, audit=replace(found.audit, subject=subject))
    found = changed(found, "explain.shap", status=Status.NOT_APPLICABLE, reason="the reference is odd", result=None)

    assert "without the reference data" not in section(render(found), "gaps")


def test_required_limits_that_nothing_answered_are_named_there() -> None:
    found = with_policy(record(), *LIMITS, Limit("explain.lrp", "gain", required=True, fail_below=1.0))
    shown = words(section(render(found), "gaps"))

    assert "Limits of the policy that nothing was judged by: required ones, and those on a slice that is not" in shown
    assert "gain fail below 1" in shown


def test_groups_shown_as_too_few_and_classes_without_rows_are_counted() -> None:
    found = large()
    few = [
        replace(m, n=7, counts=()) if m.slice in {"place=P0001", "place=P0002"} else m
        for m in found.audit.measures("fairness.groups")
    ]
    without = [m for m in found.audit.measures("performance.accuracy") if "class 0007" not in m.slice]
    for check, measures in (("fairness.groups", few), ("performance.accuracy", without)):
        o = found.audit.outcome(check)
        assert o is not None and o.result is not None
        found = changed(found, check, result=replace(o.result, measures=tuple(measures)))
    shown = words(section(render(found), "gaps"))

    assert "2 groups of fewer than 10 rows: place = P0001; place = P0002. Tables of rates show them as too few" in shown
    assert "gaps are between groups of 10 rows or more" in shown
    assert "Other figures by group, such as calibration, stand with their n" in shown
    assert "1 of 1,000 classes without a row: class 0007 of a taxonomy" in shown


def test_the_tools_own_limits_are_listed_but_those_that_a_check_reaches() -> None:
    found = record()
    some = found.audit.outcomes[0].result
    attack = Outcome("privacy.membership", "Membership", "s", Status.MEASURED, "", {}, (), some)
    more = replace(found, audit=replace(found.audit, outcomes=(*found.audit.outcomes, attack)))
    without, within = (words(section(render(r), "gaps")) for r in (found, more))

    assert len({limit.what for limit in OUT_OF_REACH}) == len(OUT_OF_REACH)
    assert all(limit.what in without for limit in OUT_OF_REACH)
    assert "Leaks of training data" not in within and "Physical attacks" in within


# ---- sign-off ----------------------------------------------------------------------------------------------------
def test_the_form_is_filled_from_statements_but_never_decided() -> None:
    given = {"Reviewer": "Ada Lovelace", "decision": "Approve", "date": "1 May 2026", "signature": "A. L."}
    found = record()
    form = section(render(replace(found, audit=replace(found.audit, statements=given))), "signoff")

    assert "<dt>Reviewer</dt><dd>Ada Lovelace</dd>" in form and "nobody has checked it" in form
    assert "<dt>Date</dt><dd></dd>" in form and "<dt>Signature of the reviewer</dt><dd></dd>" in form
    assert "1 May 2026" not in form and "A. L." not in form
    assert form.count("<i></i>") == 3  # three boxes, none of them ticked
    assert "nobody has checked it" not in section(render(found), "signoff")


# ---- words and marks ---------------------------------------------------------------------------------------------
def test_a_legend_names_the_marks_that_are_drawn_and_no_others() -> None:
    assert legend(["measured", "measured"]) == "A dashed ring is not judged."
    assert legend(["ref", "fail"]) == "◆ fails, the dashed ring without a bar is the reference."
    assert legend([]) == ""


def test_names_that_run_from_right_to_left_are_held_apart() -> None:
    assert isolated("Female") == "Female"
    assert isolated(HEBREW) == f"\u2068{HEBREW}\u2069"
    assert slice_words(f"sex={HEBREW}&race=b") == f"sex = \u2068{HEBREW}\u2069, race = b"


def test_tables_of_figures_have_no_machine_words() -> None:
    html = render(record("categories"))
    first = re.findall(r'<th scope="row">([a-z]+(?:_[a-z]+)+)</th>', html)

    assert first == []


# ---- budgets -----------------------------------------------------------------------------------------------------
def test_pictures_beyond_the_budget_are_counted() -> None:
    def row(n: int) -> Pictures:
        return Pictures("a row", [Picture("x" * 100, "alt", "name")] * n)

    (kept,) = within_budget([Section("a", "A", "", [row(2), row(3), row(1)])], budget=300)
    *rows, said = kept.blocks

    assert [len(r.cells) for r in rows] == [2]
    assert isinstance(said, Prose) and said.text.startswith("4 further pictures would make this page too large")


@pytest.mark.parametrize("name", ["large", "credit", "digits"])
def test_a_page_and_all_in_it_keep_to_their_size(name: str) -> None:
    html = render(large()) if name == "large" else (SAMPLES / f"{name}.html").read_text("utf-8")
    charts = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    pictures = re.findall(r'src="(data:[^"]*)"', html)

    assert len(html.encode()) < 1_500_000
    assert len(stylesheet().encode()) <= 25_000
    assert max(map(len, charts)) <= 12_000
    assert max(map(len, pictures), default=0) <= 16_000


def test_of_a_thousand_groups_and_classes_a_table_shows_no_more_than_can_be_read() -> None:
    html = render(large())
    shown = section(html, "performance") + section(html, "fairness")
    rows = [table.count("<tr>") for table in re.findall(r"<table.*?</table>", shown, re.DOTALL)]

    assert max(rows) <= 61
    assert "960 further rows are in audit.json" in html


def test_judging_again_moves_the_digest() -> None:
    again = replace(record(), audit=judge(record().audit, Policy("other", LIMITS)))
    first, second = (re.findall(r"audit\.json sha256 ([0-9a-f]{12})", render(r)) for r in (record(), again))

    assert len(first) == len(second) == 1 and first != second
