"""All formats tell of the same findings, and the same audit gives the same bytes."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from junitparser import JUnitXml

from reports.bundle import FORMATS, write
from reports.findings import findings
from reports.formats.findings_table import findings_csv, findings_parquet
from reports.formats.junit import junit
from reports.formats.markdown import summary
from reports.formats.sarif import sarif
from tests.reports.formats.cases import CASES, Case
from tests.reports.records import hostile

EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def undecided_of(case: Case) -> int:
    return case.undecided + case.undecided_required + case.missing + case.waiting


@EVERY
def test_the_cases_are_what_they_are_said_to_be(case: Case) -> None:
    assert case.record.audit.verdict is case.verdict
    assert len(findings(case.record.audit)) == case.findings


@EVERY
def test_junit_counts_the_same(case: Case) -> None:
    (suite,) = JUnitXml.fromstring(junit(case.record).encode())
    incomplete = case.verdict == "incomplete" and not (case.errors + case.missing + case.undecided_required)

    assert suite.failures == case.failed
    assert suite.errors == case.errors + case.missing + case.undecided_required + incomplete
    undecided = [c for c in suite if any(r.type == "undecided" for r in c.result)]
    assert len(undecided) == case.undecided + case.undecided_required
    warned = [c for c in suite if not c.result and str(c.system_out).startswith(("[warn]", "[fail]"))]
    assert len(warned) == case.warned
    passed = [c for c in suite if not c.result and str(c.system_out).startswith("[pass]")]
    assert len(passed) == case.passed


@EVERY
def test_sarif_counts_the_same(case: Case) -> None:
    (run,) = json.loads(sarif(case.record))["runs"]
    now = [r for r in run["results"] if r.get("baselineState") != "absent"]
    held = [r for r in now if "suppressions" not in r]
    (invocation,) = run["invocations"]
    reported = [n for n in invocation["toolExecutionNotifications"] if "associatedRule" in n]

    assert sum((r["kind"], r["level"]) == ("fail", "error") for r in held) == case.failed
    assert sum((r["kind"], r["level"]) == ("fail", "warning") for r in held) == case.warned - case.accepted
    assert len(now) - len(held) == case.accepted
    assert sum(r["kind"] == "open" for r in now) == undecided_of(case)
    assert sum(r["kind"] == "pass" for r in now) == case.passed
    assert len(reported) == case.errors
    assert invocation["executionSuccessful"] is not (bool(case.errors) or case.stopped)


@EVERY
def test_the_tables_count_the_same(case: Case) -> None:
    rows = list(csv.DictReader(io.StringIO(findings_csv(case.record).decode(), newline="")))
    typed = pq.ParquetFile(io.BytesIO(findings_parquet(case.record)), pre_buffer=False).read(use_threads=False)
    counts = {
        "fail": case.failed, "warn": case.warned, "pass": case.passed,
        "error": case.errors + (case.stopped and case.verdict == "incomplete"),  # that no row is the last word
        "inconclusive": undecided_of(case),
    }  # fmt: skip

    for found in (rows, typed.to_pylist()):
        assert {word: sum(r["counts_as"] == word for r in found) for word in counts} == counts
        assert sum(bool(r["key"]) for r in found) == case.findings
        assert sum(r["accepted"] in (True, "true") for r in found) == case.accepted


@EVERY
def test_the_summary_counts_the_same(case: Case) -> None:
    text = summary(case.record)
    shown = len(re.findall(r"^- \*\*F\d+ ", text, re.MULTILINE))
    more = re.search(r"^(\d+) more findings?, in report.html.$", text, re.MULTILINE)

    assert shown + (int(more[1]) if more else 0) == case.findings
    assert ("Accepted for now: 1 finding." in text) is bool(case.accepted)


@EVERY
def test_the_same_audit_gives_the_same_bytes(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    once = {name: made(case.record) for name, made in FORMATS}
    monkeypatch.setenv("TZ", "Asia/Tokyo")

    assert {name: made(case.record) for name, made in FORMATS} == once


def test_every_format_is_written_and_none_knows_when(tmp_path: Path) -> None:
    """Only report.html and what expires soon go by the day of the audit; none goes by the day it is written."""
    now = CASES["baseline"].record
    later = replace(now, run={"started": "2027-03-01T09:14:00+00:00"})
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, made in zip(folders, (now, later), strict=True):
        folder.mkdir()
        write(made, folder)

    names = [name for name, _ in FORMATS if name != "report.html"]
    assert all((folder / name).is_file() for folder in folders for name in names)
    assert all((folders[0] / name).read_bytes() == (folders[1] / name).read_bytes() for name in names)


def test_hostile_text_breaks_no_format() -> None:
    for name, made in FORMATS:
        assert made(hostile()), name
    assert JUnitXml.fromstring(junit(hostile()).encode())
    assert json.loads(sarif(hostile()))
    assert len(list(csv.reader(io.StringIO(findings_csv(hostile()).decode(), newline="")))) > 1
