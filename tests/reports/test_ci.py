"""What pipelines read: exit codes, JUnit, Markdown, the manifest."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from junitparser import JUnitXml

from auditor.policy import INTERRUPTED, judge
from auditor.registry import CHECKS
from auditor.store import Record
from auditor.types import Limit, Outcome, Status, Verdict
from reports.bundle import write
from reports.ci import exit_code, junit, summary
from tests.reports.records import hostile, record, with_policy

FAILS = Limit("performance.accuracy", "accuracy", slice="", fail_below=0.99)


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.PASS, 0), (Verdict.CONDITIONS, 0), (Verdict.FAIL, 1), (Verdict.INCOMPLETE, 2)]
)
def test_exit_codes(verdict: Verdict, code: int) -> None:
    assert exit_code(replace(record().audit, verdict=verdict)) == code


def test_junit_says_of_every_check_how_it_ended() -> None:
    found = with_policy(record(), FAILS)
    broken = Outcome("explain.lrp", "LRP", "", Status.ERROR, "boom", {})
    outcomes = tuple(broken if o.check == "explain.lrp" else o for o in found.audit.outcomes)
    xml = junit(replace(found, audit=replace(found.audit, outcomes=outcomes)))
    (suite,) = JUnitXml.fromstring(xml.encode())
    cases = {c.classname: [type(r).__name__ for r in c.result] for c in suite}

    assert cases["performance.accuracy"] == ["Failure"]
    assert cases["explain.lrp"] == ["Error"]
    assert cases["fairness.impact_ratio"] == ["Skipped"]
    assert cases["intake.preflight"] == []
    assert (suite.tests, suite.failures, suite.errors) == (len(CHECKS), 1, 1)


def test_the_summary_shows_verdict_findings_and_every_check() -> None:
    text = summary(with_policy(record(), FAILS))

    assert text.startswith("## Fail: audit of zoo 1.0\n")
    assert "- **Failed**: The model is right in 0.83 of the rows" in text.replace("\\", "")
    assert all(f"| `{o.check}` |" in text for o in record().audit.outcomes)


def interrupted() -> Record:
    audit = record().audit
    last = replace(audit.outcomes[-1], status=Status.SKIPPED, reason=INTERRUPTED, result=None, judgements=())
    return replace(record(), audit=judge(replace(audit, outcomes=(*audit.outcomes[:-1], last)), audit.policy))


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (interrupted(), "The audit was interrupted: 1 check did not finish, so nothing is concluded."),
        (with_policy(record()), "No limit of the policy names a figure that was measured, so nothing was judged."),
    ],
)
def test_an_incomplete_audit_says_why_and_is_an_error(found: Record, why: str) -> None:
    (suite,) = JUnitXml.fromstring(junit(found).encode())
    (case,) = [c for c in suite if c.name == "audit"]

    assert exit_code(found.audit) == 2
    assert (suite.tests, suite.failures, suite.errors) == (len(CHECKS) + 1, 0, 1)
    assert case.result[0].message == why
    assert why in summary(found).replace("\\", "")


def test_the_summary_says_how_many_findings_it_leaves_out() -> None:
    recalls = [
        Limit("performance.accuracy", name, fail_below=0.999) for name in ("recall", "precision") for _ in range(8)
    ]

    text = summary(with_policy(record(), *recalls))

    assert len(re.findall(r"^- \*\*", text, re.MULTILINE)) == 20
    assert re.search(r"^- and \d+ more findings, in report.html$", text, re.MULTILINE)


def test_hostile_text_stays_text_in_every_format() -> None:
    text, xml = summary(hostile()), junit(hostile())

    assert re.findall(r"(?<!\\)[<>\[\]]", text) == []  # Markdown shows what stands behind a backslash as it is
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 2 + len(CHECKS)
    assert JUnitXml.fromstring(xml.encode())


def test_the_manifest_holds_the_digest_of_every_file(tmp_path: Path) -> None:
    write(record(), tmp_path)
    listed = json.loads((tmp_path / "manifest.json").read_text())
    files = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}

    assert set(listed) == files - {"manifest.json"}
    assert {"audit.json", "run.json", "report.html", "junit.xml", "summary.md"} <= files
    assert any(f.startswith("evidence/") for f in files)
    for name, digest in listed.items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
