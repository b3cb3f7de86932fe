"""What an audit says of the auditor and the machine: checked with the shell, with git and with pip."""

from __future__ import annotations

import getpass
import hashlib
import json
import platform
import shutil
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

from auditor import installed
from auditor.environment import environment
from auditor.schema import canonical

ROOT = Path(__file__).resolve().parents[1]


def test_the_digest_of_the_source_is_that_of_a_shell() -> None:
    command = (
        r"find app auditor reports -type f | grep -E '\.(css|j2|json|py|toml)$' | LC_ALL=C sort | xargs sha256sum | "
        "sha256sum"
    )
    found = subprocess.run(command, shell=True, check=True, capture_output=True, text=True, cwd=ROOT)

    assert installed.source_sha256() == found.stdout.split()[0]


def test_another_byte_or_file_is_another_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("auditor/a.py", "reports/templates/t.j2", "app/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    monkeypatch.setattr(installed, "ROOT", tmp_path)
    seen = []
    for change in ("", "auditor/a.py", "reports/new.toml", "auditor/__pycache__/a.pyc", "reports/samples/s.html"):
        if change:
            (tmp_path / change).parent.mkdir(exist_ok=True)
            (tmp_path / change).write_text("x = 2\n")
        seen.append(installed.source_sha256.__wrapped__())

    assert len(set(seen[:3])) == 3
    assert len(set(seen[2:])) == 1  # what is compiled, or shown only, is no source


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_is_gits_and_says_whether_files_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "ROOT", tmp_path)
    assert installed.commit.__wrapped__() == ""

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path).stdout.strip()

    for name in installed.PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("x = 1\n")
    git("init", "-q")
    assert installed.commit.__wrapped__() == ""  # nothing was committed
    git("add", ".")
    git("commit", "-q", "-m", "first")
    head = git("rev-parse", "HEAD")

    assert installed.commit.__wrapped__() == head
    (tmp_path / "notes.txt").write_text("not ours")
    assert installed.commit.__wrapped__() == head
    (tmp_path / "auditor" / "b.py").write_text("x = 1\n")
    assert installed.commit.__wrapped__() == f"{head} with changes"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installed.commit.__wrapped__() == ""


def test_the_list_of_distributions_is_that_of_pip() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        check=True, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    by_pip = {p["name"].lower().replace("_", "-").replace(".", "-"): p["version"] for p in json.loads(listed.stdout)}
    found = installed.distributions()

    assert {name: found.get(name) for name in by_pip} == by_pip
    assert found["torch"] == metadata.version("torch")
    assert list(found) == sorted(found)


def test_an_installation_is_known_by_digests() -> None:
    found = installed.installation()

    assert found["environment.json sha256"] == hashlib.sha256(canonical(installed.distributions())).hexdigest()
    assert found["auditor source sha256"] == installed.source_sha256()


def test_an_environment_names_neither_host_nor_user_nor_folder() -> None:
    text = json.dumps({**environment("cpu"), **installed.installation()})

    assert socket.gethostname() not in text
    assert getpass.getuser() not in text.replace("processor", "")
    assert str(ROOT) not in text and "/" not in text


def test_an_environment_says_how_torch_computes() -> None:
    found = environment("cpu")

    assert (found["threads"], found["device"]) == (torch.get_num_threads(), "cpu")
    assert found["python"] == platform.python_version()
    assert found["deterministic algorithms"] is False
    assert found["float32 matrix products"] == "highest"
    torch.use_deterministic_algorithms(True)
    try:
        assert environment("cpu")["deterministic algorithms"] is True
    finally:
        torch.use_deterministic_algorithms(False)
    assert not {"gpu", "cuda version"} & set(found)
