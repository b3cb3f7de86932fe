"""`auditor keygen`, `sign` and `verify` as their users meet them: exit codes, one line for what is refused."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.cli import invoke
from auditor.installed import distributions
from auditor.store import load
from reports.keys import PASSPHRASE
from tests.app.files import table_audit
from tests.reports.bundles import bundle


@pytest.fixture(autouse=True)
def _no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSPHRASE, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return bundle(tmp_path)


def test_a_pipeline_signs_a_person_signs_off_and_anybody_verifies(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ci, ada = tmp_path / "ci.pem", tmp_path / "ada.pem"
    assert [invoke(["keygen", str(path)]) for path in (ci, ada)] == [0, 0]
    key_id = capsys.readouterr().out.split()[1]
    assert invoke(["sign", str(folder), "--key", str(ci), "--valid-days", "7"]) == 0
    until = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%d}"
    said = f"signed by key {key_id}\nvalid until {until}\n{folder / 'attestation.dsse.json'}\n"
    assert capsys.readouterr().out == said
    signoff = ["--reviewer", "Ada Lovelace, Head of risk", "--decision", "reject", "--statement", "Not\nyet."]
    assert invoke(["sign", str(folder), "--key", str(ada), *signoff]) == 0

    keys = ["--key", f"{ci}.pub", "--key", f"{ada}.pub"]
    capsys.readouterr()
    assert invoke(["verify", str(folder), *keys]) == 0
    out, err = capsys.readouterr()
    assert err == "" and out.endswith("\nintact\n")
    assert "; reject by Ada Lovelace, Head of risk: Not yet.\n" in out
    assert invoke(["verify", str(folder), *keys[:2]]) == 1

    (folder / "report.html").write_text("x")
    capsys.readouterr()
    assert invoke(["verify", str(folder), *keys]) == 1
    out, err = capsys.readouterr()
    assert err == "" and out.startswith("changed: report.html\n") and out.endswith("\nnot intact\n")


def test_a_signature_says_why_it_ends_sooner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, until = tmp_path / "accepted", datetime.now(UTC).date() + timedelta(days=9)
    (tmp_path / "p.toml").write_text(
        "[[limit]]\ncheck='performance.accuracy'\nmeasure='accuracy'\nslice=''\nfail_below=0.999\n"
        f"[[accept]]\nfinding='performance.accuracy/accuracy'\nowner='Ann'\nreason='known'\nexpires={until}\n"
    )
    assert invoke(["judge", str(bundle(tmp_path)), "--policy", str(tmp_path / "p.toml"), "--out", str(folder)]) == 0
    invoke(["keygen", str(tmp_path / "k")])
    capsys.readouterr()

    assert invoke(["sign", str(folder), "--key", str(tmp_path / "k")]) == 0
    assert f"\nvalid until {until}, when an acceptance ends that the verdict rests on\n" in capsys.readouterr().out


def test_without_a_key_hashes_alone_are_checked_and_that_is_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["verify", str(folder)]) == 0
    assert "hashes alone: whoever changes a file can make them anew" in capsys.readouterr().out
    invoke(["keygen", str(tmp_path / "k")])
    assert invoke(["verify", str(folder), "--key", str(tmp_path / "k.pub")]) == 1
    assert "unsigned: there is no attestation.dsse.json" in capsys.readouterr().out


def test_a_key_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["keygen", str(tmp_path / "k")]) == 0
    before = (tmp_path / "k").read_bytes()
    assert invoke(["keygen", str(tmp_path / "k")]) == 3
    assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "k").read_bytes() == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["keygen", ""], "is there already"),
        (["keygen", "{tmp}/none/k"], "cannot be written"),
        (["sign", "{tmp}", "--key", "{tmp}/k"], "holds no audit"),
        (["sign", "{tmp}/audit", "--key", "{tmp}/none"], "cannot be read"),
        (["sign", "{tmp}/audit", "--key", "{tmp}/k.pub"], "holds no private key"),
        (["sign", "{tmp}/audit"], "Missing option '--key'"),
        (["sign", "{tmp}/audit", "--key", "{tmp}/k", "--valid-days", "0"], "--valid-days"),
        (["sign", "{tmp}/audit", "--key", "{tmp}/k", "--valid-days", "366"], "less than or equal to 365"),
        (
            ["sign", "{tmp}/audit", "--key", "{tmp}/k", "--reviewer", "Ada"],
            "needs --reviewer 'Name, role' and --decision",
        ),
        (["sign", "{tmp}/audit", "--key", "{tmp}/k", "--decision", "approve"], "needs --reviewer"),
        (["sign", "{tmp}/audit", "--key", "{tmp}/k", "--statement", "Fine."], "needs --reviewer"),
        (["verify", "{tmp}"], "holds no audit"),
        (["verify", "{tmp}/k"], "holds no audit"),
        (["verify", "{tmp}/audit", "--key", "{tmp}/k"], "is a private key"),
        (["verify", "{tmp}/audit", "--key", "{tmp}/none.pub"], "cannot be read"),
        (["verify", "{tmp}/audit", "--key", "{tmp}"], "cannot be read"),
    ],
)
def test_what_is_refused_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], message: str
) -> None:
    invoke(["keygen", str(tmp_path / "k")])
    present = sorted(p.name for p in folder.rglob("*"))
    capsys.readouterr()

    assert invoke([text.format(tmp=tmp_path) for text in given]) == 3
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1
    assert sorted(p.name for p in folder.rglob("*")) == present


def test_a_run_leaves_what_can_be_signed_and_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["run", str(table_audit(tmp_path)), "--only", "performance.accuracy"]) == 0
    folder = tmp_path / "audit-out"
    invoke(["keygen", str(tmp_path / "k")])
    assert invoke(["sign", str(folder), "--key", str(tmp_path / "k")]) == 0
    capsys.readouterr()
    assert invoke(["verify", str(folder), "--key", str(tmp_path / "k.pub")]) == 0
    assert "report.html, summary.md: made again, the same" in capsys.readouterr().out

    listed = json.loads((folder / "environment.json").read_bytes())
    environment = load(folder).audit.environment
    digest = hashlib.sha256((folder / "environment.json").read_bytes()).hexdigest()
    assert listed == distributions()
    assert environment["environment.json sha256"] == digest
    assert invoke(["run", str(tmp_path / "audit.toml")]) == 3
    assert "holds a signed audit, which is never replaced" in capsys.readouterr().err
