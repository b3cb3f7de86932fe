"""The command line as its user meets it: exit codes, one line for what is refused, nothing half-written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli import invoke
from tests.app.files import AUDIT, table_audit

Edit = Callable[[Path], object]


@pytest.fixture
def audit_file(tmp_path: Path) -> Path:
    return table_audit(tmp_path)


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
    assert [o["check"] for o in audit["outcomes"] if o["result"]] == [
        "intake.preflight", "explain.lrp", "fairness.groups", "fairness.impact_ratio", "performance.accuracy",
        "robustness.curve",
    ]  # fmt: skip


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

    assert code == 2  # no limit of the policy names what ran
    assert curve["params"] == {"norm": "linf", "epsilons": [0.1, 0.2], "samples": 20, "steps": 3, "shown": 4}
    assert audit["verdict"] == "incomplete"


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("fail_below = 0.5", 0),
        ("warn_below = 0.99", 0),
        ("fail_below = 0.999", 1),
        ("fail_below = 0.9\nrequired = true", 2),
    ],
)
def test_exit_codes_follow_the_verdict(audit_file: Path, limit: str, code: int) -> None:
    (audit_file.parent / "p.toml").write_text(
        f"[[limit]]\ncheck = 'performance.accuracy'\nmeasure = 'accuracy'\n{limit}\n"
    )
    audit_file.write_text(AUDIT + "[policy]\npath = 'p.toml'\n")

    assert invoke(["run", str(audit_file), "--only", "performance.*"]) == code


def test_a_stored_audit_is_judged_again_and_compared(
    audit_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke(["run", str(audit_file), "--only", "performance.*"])
    folder = audit_file.parent / "audit-out"
    before = (folder / "audit.json").read_bytes()
    (tmp_path / "strict.toml").write_text(
        "[[limit]]\ncheck='performance.accuracy'\nmeasure='accuracy'\nfail_below=0.999\n"
    )
    capsys.readouterr()

    assert invoke(["judge", str(folder), "--policy", str(tmp_path / "strict.toml")]) == 1
    assert capsys.readouterr().out.startswith("Fail: m.safetensors\n  Failed: The model is right")
    assert (folder / "audit.json").read_bytes() == before
    assert invoke(["compare", str(folder), str(folder), "--out", str(tmp_path / "cmp")]) == 0
    assert "Every check ends as before." in (tmp_path / "cmp" / "compare.html").read_text()


def test_checks_are_listed_with_their_settings(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert invoke(["checks"]) == 0
    plain = capsys.readouterr().out
    assert re.search(r"^robustness.curve +Robust accuracy +norm, epsilons, samples, steps, shown$", plain, re.MULTILINE)
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
    "an unknown setting": (replaced("steps = 5", "stepps = 5"), "robustness.curve has no setting 'stepps'"),
    "a negative epsilon": (replaced("steps = 5", "epsilons = [-0.1]"), "robustness.curve.epsilons = [-0.1]"),
    "an unknown profile": (replaced('"quick"', '"fast"'), "checks.profile: input should be 'quick'"),
    "a missing model file": (lambda f: (f / "m.safetensors").unlink(), "model file 'm.safetensors' does not exist"),
    "a missing data file": (lambda f: (f / "d.csv").unlink(), "data file 'd.csv' does not exist"),
    "another architecture": (replaced("mlp:3-6-2", "mlp:3-5-2"), "0.bias is 6, the architecture needs 5"),
    "no architecture": (replaced('architecture = "mlp:3-6-2"', ""), "say what they belong to"),
    "inputs of another shape": (rows("a,b,sex,y\n1,2,f,0\n"), "cannot take inputs of shape (1, 2)"),
    "labels out of range": (rows("a,b,c,sex,y\n1,2,3,f,0\n1,2,3,m,7\n"), "label 7 (row 1) has no output"),
    "empty data": (rows("a,b,c,sex,y\n"), "is empty: it has no rows"),
    "a missing sensitive column": (replaced('["sex"]', '["race"]'), "no column 'race', which is its sensitive column"),
    "a missing target": (replaced('"y"', '"label"'), "no column 'label', which is its target"),
    "text among the numbers": (rows("a,b,c,sex,y\n1,x,3,f,0\n"), "'b' holds 'x' in row 0"),
    "a model that is no model": (lambda f: (f / "m.safetensors").write_text("hello"), "is no model file"),
    "an unknown policy": (replaced("[checks]", "[policy]\npath = 'x.toml'\n[checks]"), "no such file"),
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
    assert "holds files that are no audit" in capsys.readouterr().err


def test_an_internal_error_has_a_code_of_its_own(
    audit_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        msg = "a\nb"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr("app.running.write", broken)

    assert invoke(["run", str(audit_file), "--only", "performance.*"]) == 4
    assert capsys.readouterr().err == "auditor: internal error, please report it: ZeroDivisionError: a b\n"
    assert not (audit_file.parent / "audit-out").exists()


def test_ctrl_c_leaves_an_incomplete_audit_of_what_had_finished(
    audit_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("auditor.checks.robustness_curve.robust_curve", stop)

    assert invoke(["run", str(audit_file)]) == 2
    audit = json.loads((audit_file.parent / "audit-out" / "audit.json").read_text())
    status = {o["check"]: o["status"] for o in audit["outcomes"]}
    assert audit["verdict"] == "incomplete"
    assert status["robustness.curve"] == "skipped"
    assert status["performance.accuracy"] == "pass"


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
