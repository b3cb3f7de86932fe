"""The command line as its user meets it: exit codes, one line for what is refused, nothing half-written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from app.cli import invoke
from tests.app.files import AUDIT

Edit = Callable[[Path], object]


def test_run_leaves_everything_and_says_where(audit_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = invoke(["run", str(audit_file)])
    out, err = capsys.readouterr()
    folder = audit_file.parent / "audit-out"

    assert code == 0
    assert err == ""
    assert f"report: {folder / 'report.html'}" in out
    for name in ("audit.json", "run.json", "report.html", "junit.xml", "summary.md", "manifest.json", "evidence"):
        assert (folder / name).exists()
    audit = json.loads((folder / "audit.json").read_text())
    ran = [o["check"] for o in audit["outcomes"] if o["result"]]
    others = [check for check in ran if not check.startswith("fairness.")]
    assert others == ["intake.preflight", "explain.lrp", "performance.accuracy", "robustness.curve"]
    assert {"fairness.calibration", "fairness.groups", "fairness.impact_ratio"} < set(ran)
    assert ran[-1] == "fairness.robustness"


def test_two_runs_are_byte_identical(audit_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("one", "two"):
        assert invoke(["run", str(audit_file), "--out", str(tmp_path / name)]) == 0

    for name in ("audit.json", "report.html", "junit.xml", "summary.md", "evidence/robustness.curve.npz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_audit_holds_no_clock_no_path_and_no_host(audit_file: Path) -> None:
    import socket
    import time

    invoke(["run", str(audit_file)])
    text = (audit_file.parent / "audit-out" / "audit.json").read_text()

    assert str(audit_file.parent) not in text
    assert socket.gethostname() not in text
    assert time.strftime("%Y-%m-%d") not in text
    assert not re.search(r'"seconds"|"peak_mb"', text)


def test_json_profile_only_and_set(audit_file: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    code = invoke(
        ["run", str(audit_file), "--json", "--profile", "standard", "--only", "robustness.*", "--set",
         "robustness.curve.epsilons=[0.1, 0.2]", "--set", "robustness.curve.steps=3"]
    )  # fmt: skip
    audit = json.loads(capsysbinary.readouterr().out)
    (curve,) = [o for o in audit["outcomes"] if o["check"] == "robustness.curve"]

    assert code == 0  # a limit of the policy names robustness.trust, and no sign of weakness was seen
    assert curve["params"] == {
        "norm": "linf", "epsilons": [0.1, 0.2], "samples": 20, "steps": 3, "shown": 4, "moved_by": 0.0,
        "similarity": 0.55,
    }  # fmt: skip
    assert audit["verdict"] == "pass"


def test_checks_are_listed_with_their_settings(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert invoke(["checks"]) == 0
    plain = capsys.readouterr().out
    assert re.search(
        r"^robustness.curve +Robust accuracy\n"
        r"    settings: norm, epsilons, samples, steps, moved_by, shown, similarity\n"
        r"    measures: noise_accuracy, noise_stable_rate, robust_accuracy, stable_rate$",
        plain,
        re.MULTILINE,
    )
    assert len(list(tmp_path.rglob("catalogue-*.json"))) == 1
    assert invoke(["checks", "--json"]) == 0


# ---- what is refused ---------------------------------------------------------------------------------------------
def replaced(old: str, new: str) -> Edit:
    return lambda folder: (folder / "audit.toml").write_text(AUDIT.replace(old, new))


def rows(text: str) -> Edit:
    return lambda folder: (folder / "d.csv").write_text(text)


BAD: dict[str, tuple[Edit, str]] = {
    "no such audit file": (lambda f: (f / "audit.toml").unlink(), "no audit file 'audit.toml'"),
    "not TOML": (replaced("[model]", "[model"), "is not TOML"),
    "an unknown key": (replaced("target =", "targt ="), "unknown key 'targt' in [data]; known: classes"),
    "an unknown section": (replaced("[model]", "[modell]"), "unknown key 'modell' in the top level"),
    "an unknown check": (replaced("robustness.curve", "robustness.curv"), "no check matches 'robustness.curv'"),
    "a number that cannot be stored": (replaced("samples = 20", f"samples = {2**60}"), "a whole number of at most"),
    "an unknown setting": (replaced("steps = 5", "stepps = 5"), "robustness.curve has no setting 'stepps'"),
    "a negative epsilon": (replaced("steps = 5", "epsilons = [-0.1]"), "robustness.curve.epsilons = [-0.1]"),
    "an unknown profile": (replaced('"quick"', '"fast"'), "checks.profile: input should be 'quick'"),
    "a missing model file": (lambda f: (f / "m.safetensors").unlink(), "model file 'm.safetensors' does not exist"),
    "a missing data file": (lambda f: (f / "d.csv").unlink(), "data file 'd.csv' does not exist"),
    "another architecture": (replaced("mlp:3-6-2", "mlp:3-5-2"), "0.bias is 6, the architecture needs 5"),
    "no architecture": (replaced('architecture = "mlp:3-6-2"', ""), "say what they belong to"),
    "inputs of another shape": (rows("a,b,sex,y\n1,2,f,0\n3,4,m,1\n"), "cannot take inputs of shape (2, 2)"),
    "labels out of range": (rows("a,b,c,sex,y\n1,2,3,f,0\n1,2,3,m,7\n"), "label 7 (row 1) has no output"),
    "empty data": (rows("a,b,c,sex,y\n"), "is empty: it has no rows"),
    "a missing sensitive column": (replaced('["sex"]', '["race"]'), "no column 'race', which is its sensitive column"),
    "a missing target": (replaced('"y"', '"label"'), "no column 'label', which is its target"),
    "text among the numbers": (rows("a,b,c,sex,y\n1,x,3,f,0\n"), "'b' holds 'x' in row 0"),
    "a model that is no model": (lambda f: (f / "m.safetensors").write_text("hello"), "is no model file"),
    "an unknown policy": (replaced("[checks]", "[policy]\npath = 'x.toml'\n[checks]"), "'x.toml' cannot be read"),
    "a setting of a defence": (replaced("[checks]", "[defend.pgd]\nepoch = 3\n[checks]"), "defend.pgd has no setting"),
    "an unknown defence": (replaced("[checks]", "[defend.magic]\n[checks]"), "no defence 'magic'; known: "),
    "a reference of another shape": (
        lambda f: [replaced('target = "y"', 'target = "y"\nreference = "r.csv"')(f),
                   (f / "r.csv").write_text("a,b,y\n1,2,0\n")], "'r.csv' has no column 'c', which is its input column",
    ),
    "a reference without rows": (
        lambda f: [replaced('target = "y"', 'target = "y"\nreference = "r.csv"')(f),
                   (f / "r.csv").write_text("a,b,c,y\n")], "is empty: it has no rows",
    ),
    "a reference with a label too many": (
        lambda f: [replaced('target = "y"', 'target = "y"\nreference = "r.csv"')(f),
                   (f / "r.csv").write_text("a,b,c,y\n1,2,3,0\n1,2,3,2\n")],
        "reference: label 2 has no output: the model has 2 classes",
    ),
    "too many class names": (
        replaced('target = "y"', 'target = "y"\nclasses = ["a", "b", "c"]'), "2 classes; 3 are named",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused_is_one_line_and_leaves_nothing(
    audit_file: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit, message = BAD[name]
    edit(audit_file.parent)
    before = sorted(p.name for p in audit_file.parent.iterdir())

    code = invoke(["run", str(audit_file)])
    out, err = capsys.readouterr()

    assert code == 3
    assert out == ""
    assert err.startswith("auditor: ") and message in err
    assert err.count("\n") == 1
    assert sorted(p.name for p in audit_file.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "Missing argument 'AUDIT.toml'"),
        (["run", "a.toml", "--fast"], "No such option: --fast"),
        (["fly"], "No such command 'fly'"),
        (["run", "a.toml", "--profile", "fast"], "no audit file 'a.toml'"),
        (["demo", "moon"], "no demo 'moon'; known: credit, imagenet, digits"),
        (["judge", ".", "--policy", "default"], "holds no audit"),
        (["compare", ".", ".", "--out", "x"], "holds no audit"),
    ],
)
def test_mistakes_on_the_command_line(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert invoke(arguments) == 3
    _, err = capsys.readouterr()
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "fast"], "--profile 'fast' does not exist; known: quick, standard, deep"),
        (["--set", "samples=3"], "--set 'samples=3' is no setting; expected ID.PARAM=VALUE"),
        (["--set", "explain.lrp.samples"], "is no setting"),
        (["--set", "explain.lrp.samples=few"], "explain.lrp.samples = 'few'"),
        (["--only", "explain.lpr"], "no check matches 'explain.lpr'"),
    ],
)
def test_mistakes_in_options(
    audit_file: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["run", str(audit_file), *arguments]) == 3
    assert message in capsys.readouterr().err


def test_a_refusal_keeps_the_older_audit(audit_file: Path) -> None:
    invoke(["run", str(audit_file), "--only", "performance.*"])
    before = (audit_file.parent / "audit-out" / "audit.json").read_bytes()
    (audit_file.parent / "m.safetensors").write_text("hello")

    assert invoke(["run", str(audit_file), "--only", "performance.*"]) == 3
    assert (audit_file.parent / "audit-out" / "audit.json").read_bytes() == before


def test_a_folder_with_other_files_is_refused_before_anything_runs(
    audit_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")

    assert invoke(["run", str(audit_file), "--out", str(tmp_path / "mine")]) == 3
    assert "holds 'thesis.txt', which no audit left there" in capsys.readouterr().err


def test_an_internal_error_has_a_code_of_its_own(
    audit_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        msg = "a\nb"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr("reports.bundle.write", broken)

    assert invoke(["run", str(audit_file), "--only", "performance.*"]) == 4
    assert capsys.readouterr().err == "auditor: internal error, please report it: ZeroDivisionError: a b\n"
    assert not (audit_file.parent / "audit-out").exists()


def test_ctrl_c_leaves_an_incomplete_audit_of_what_had_finished(
    audit_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("auditor.checks.robustness_curve.table_curve", stop)

    assert invoke(["run", str(audit_file)]) == 2
    audit = json.loads((audit_file.parent / "audit-out" / "audit.json").read_text())
    status = {o["check"]: o["status"] for o in audit["outcomes"]}
    assert audit["verdict"] == "incomplete"
    assert "\n  The audit was interrupted: 2 checks did not finish" in capsys.readouterr().out
    assert status["robustness.curve"] == "skipped"
    assert status["performance.accuracy"] == "pass"


def test_ctrl_c_before_anything_was_measured_is_one_line(
    audit_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("auditor.performing.open_audit", stop)

    assert invoke(["run", str(audit_file)]) == 2
    assert capsys.readouterr().err == "auditor: interrupted before it had finished\n"
    assert not (audit_file.parent / "audit-out").exists()


def test_an_interrupted_audit_goes_beside_the_complete_one(
    audit_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    invoke(["run", str(audit_file)])
    complete = (audit_file.parent / "audit-out" / "audit.json").read_bytes()
    monkeypatch.setattr("auditor.checks.robustness_curve.table_curve", stop)
    capsys.readouterr()

    assert invoke(["run", str(audit_file)]) == 2
    beside = audit_file.parent / "audit-out-interrupted"
    assert f"report: {beside / 'report.html'}" in capsys.readouterr().out
    assert "The audit was interrupted: 2 checks did not finish" in (beside / "report.html").read_text()
    assert (audit_file.parent / "audit-out" / "audit.json").read_bytes() == complete


@pytest.mark.parametrize("arguments", [["run", "audit.toml", "--only", "performance.*", "--json"], ["--help"]])
def test_a_reader_who_left_changes_no_exit_code(audit_file: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "app.cli", *arguments]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=audit_file.parent, check=False
    )
    os.close(writing)

    assert done.returncode == 0
    assert done.stderr == ""


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke([]) == 0
    assert "What a PyTorch model looks at" in capsys.readouterr().out


def test_predictions_alone_are_audited(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "p,sex,y\n" + "\n".join(f"{i / 100},{'fm'[i % 2]},{int(i > 45)}" for i in range(100))
    )
    (tmp_path / "a.toml").write_text('[data]\npath = "p.csv"\ntarget = "y"\nscore = "p"\nsensitive = ["sex"]\n')

    assert invoke(["run", str(tmp_path / "a.toml")]) == 0
    audit = json.loads((tmp_path / "audit-out" / "audit.json").read_text())
    status = {o["check"]: (o["status"], o["reason"]) for o in audit["outcomes"]}
    assert status["explain.shap"] == ("not_applicable", "the audit has predictions only; this needs the model")
    assert status["performance.accuracy"][0] == "pass"
    assert audit["subject"]["model"] == {"format": "predictions only", "evidence_grade": "data"}


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["--version"]) == 0
    assert capsys.readouterr().out == f"torch-auditor {metadata.version('torch-auditor')}\n"


@pytest.mark.parametrize("given", [".", "..", "sub/"])
def test_a_folder_in_the_place_of_an_audit_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)

    assert invoke(["run", given]) == 3
    assert capsys.readouterr().err.startswith(f"auditor: {given.rstrip('/')!r} is a folder; give the path of an audit")


def test_a_model_file_in_the_place_of_an_audit_file_is_told_from_one(
    audit_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["run", str(audit_file.parent / "m.safetensors")]) == 3
    err = capsys.readouterr().err
    assert "'m.safetensors' is not TOML: it is no text; an audit file is expected, which `auditor init MODEL" in err
    assert err.count("\n") == 1
    audit_file.write_text(audit_file.read_text(), "utf-16")
    assert invoke(["run", str(audit_file)]) == 3
    assert "is not TOML: its text is UTF-16; save it as UTF-8" in capsys.readouterr().err
