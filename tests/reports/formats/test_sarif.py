"""audit.sarif: valid by the official schema, and read as code scanning and viewers read it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from auditor.comparing.baseline import against
from auditor.policy import judge, load_policy
from auditor.policy_file import parse_policy
from auditor.requirements import catalogue, requirement
from auditor.store import Record
from auditor.types import Limit, Policy
from reports.formats import sarif as module
from reports.formats.sarif import sarif
from reports.formats.sarif_results import plain
from tests.reports.formats.cases import BAD, CASES, CHECK, FLOOR, GOOD, figures, judged, outcome
from tests.reports.formats.sarif_schema import sarif_schema
from tests.reports.records import hostile, record

ROOT = Path(__file__).resolve().parents[3]
Log = dict[str, Any]
NAMED = ("EU-AIA:15(1)", "NIST:MEASURE2.11", "NIST:none")


def run_of(found: Record) -> Log:
    (run,) = json.loads(sarif(found))["runs"]
    assert isinstance(run, dict)
    return run


def results(found: Record) -> dict[str, Log]:
    """The results by what they are about."""
    return {r["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]: r for r in run_of(found)["results"]}


@cache
def validator() -> Draft7Validator:
    return Draft7Validator(sarif_schema())


@pytest.mark.parametrize(
    "found", [*(c.record for c in CASES.values()), hostile(), record()], ids=[*CASES, "hostile", "zoo"]
)
def test_it_is_valid_by_the_official_schema(found: Record) -> None:
    log = json.loads(sarif(found))

    assert [e.message for e in validator().iter_errors(log)] == []
    log["runs"][0]["results"].append({"kind": "splendid"})
    assert list(validator().iter_errors(log))


def test_every_limit_has_the_kind_that_the_documents_say() -> None:
    found = run_of(CASES["mixed"].record)["results"]

    said = [
        (r["locations"][0]["logicalLocations"][0]["name"], r["kind"], r["level"], "suppressions" in r) for r in found
    ]
    assert said == [
        ("group=bad", "fail", "error", False),
        ("group=late", "fail", "error", False),
        ("group=kept", "fail", "error", True),
        ("group=good", "fail", "warning", False),
        ("group=nobody", "open", "none", False),
        ("all rows", "open", "none", False),
        ("group=open", "open", "none", False),
        ("group=good", "pass", "none", False),
        ("all rows", "notApplicable", "none", False),
    ]
    assert [r["kind"] for r in run_of(CASES["asked"].record)["results"]] == ["review"]


def test_what_is_accepted_says_who_why_and_until_when() -> None:
    (accepted,) = [r for r in run_of(CASES["mixed"].record)["results"] if "suppressions" in r]

    justification = "Ann accepts it until 2026-12-01: it is retrained"
    assert accepted["suppressions"] == [{"kind": "external", "status": "accepted", "justification": justification}]


def test_every_result_is_at_the_line_of_its_limit() -> None:
    text = f'# a comment\n\n[[limit]]\ncheck = "{CHECK}"\nmeasure = "accuracy"\nfail_below = 0.5\n\n  [[ limit ]]\n'
    text += f'check = "{CHECK}"\nmeasure = "accuracy"\nslice = "group=a"\nwarn_below = 0.99\n'
    policy = parse_policy(text, "strict", "strict policy.toml")

    found = run_of(judged(policy, outcome(CHECK, measures=figures(a=GOOD, b=BAD))))

    places = {(r["kind"], r["level"]): r["locations"][0]["physicalLocation"] for r in found["results"]}
    assert {place["artifactLocation"]["uri"] for place in places.values()} == {"strict%20policy.toml"}
    assert {what: place["region"]["startLine"] for what, place in places.items()} == {
        ("fail", "error"): 3, ("fail", "warning"): 8, ("pass", "none"): 3,
    }  # fmt: skip


def test_a_built_in_policy_is_the_file_that_the_auditor_brings() -> None:
    audit = judge(record().audit, load_policy("default"))
    found = run_of(Record(audit))

    assert found["results"]
    for place in (r["locations"][0]["physicalLocation"] for r in found["results"]):
        lines = (ROOT / place["artifactLocation"]["uri"]).read_text().splitlines()
        assert lines[place["region"]["startLine"] - 1] == "[[limit]]"
        assert place["artifactLocation"]["uriBaseId"] in found["originalUriBaseIds"]


def test_fingerprints_tell_limits_apart_and_stay_the_same_when_figures_change() -> None:
    def prints(found: Record) -> dict[str, str]:
        return {about: r["partialFingerprints"]["primaryLocationLineHash"] for about, r in results(found).items()}

    before, after = (
        judged(CASES["one"].record.audit.policy, outcome(CHECK, measures=figures(a=a, b=GOOD))) for a in (5, 20)
    )

    assert prints(before) == prints(after)
    parts = json.dumps([CHECK, "accuracy", "group=a", "fail_below"], separators=(",", ":"))
    assert prints(before)[f"{CHECK}/accuracy/group=a"] == f"{hashlib.sha256(parts.encode()).hexdigest()}:1"
    for case in CASES.values():
        found = [r["partialFingerprints"]["primaryLocationLineHash"] for r in run_of(case.record)["results"]]
        absent = sum(r.get("baselineState") == "absent" for r in run_of(case.record)["results"])
        assert len(set(found)) == len(found) and absent in (0, 1)


def test_what_is_fixed_is_the_alert_that_it_was_and_others_keep_theirs() -> None:
    policy = Policy("p", (Limit(CHECK, "accuracy", fail_below=0.04, warn_below=0.6),))
    bad, good = (judged(policy, outcome(CHECK, measures=figures(a=k))) for k in (60, GOOD))

    then, fixed, later = (
        {(r.get("baselineState"), r["partialFingerprints"]["primaryLocationLineHash"]): r["kind"] for r in of}
        for of in (run_of(found)["results"] for found in (bad, against(bad, good), good))
    )
    (absent,) = [mark for state, mark in fixed if state == "absent"]
    assert absent.partition(":")[0] in {mark.partition(":")[0] for (_, mark), kind in then.items() if kind == "fail"}
    assert {mark for state, mark in fixed if state != "absent"} == {mark for _, mark in later}


def test_two_limits_that_say_the_same_have_fingerprints_of_their_own() -> None:
    twice = Limit(CHECK, "accuracy", fail_below=0.5)
    found = run_of(judged(Policy("p", (twice, twice)), outcome(CHECK, measures=figures(a=BAD))))["results"]

    ends = [r["partialFingerprints"]["primaryLocationLineHash"].partition(":") for r in found]
    assert [end for _, _, end in ends] == ["1", "2"] and ends[0][0] == ends[1][0]


def test_requirements_are_taxa_of_their_frameworks() -> None:
    limit = replace(FLOOR, requirement=NAMED)
    run = run_of(judged(Policy("p", (limit,)), outcome(CHECK, measures=figures(a=BAD))))

    assert [(t["name"], [x["id"] for x in t["taxa"]]) for t in run["taxonomies"]] == [
        ("EU-AIA", ["EU-AIA:15(1)"]), ("NIST", ["NIST:MEASURE2.11", "NIST:none"]),
    ]  # fmt: skip
    for taxonomy in run["taxonomies"]:
        assert f"catalogue {catalogue().version} of {catalogue().as_of}" in taxonomy["shortDescription"]["text"]
    known, unknown = run["taxonomies"][1]["taxa"]
    assert known["shortDescription"]["text"] == requirement("NIST:MEASURE2.11").title
    assert unknown == {"id": "NIST:none"}
    for result in run["results"]:
        assert [t["id"] for t in result["taxa"]] == list(NAMED)


def test_what_became_of_a_result_since_the_baseline() -> None:
    found = run_of(CASES["baseline"].record)["results"]

    said = [(r["locations"][0]["logicalLocations"][0]["name"], r["kind"], r["baselineState"]) for r in found]
    assert said == [
        ("group=a", "fail", "updated"),  # 10 of 200 after 30
        ("group=c", "fail", "new"),
        ("group=b", "fail", "absent"),
        ("group=b", "pass", "new"),
        ("group=d", "pass", "unchanged"),
    ]
    for without in ("one", "otherwise"):
        assert not any("baselineState" in r for r in run_of(CASES[without].record)["results"])


def test_errors_are_notifications_and_name_their_rule() -> None:
    run = run_of(CASES["mixed"].record)
    (invocation,) = run["invocations"]
    (said,) = invocation["toolExecutionNotifications"]

    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 1)
    assert said["message"]["text"] == "robustness.trust ended with an error: ValueError: no"
    assert run["tool"]["driver"]["rules"][said["associatedRule"]["index"]]["id"] == "robustness.trust"
    (interrupted,) = run_of(CASES["interrupted"].record)["invocations"]
    assert interrupted["exitCode"] == 2 and not interrupted["executionSuccessful"]
    assert "interrupted" in interrupted["toolExecutionNotifications"][0]["message"]["text"]


def test_there_is_a_rule_for_each_check_that_judged_or_should_have() -> None:
    run = run_of(CASES["mixed"].record)
    rules = run["tool"]["driver"]["rules"]

    assert [r["id"] for r in rules] == [CHECK, "robustness.trust", "explain.lrp"]
    assert rules[0]["name"] == "FairnessGroups" and rules[0]["shortDescription"]["text"] == f"Title of {CHECK}."
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])


def test_code_scanning_takes_every_result() -> None:
    """It refuses a whole file for one result without a place."""
    for found in [*(c.record for c in CASES.values()), hostile()]:
        for result in run_of(found)["results"]:
            (location,) = result["locations"]
            assert location["physicalLocation"]["region"]["startLine"] >= 1
            assert re.fullmatch(r"[A-Za-z0-9._~%/-]+", location["physicalLocation"]["artifactLocation"]["uri"])
            assert result["message"]["text"]


@pytest.mark.parametrize(
    ("cap", "value", "kept"), [("MOST_RESULTS", 4, 4), ("MOST_RESULTS", 8, 8), ("MOST_BYTES", 2_000, 4)]
)
def test_what_did_not_pass_is_kept_where_there_is_no_room(
    cap: str, value: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = run_of(CASES["mixed"].record)["results"]
    monkeypatch.setattr(module, cap, value)

    run = run_of(CASES["mixed"].record)

    said = run["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"]
    assert run["results"] == every[:kept]
    left_out = len(every) - kept
    assert said.startswith(f"{left_out} result{'s' if left_out > 1 else ''} left out: a run takes no more.")
    assert run["properties"]["resultsLeftOut"] == left_out


def test_messages_show_text_as_it_is() -> None:
    assert plain("a [b](http://c) {0}\n\\d") == "a \\[b\\](http://c) {{0}} \\\\d"
    assert len(plain("x" * 10_000)) == 2_000
    for result in run_of(hostile())["results"]:
        text = result["message"]["text"]
        assert not re.search(r"(?<!\\)[\[\]]", text) and "{" not in text.replace("{{", "")


def test_code_scanning_is_given_what_a_person_must_look_at(tmp_path: Path) -> None:
    jq = shutil.which("jq")
    if jq is None:
        pytest.skip("jq is not installed")
    (command,) = re.findall(r"jq '(.+?)' audit-out/audit.sarif", (ROOT / "docs" / "formats.md").read_text(), re.DOTALL)

    for case in CASES.values():
        done = subprocess.run([jq, command], input=sarif(case.record), capture_output=True, check=True)
        (run,) = json.loads(done.stdout)["runs"]
        assert len(run["results"]) == case.findings - case.accepted - case.errors
        assert [e.message for e in validator().iter_errors(json.loads(done.stdout))] == []
        (tmp_path / "audit.sarif").write_bytes(sarif(case.record))
        script = [sys.executable, "-I", str(ROOT / "app" / "ci" / "alerts.py"), str(tmp_path / "audit.sarif")]
        uploaded = subprocess.run(script, capture_output=True, check=True).stdout
        assert json.loads(uploaded) == json.loads(done.stdout)  # as the action does


@pytest.mark.slow
def test_the_multitool_has_nothing_to_say_but_that_there_is_no_address(tmp_path: Path) -> None:
    """Microsoft's validator (npm: @microsoft/sarif-multitool), with its own rules and those of code scanning."""
    tool = os.environ.get("SARIF_MULTITOOL") or shutil.which("sarif-multitool")
    if tool is None:
        pytest.skip("sarif-multitool is not installed")
    files = {**{name: c.record for name, c in CASES.items()}, "hostile": hostile()}
    for name, found in files.items():
        (tmp_path / f"{name}.sarif").write_bytes(sarif(found))

    done = subprocess.run(
        [tool, "validate", *(f"{name}.sarif" for name in files), "--rule-kind", "Sarif;Ghas"],
        cwd=tmp_path, env={**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip

    assert f"{len(files)} files scanned" in done.stdout
    told = re.findall(r"(?:error|warning) (SARIF\d+|GH\d+|GHAzDO\d+)", done.stdout)
    assert set(told) <= {"SARIF2005"}  # no informationUri: reports name no address
