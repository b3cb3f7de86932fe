"""An audit as tests: which there are, and how each ended."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from app.as_tests import VERDICT_TEST, answered, main, outcomes, selected
from auditor.config import load_audit_file
from auditor.policy import judge
from auditor.types import Acceptance, Audit, Limit, Outcome, Policy, Status, Verdict
from reports.verdict import why
from tests.app.files import AUDIT, table_audit
from tests.reports.records import hostile, record, with_policy

ACCURACY = "performance.accuracy"  # 0.83 on the zoo's model, of which few rows are known


def judged(*limits: Limit) -> Audit:
    return with_policy(record(), *limits).audit


def limit(measure: str = "accuracy", **bounds: float | str | bool) -> Limit:
    return Limit(ACCURACY, measure, slice="", **bounds)


@pytest.mark.parametrize(
    ("given", "end", "of_verdict"),
    [
        (limit(fail_below=0.1), "passed", "passed"),
        (limit(warn_below=0.999), "warned", "warned"),
        (limit(fail_below=0.999), "failed", "failed"),
        (limit(fail_below=0.83), "skipped", "warned"),
        (limit(fail_below=0.83, required=True), "failed", "failed"),
        (limit("nothing", fail_below=0.5, required=True), "failed", "failed"),
        (limit("nothing", fail_below=0.5), "failed", "failed"),  # on what its check does not have
        (limit(fail_below="nothing"), "failed", "failed"),
    ],
)
def test_a_limit_decides_the_test_of_its_check_and_that_of_the_verdict(given: Limit, end: str, of_verdict: str) -> None:
    audit = judged(given)
    found = outcomes(audit)
    outcome = audit.outcome(ACCURACY)
    assert outcome is not None

    assert found[ACCURACY][0] == end
    assert found[VERDICT_TEST] == (of_verdict, why(audit))
    if end != "passed" and outcome.judgements:
        (judgement,) = outcome.judgements
        assert found[ACCURACY][1] == f"[{judgement.status}] {judgement.sentence}"
    elif end == "failed":
        assert found[ACCURACY][1].startswith("The policy asks for nothing: performance.accuracy has no measure nothing")


def test_a_limit_that_waits_for_a_baseline_warns_and_fails_no_check() -> None:
    found = outcomes(judged(limit(fail_below=0.1), limit(fail_worse_by=0.1)))

    assert (found[ACCURACY][0], found[VERDICT_TEST][0]) == ("passed", "warned")


def test_every_check_and_the_verdict_ends_in_one_way() -> None:
    audit = judged(limit(fail_below=0.1))
    found = outcomes(audit)
    by_status = {o.status: found[o.check] for o in audit.outcomes}

    assert list(found) == [*(o.check for o in audit.outcomes), VERDICT_TEST]
    assert by_status[Status.NOT_APPLICABLE][0] == "skipped"
    assert by_status[Status.MEASURED] == ("passed", "")
    assert all(found[o.check] == ("skipped", o.reason) for o in audit.outcomes if o.result is None)


def test_a_check_that_failed_to_run_is_an_error() -> None:
    broken = Outcome(ACCURACY, "Accuracy", "", Status.ERROR, "boom\nand more", {})
    audit = judge(record().audit.with_outcome(broken), Policy("mine", (limit(fail_below=0.999),)))

    found = outcomes(audit)

    assert found[ACCURACY] == ("error", "boom and more")
    assert found[VERDICT_TEST][0] == "failed"


@pytest.mark.parametrize(
    ("day", "end", "said"),
    [
        (date(2026, 5, 31), "warned", "Accepted by Ada until 31 May 2026 (counts as a warning while accepted): known"),
        (date(2026, 6, 1), "failed", "Ada accepted it until 31 May 2026, which has passed: known"),
    ],
)
def test_a_risk_that_somebody_accepts_warns_until_that_expires(day: date, end: str, said: str) -> None:
    accepted = (Acceptance(f"{ACCURACY}/accuracy", "Ada", "known", date(2026, 5, 31)),)
    audit = judge(record().audit, Policy("mine", (limit(fail_below=0.999),), accepted), day)

    found = outcomes(audit)

    assert found[ACCURACY][0] == found[VERDICT_TEST][0] == end
    assert found[ACCURACY][1].startswith("[fail] accuracy is") and found[ACCURACY][1].endswith(said)


def test_the_verdict_passes_for_no_verdict_but_pass() -> None:
    ends = {v: outcomes(replace(record().audit, verdict=v))[VERDICT_TEST][0] for v in Verdict}

    assert ends == {
        Verdict.PASS: "passed", Verdict.CONDITIONS: "warned", Verdict.FAIL: "failed", Verdict.INCOMPLETE: "failed",
    }  # fmt: skip


@pytest.mark.slow
def test_hostile_text_stays_on_its_line() -> None:
    audit = hostile().audit
    every = [Limit(o.check, m.name, fail_above=-1e9) for o in audit.outcomes for m in o.measures]
    texts = [
        line for _, said in outcomes(judge(audit, Policy("mine", tuple(every)))).values() for line in said.split("\n")
    ]

    assert any("<script>" in line or "onerror" in line for line in texts)  # it is there, and it is text
    assert all(line.isprintable() for line in texts)


# ---- what is asked -----------------------------------------------------------------------------------------------
def test_the_tests_of_a_file_are_the_checks_that_it_selects(tmp_path: Path) -> None:
    path = table_audit(tmp_path, AUDIT.replace('profile = "quick"', 'profile = "quick"\nskip = ["fairness.*"]'))

    tests = selected(load_audit_file(path), tmp_path)

    assert [check for check, _ in tests] == ["intake.preflight", "explain.lrp", ACCURACY, "robustness.curve"]
    assert dict(tests)["robustness.curve"] == "Robust accuracy"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("target =", "targt =", "unknown key 'targt' in [data]"),
        ("robustness.curve", "robustness.curv", "no check matches 'robustness.curv'"),
        ("steps = 5", "stepps = 5", "robustness.curve has no setting 'stepps'"),
        ("[checks]", "[policy]\npath = 'p.toml'\n[checks]", "names the measure 'acuracy'"),
        ("d.csv", "gone.csv", "[data] path 'gone.csv' does not exist"),
    ],
)
def test_what_cannot_be_audited_is_refused_before_the_model_is_read(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    path = table_audit(tmp_path, AUDIT.replace(old, new))
    (tmp_path / "m.safetensors").write_bytes(b"no model")
    (tmp_path / "p.toml").write_text("[[limit]]\ncheck='performance.accuracy'\nmeasure='acuracy'\nfail_below=1\n")

    found = answered({"file": str(path), "policy": None})

    assert list(found) == ["refused"]
    assert line in found["refused"] and "\n" not in found["refused"]


def test_a_policy_stands_for_that_of_the_file_from_wherever_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table_audit(tmp_path)
    (tmp_path / "strict.toml").write_text("[[limit]]\ncheck='performance.accuracy'\nmeasure='accuracy'\nwarn_below=2\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    request = {"file": str(path), "out": str(tmp_path / "out"), "only": [ACCURACY]}

    found = answered({**request, "policy": "../strict.toml"})
    audit = json.loads((tmp_path / "out" / "audit.json").read_text())

    assert found["outcomes"][ACCURACY][0] == "warned"
    assert audit["policy"]["name"] == "strict"
    assert found["report"] == str(tmp_path / "out" / "report.html")
    assert "no-policy" in answered({**request, "policy": "no-policy"})["refused"]


def test_an_answer_is_written_in_one_piece(tmp_path: Path) -> None:
    main(tmp_path / "answer.json", json.dumps({"file": str(tmp_path / "gone.toml"), "policy": None}))

    assert [p.name for p in tmp_path.iterdir()] == ["answer.json"]
    assert "no audit file 'gone.toml'" in json.loads((tmp_path / "answer.json").read_bytes())["refused"]


def test_an_error_of_ours_is_a_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.as_tests.selected", lambda *_: 1 / 0)

    found = answered({"file": str(table_audit(tmp_path)), "policy": None})

    assert found == {"refused": "internal error, please report it: ZeroDivisionError: division by zero"}
