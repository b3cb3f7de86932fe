"""`auditor compare`: what it says, as what exit code, and of what it refuses to speak."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from app.cli import invoke
from tests.app.files import MODEL, table_audit

ONLY = ["--only", "performance.*", "--only", "fairness.groups", "--only", "intake.preflight"]
POLICY = "[[limit]]\ncheck = 'performance.accuracy'\nmeasure = 'accuracy'\nslice = ''\nfail_below = 0.7\n"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the audit `a` of a model, and the audit `b` of one that answers the other way round."""
    folder = tmp_path_factory.mktemp("two")
    text = f"{MODEL}sensitive = ['sex']\n[policy]\npath = 'policy.toml'\n"
    (folder / "policy.toml").write_text(POLICY)
    path = table_audit(folder, text)
    assert invoke(["run", str(path), "--out", str(folder / "a"), *ONLY]) == 0
    weights = load_file(folder / "m.safetensors")
    last = max(weights)
    save_file({name: -w if name.startswith(last.split(".")[0]) else w for name, w in weights.items()},
              folder / "turned.safetensors")  # fmt: skip
    path.write_text(text.replace("m.safetensors", "turned.safetensors"))
    assert invoke(["run", str(path), "--out", str(folder / "b"), *ONLY]) in (0, 1)
    return folder


def test_it_says_what_became_of_findings_limits_and_answers_and_where_the_page_is(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["compare", str(two / "a"), str(two / "b"), "--out", str(tmp_path / "out")]) == 0

    out, err = capsys.readouterr()
    lines = out.splitlines()
    told = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert err == ""
    (changed,) = (m["counts"] for m in told["churn"]["whole"] if m["name"] == "answer_changed")
    states = [f["became"] for f in told["findings"]]
    assert f"findings: {states.count('new')} new, " in out
    assert any(line.startswith(f"answers: {changed[0]} of {changed[1]} rows got another answer") for line in lines)
    flipped = sum(f["cause"] == "figures" for f in told["flipped"])
    assert any(line.startswith(f"judgements: {flipped} judgement") for line in lines)
    assert lines[-1] == f"page: {tmp_path / 'out' / 'compare.html'}"
    assert {m["slice"] for m in told["churn"]["by_group"]} == {"sex=f", "sex=m"}


def test_the_answers_are_those_that_the_two_models_give(two: Path, tmp_path: Path) -> None:
    invoke(["compare", str(two / "a"), str(two / "b"), "--out", str(tmp_path)])

    told = json.loads((tmp_path / "compare.json").read_text())
    first, second = (np.load(two / name / "evidence" / "performance.accuracy.npz") for name in "ab")
    a, b, y = first["answers"], second["answers"], first["labels"]
    found = {m["name"]: m["counts"][0] for m in told["churn"]["whole"]}
    assert found == {
        "answer_changed": int((a != b).sum()),
        "right_to_wrong": int(((a == y) & (b != y)).sum()),
        "wrong_to_right": int(((a != y) & (b == y)).sum()),
    }
    assert found["answer_changed"] > 0


def test_json_is_compare_json_and_an_audit_beside_itself_changes_nothing(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["compare", str(two / "a"), str(two / "a"), "--out", str(tmp_path), "--json"]) == 0

    out = capsys.readouterr().out
    assert out.rstrip("\n").encode() == (tmp_path / "compare.json").read_bytes()
    told = json.loads(out)
    assert told["flipped"] == told["not_comparable"] == []
    assert {f["became"] for f in told["findings"]} <= {"unchanged"}
    assert {m["counts"][0] for m in told["churn"]["whole"]} == {0}
    assert "Both are one and the same audit." in (tmp_path / "compare.html").read_text()


def _without_manifest(audit: Path, folder: Path) -> None:
    """As older audits are, whose files nothing lists."""
    shutil.copytree(audit, folder)
    (folder / "manifest.json").unlink()


