"""Verdicts on the command line: exit codes, other policies, baselines, and where what is judged anew may go."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from app.cli import invoke
from tests.app.files import AUDIT
from tests.reports.bundles import bundle, signed_bundle


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
    changes = json.loads((tmp_path / "cmp" / "compare.json").read_bytes())["changes"]
    assert changes and {c["change"] for c in changes} <= {0.0, None}
    assert {c["paired"] for c in changes if c["name"] == "accuracy"} == {True}


def test_a_required_limit_that_nothing_was_judged_by_is_said_everywhere(
    audit_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (audit_file.parent / "p.toml").write_text(
        "[[limit]]\ncheck = 'performance.accuracy'\nmeasure = 'accuracy'\nslice = ''\nfail_below = 0.5\n"
        "[[limit]]\ncheck = 'explain.lrp'\nmeasure = 'ledger_error'\nfail_above = 0.1\nrequired = true\n"
    )
    audit_file.write_text(AUDIT + "[policy]\npath = 'p.toml'\n")

    assert invoke(["run", str(audit_file), "--only", "performance.*"]) == 2
    out, folder = capsys.readouterr().out, audit_file.parent / "audit-out"
    required = "The policy requires a limit on ledger error (explain.lrp), and nothing was judged by it."
    assert out.startswith("Incomplete: ")
    assert f"  Undecided: {required} Reason: explain.lrp has no result (skipped: not selected)" in out
    assert required in (folder / "report.html").read_text()
    assert required.replace("(", "").replace(")", "").replace("explain.lrp", "") in re.sub(
        r"[\\()]", "", (folder / "summary.md").read_text()
    ).replace("explain.lrp", "")
    assert 'name="limit on ledger_error"' in (folder / "junit.xml").read_text()
    assert 'errors="1"' in (folder / "junit.xml").read_text()


@pytest.mark.parametrize("place", ["", "taken"])
def test_a_comparison_never_goes_into_an_audit_or_where_nothing_can_be_written(
    audit_file: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke(["run", str(audit_file), "--only", "performance.*"])
    folder = audit_file.parent / "audit-out"
    (audit_file.parent / "taken").write_text("a file")
    before = sorted(p.name for p in folder.iterdir())
    capsys.readouterr()

    out = audit_file.parent / place if place else folder
    assert invoke(["compare", str(folder), str(folder), "--out", str(out)]) == 3
    err = capsys.readouterr().err
    assert "cannot be written" in err if place else "holds an audit, to which nothing is added" in err
    assert err.count("\n") == 1
    assert sorted(p.name for p in folder.iterdir()) == before


def test_a_run_against_a_baseline_may_not_get_worse(audit_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = audit_file.parent
    policy = "[[limit]]\ncheck = 'performance.accuracy'\nmeasure = 'accuracy'\nslice = ''\nfail_worse_by = 0.2\n"
    (folder / "policy.toml").write_text(policy)
    audit_file.write_text(audit_file.read_text() + "[policy]\npath = 'policy.toml'\n")
    only = ["--only", "performance.accuracy", "--only", "intake.preflight"]
    assert invoke(["run", str(audit_file), *only]) == 2  # there is no baseline yet, and no other limit

    assert invoke(["run", str(audit_file), *only, "--baseline", str(folder / "audit-out")]) == 0
    lines = (folder / "d.csv").read_text().splitlines()
    turned = [lines[0], *(line[:-1] + "10"[int(line[-1])] for line in lines[1:])]
    (folder / "d.csv").write_text("\n".join(turned) + "\n")
    assert invoke(["run", str(audit_file), *only, "--baseline", str(folder / "audit-out")]) == 1

    audit = json.loads((folder / "audit-out" / "audit.json").read_text())
    assert audit["baseline"]["verdict"] == "pass"
    assert "limit of at most 0.2 worse" in json.dumps(audit["outcomes"])
    assert (folder / "audit-out" / "compare.html").exists()
    assert "compare.html" in json.loads((folder / "audit-out" / "manifest.json").read_text())


def test_a_baseline_that_is_no_audit_is_refused_before_anything_runs(
    audit_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["run", str(audit_file), "--baseline", str(tmp_path)]) == 3

    assert "holds no audit; give a folder that `auditor run` wrote" in capsys.readouterr().err
    assert not (audit_file.parent / "audit-out").exists()


def test_what_is_judged_anew_can_be_written_elsewhere(
    audit_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["run", str(audit_file), "--only", "performance.*"]) == 0
    folder, other = audit_file.parent / "audit-out", tmp_path / "other"
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    (tmp_path / "p.toml").write_text(
        "[[limit]]\ncheck='performance.accuracy'\nmeasure='accuracy'\nslice=''\nfail_below=0.999\n"
        "[[accept]]\nfinding='performance.accuracy/accuracy'\nowner='Ann'\nreason='known'\nexpires=2100-01-01\n"
    )
    judge = ["judge", str(folder), "--policy", str(tmp_path / "p.toml"), "--out"]
    capsys.readouterr()

    assert invoke([*judge, str(other)]) == 0
    assert "Pass with conditions" in capsys.readouterr().out
    assert (
        "Accepted by Ann until 1 Jan 2100 (counts as a warning while accepted): known"
        in (other / "report.html").read_text()
    )
    assert json.loads((other / "audit.json").read_text())["verdict"] == "conditions"
    assert invoke([*judge, str(folder)]) == 3
    assert "is the audit that is judged" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("name", ["audit.json", "report.html", "evidence/performance.accuracy.npz"])
def test_an_audit_that_was_changed_is_neither_judged_nor_compared(
    audit_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    invoke(["run", str(audit_file), "--only", "performance.*"])
    folder, out = audit_file.parent / "audit-out", tmp_path / "new"
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole.replace(b"accuracy", b"accuracz") if name == "audit.json" else whole[:-1])
    capsys.readouterr()

    for command in (
        ["judge", str(folder), "--policy", "default"],
        ["judge", str(folder), "--policy", "default", "--out", str(out)],
        ["compare", str(folder), str(folder), "--out", str(out)],
        ["run", str(audit_file), "--out", str(out), "--baseline", str(folder)],
    ):
        assert invoke(command) == 3
        said, err = capsys.readouterr()
        assert said == "" and err.count("\n") == 1
        assert f"is not as it was written (changed: {name}); give a folder whose files are those that" in err
        assert not out.exists()


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_an_older_audit_whose_pictures_are_gone_is_not_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    folder, out = bundle(tmp_path), tmp_path / "new"
    (folder / "manifest.json").unlink()
    pictures = folder / "evidence" / "samples.npz"
    pictures.unlink() if damage == "missing" else pictures.write_bytes(pictures.read_bytes()[:40])

    assert invoke(["judge", str(folder), "--policy", "default", "--out", str(out)]) == 3
    said, err = capsys.readouterr()
    assert said == "" and err.startswith("auditor: evidence/samples.npz ") and err.count("\n") == 1
    assert "give the whole folder that `auditor run` wrote" in err
    assert not out.exists()


@pytest.mark.parametrize("place", ["sub", "evidence/deep/er", "../link/sub"])
@pytest.mark.parametrize("signed", [False, True])
def test_nothing_is_written_into_an_audit(
    audit_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, signed: bool
) -> None:
    folder = (signed_bundle if signed else bundle)(tmp_path)
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    before, out = sorted(folder.rglob("*")), str(folder / place)

    for command in (
        ["judge", str(folder), "--policy", "default", "--out", out],
        ["compare", str(folder), str(folder), "--out", out],
        ["run", str(audit_file), "--out", out],
    ):
        assert invoke(command) == 3
        said, err = capsys.readouterr()
        assert said == "" and err.count("\n") == 1
        assert "lies in the audit 'audit', to which nothing is added; give a folder outside of it" in err
        assert sorted(folder.rglob("*")) == before


def test_a_policy_that_asks_for_a_setting_that_is_not_there_judges_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = bundle(tmp_path)
    (tmp_path / "p.toml").write_text(
        "[[limit]]\ncheck='robustness.curve'\nmeasure='robust_accuracy'\nfail_below=0.1\nsettings={setps=3}\n"
    )

    assert invoke(["judge", str(folder), "--policy", str(tmp_path / "p.toml")]) == 3
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert "policy 'p': the limit on 'robustness.curve' asks for the setting 'setps'; did you mean steps? it has" in err
