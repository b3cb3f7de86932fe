"""What a comparison opens with: findings, flips, what cannot be compared, churn; and its form for programs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from auditor.comparing.baseline import against
from auditor.folders import COMPARISON_JSON
from auditor.policy import judge
from auditor.schema import canonical, digest_of
from auditor.store import Record
from auditor.types import Limit, Policy
from reports.compare import render, write
from reports.comparing.compared import compared
from reports.comparing.machine import as_json, json_schema
from tests.reports.compared import ACCURACY, BAD, GOOD, outcome, record
from tests.reports.records import hostile
from tests.reports.records import record as of_zoo
from tests.reports.test_html import Page

PUBLISHED = Path(__file__).resolve().parents[2] / "reports" / "schema" / "comparison-v1.json"


def section(html: str, key: str) -> str:
    return Page(re.search(rf'<section id="{key}".*?</section>', html, re.DOTALL)[0]).words


def test_it_opens_with_findings_flips_what_cannot_be_compared_and_churn_in_this_order() -> None:
    keys = re.findall(r'<section id="(\w+)"', render(GOOD, BAD))

    assert keys[:5] == ["findings", "flipped", "apart", "churn", "summary"]


def test_findings_and_answers_are_counted_first() -> None:
    html = render(GOOD, BAD)

    head = Page(html[: html.index("<section")]).words
    assert "Findings: 1 new, 0 worse, 0 better, 0 unchanged, 0 fixed." in head
    assert "15 of 100 rows got another answer (0.150, 95 % interval 0.093 to 0.233): 15 from right to wrong" in head
    assert "1.000 to 0.850" in section(html, "findings")
    assert "passed before, failed now; n = 100, paired" in section(html, "findings")
    assert "at least 0.92 Passed Failed performance.accuracy" in section(html, "flipped")


def test_churn_is_told_by_class_beside_the_change_of_accuracy() -> None:
    words = section(render(GOOD, BAD), "churn")

    assert "class = yes 50 0.300 0.191 to 0.438 15 15 0" in words
    assert "class = no 50 0.000 0.000 to 0.071 0 0 0" in words
    assert "Accuracy changed by \N{MINUS SIGN}0.150 (95 % interval" in words and "n = 100, paired" in words


def test_why_nothing_is_said_of_answers() -> None:
    other = replace(BAD, audit=replace(BAD.audit, subject={"data": {"sha256": "x"}}))

    assert "cannot be said: the audits are of different rows." in section(render(GOOD, other), "churn")
    assert "not both audits kept the answers" in section(render(GOOD, replace(BAD, arrays={})), "churn")


def test_of_two_policies_the_second_judges_both_and_both_verdicts_stay_as_they_were() -> None:
    lax = Policy("lax", (Limit(ACCURACY, "accuracy", fail_below=0.1),))
    first = replace(BAD, audit=judge(BAD.audit, lax))

    html = render(first, GOOD)

    assert [w for w in ("Pass", "Fail") if f"</svg> {w}</p>" in html] == ["Pass"]
    assert "In this comparison “Fail” by floor" in Page(html).words
    words = section(html, "flipped")
    assert "1 judgement came out otherwise, by the same policy." in words
    assert "different policies, lax and floor: both are judged here by the second's." in words
    assert "By it the first is “Fail”, and was “Pass” by its own; 1 figure of it comes out otherwise" in words


def test_the_chain_of_baselines_is_named() -> None:
    middle = against(GOOD, BAD)

    words = Page(render(middle, GOOD)).words

    assert f"Its baseline predictions, sha256 {digest_of(GOOD.audit)[:12]}, “Pass” by floor" in words
    assert words.count("Its baseline") == 1
    assert f"audit.json sha256 {digest_of(middle.audit)[:12]}" in words
    told = json.loads(as_json(compared(middle, GOOD)))
    assert told["before"]["baseline_sha256"] == digest_of(GOOD.audit) == told["after"]["sha256"]
    assert told["after"]["baseline_sha256"] == ""


def test_checks_without_a_result_on_either_side_are_counted_and_not_listed() -> None:
    whole = of_zoo("inplace_relu")
    silent = [o.check for o in whole.audit.outcomes if o.result is None]

    words = section(render(whole, whole), "verdicts")

    assert len(silent) > 2
    assert f"{len(silent)} checks have no result on either side." in words
    assert not [check for check in silent if check in words]


# ---- for programs ------------------------------------------------------------------------------------------------
def parsed(before: Record, after: Record) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(as_json(compared(before, after)))
    return found


def test_the_published_schema_is_the_one_in_use() -> None:
    assert json.loads(PUBLISHED.read_text()) == json_schema()


@pytest.mark.parametrize("sides", [(GOOD, BAD), (record(), GOOD), (record(outcome("x.y")), record())])
def test_comparisons_are_valid_by_the_published_schema_and_damaged_ones_are_not(sides: tuple[Record, Record]) -> None:
    validator = Draft202012Validator(json.loads(PUBLISHED.read_text()))
    told = parsed(*sides)

    assert list(validator.iter_errors(told)) == []
    assert list(validator.iter_errors({**told, "churn": 3}))
    assert list(validator.iter_errors({k: v for k, v in told.items() if k != "findings"}))


def test_real_and_hostile_audits_are_valid_and_canonical(tmp_path: Path) -> None:
    validator = Draft202012Validator(json.loads(PUBLISHED.read_text()))
    for before, after in ((of_zoo("inplace_relu"), of_zoo("residual")), (hostile(), hostile())):
        write(before, after, tmp_path)
        written = (tmp_path / COMPARISON_JSON).read_bytes()

        assert list(validator.iter_errors(json.loads(written))) == []
        assert canonical(json.loads(written)) == written


def test_findings_flips_and_churn_are_there() -> None:
    told = parsed(GOOD, BAD)

    (finding,) = told["findings"]
    assert (finding["id"], finding["became"], finding["paired"]) == (f"{ACCURACY}/accuracy", "new", True)
    assert (finding["status_before"], finding["status_after"]) == ("pass", "fail")
    assert [(f["before"], f["after"], f["cause"], f["limit"]["value"]) for f in told["flipped"]] == [
        ("pass", "fail", "figures", 0.92)
    ]
    assert [(m["name"], m["counts"]) for m in told["churn"]["whole"]] == [
        ("answer_changed", [15, 100]), ("right_to_wrong", [15, 100]), ("wrong_to_right", [0, 100]),
    ]  # fmt: skip
    assert told["same_rows"] and told["same_policy"] and told["not_comparable"] == []
    assert parsed(GOOD, record())["churn"] is None