def _cut(folder: Path) -> None:
    text = (folder / "audit.json").read_bytes()
    (folder / "audit.json").write_bytes(text[: len(text) // 2])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, "/b/audit.json'); give a folder that `auditor run` wrote"),
        (_cut, "not an audit: "),
        (lambda folder: (folder / "audit.json").unlink(), "holds no audit"),
        (lambda folder: (folder / "run.json").write_text("[]"), "holds no audit (run.json has no keys)"),
        (lambda folder: (folder / "environment.json").write_text("3"), "holds no audit (environment.json has no keys)"),
        (lambda folder: (folder / "run.json").write_text("{"), "holds no audit"),
        (lambda folder: (folder / "run.json").write_text('{"started": "noon"}'), "it started 'noon', which is no date"),
        (
            lambda folder: (folder / "run.json").write_text('{"started": "9999-12-31T00:00:00+00:00"}'),
            "no date and time",
        ),
        (lambda folder: (folder / "run.json").write_text('{"started": 1700000000}'), "no date and time"),
    ],
)
def test_a_damaged_audit_is_refused_in_one_line(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], object], message: str
) -> None:
    _without_manifest(two / "b", tmp_path / "b")
    damage(tmp_path / "b")

    assert invoke(["compare", str(two / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "out")]) == 3
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("left", [0, 10, 60, 200])
def test_damaged_evidence_pairs_nothing(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], left: int
) -> None:
    _without_manifest(two / "b", tmp_path / "b")
    for path in (tmp_path / "b" / "evidence").glob("*.npz"):
        whole = path.read_bytes()
        path.write_bytes(whole[:left] + b"\0" * (len(whole) - left) if left == 60 else whole[:left])

    assert invoke(["compare", str(two / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "out")]) == 0
    assert "Whose answers changed cannot be said: not both audits kept the answers" in capsys.readouterr().out
    told = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert not any(c["paired"] for c in told["changes"])


def test_an_audit_of_other_data_says_what_cannot_be_compared(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table_audit(tmp_path)
    path.write_text(path.read_text().replace("d.csv", "r.csv"))
    invoke(["run", str(path), "--out", str(tmp_path / "c"), "--only", "performance.*"])
    capsys.readouterr()

    assert invoke(["compare", str(two / "a"), str(tmp_path / "c"), "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^not comparable: data, .*fairness.groups", out, re.MULTILINE)
    assert "the audits are of different rows" in out
    assert "The audits have different policies" in out


def test_audits_with_nothing_in_common_are_said_so_first(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table_audit(tmp_path)
    text = path.read_text().replace("d.csv", "r.csv").replace("[data]", "[data]\nclasses = ['0', '1']")
    (tmp_path / "r.csv").write_text(re.sub(r",(0|1)$", r",is \1", (tmp_path / "r.csv").read_text(), flags=re.MULTILINE))
    path.write_text(text.replace("['0', '1']", "['is 0', 'is 1']"))
    invoke(["run", str(path), "--out", str(tmp_path / "c"), "--only", "performance.*"])
    capsys.readouterr()

    assert invoke(["compare", str(two / "a"), str(tmp_path / "c"), "--out", str(tmp_path / "out")]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("These two cannot be compared: they have no figure of one kind in common; they differ in ")
    assert "classes" in first
    page = (tmp_path / "out" / "compare.html").read_text()
    assert '<p class="why">These two cannot be compared: ' in page

    assert invoke(["compare", str(two / "a"), str(two / "b"), "--out", str(tmp_path / "same")]) == 0
    assert capsys.readouterr().out.startswith("verdicts: ")
    assert '<p class="why">Findings: ' in (tmp_path / "same" / "compare.html").read_text()


def test_a_run_with_a_baseline_holds_the_same_comparison(two: Path, tmp_path: Path) -> None:
    out = tmp_path / "b"
    invoke(["run", str(two / "audit.toml"), "--out", str(out), *ONLY, "--baseline", str(two / "a")])
    invoke(["compare", str(two / "a"), str(out), "--out", str(tmp_path / "cmp")])

    beside, apart = (json.loads((folder / "compare.json").read_text()) for folder in (out, tmp_path / "cmp"))
    assert beside == apart
    assert beside["after"]["baseline_sha256"] == beside["before"]["sha256"]
    assert "Since the baseline" in (out / "report.html").read_text()
