"""Hostile configurations, each said in an audit file and uploaded with it; the list has them as JSON and YAML."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from app.cli import invoke
from app.places import HERE
from app.uploads import audit_text, checked
from auditor.config import load_audit_file
from auditor.errors import UsageError
from auditor.performing import audit
from auditor.progress import NOBODY
from tests.hostile.verdicts import entries, need_verdict

CURVE = 'checks."robustness.curve"'
ARCHITECTURES = {"mlp": "mlp:2-2"}


def said(given: dict[str, Any]) -> str:
    """An audit file that asks for what the configuration asks for."""
    model, data, attacks = given["model"], given["data"], given["attacks"]
    names = data.get("class_names")
    sections: dict[str, dict[str, Any]] = {
        "subject": {"name": given.get("name")},
        "model": {"path": model["path"], "architecture": ARCHITECTURES.get(model["arch"], model["arch"])},
        "data": {"path": data["path"], "target": data["label"], "sensitive": data["sensitive"], "classes": names},
        "checks": {"seed": given["seed"], "only": ["performance.*"], "profile": "quick"},
        CURVE: {"norm": attacks["norm"], "epsilons": attacks["eps"]},
    }
    if names:
        sections["model"]["architecture"] = f"mlp:2-{len(names)}"
    known = {"norm", "eps", "steps"}
    sections[CURVE] |= {k: v for k, v in attacks.items() if k not in known or (k == "steps" and v > 20)}
    return audit_text(sections) + "".join(f"[{k}]\nx = 1\n" for k in given if k in {"report", "output", "out"})


def uploaded(folder: Path, names: list[str]) -> int:
    """The exit code of an audit of what was uploaded to `folder`, in this process."""
    path = folder / "audit.toml"
    checked(path, names)
    audit(load_audit_file(path), folder, NOBODY, uploaded=True)
    return 0


def test_configurations_get_the_verdict_they_should(
    hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = 0
    for path, row in entries(hostile, "config"):
        folder = tmp_path / path.stem
        folder.mkdir()
        shutil.copy(hostile / "table" / "c00_GOOD.csv", folder / "data.csv")
        torch.manual_seed(0)
        try:
            given = json.loads(path.read_text())
            text = said(given)
        except (ValueError, RecursionError, KeyError):  # no JSON, or none of ours: as it is
            given, text = None, path.read_bytes().decode("utf-8", "surrogateescape")
        classes = len((given or {}).get("data", {}).get("class_names") or [0, 1])
        torch.save(nn.Sequential(nn.Linear(2, classes)).state_dict(), folder / "model.pt")
        (folder / "audit.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
        seen += given is not None
        try:
            code, err = uploaded(folder, ["model.pt", "data.csv", "audit.toml"]), ""
        except UsageError as e:
            code, err = 3, f"{e}\n"
        need_verdict(row, code, err)
        if code == 3 and not any(word in row["file"] for word in ("path", "ssrf", "import_arch", "out_traversal")):
            assert invoke(["run", str(folder / "audit.toml"), "--out", str(folder / "out")]) == 3, row
            need_verdict(row, 3, capsys.readouterr().err)
    assert seen >= 16


@pytest.mark.parametrize("name", ["k12_xss_names.json", "k14_template.json"])
def test_markup_and_templates_in_class_names_are_shown_as_they_are(hostile: Path, tmp_path: Path, name: str) -> None:
    given = json.loads((hostile / "config" / name).read_text())
    names = given["data"]["class_names"]
    shutil.copy(hostile / "table" / "c00_GOOD.csv", tmp_path / "data.csv")
    torch.save(nn.Sequential(nn.Linear(2, len(names))).state_dict(), tmp_path / "model.pt")
    (tmp_path / "audit.toml").write_text(said(given))

    HERE.audit(load_audit_file(tmp_path / "audit.toml"), tmp_path)
    assert invoke(["run", str(tmp_path / "audit.toml"), "--out", str(tmp_path / "out")]) in {0, 1, 2}
    report = (tmp_path / "out" / "report.html").read_text()

    assert "<script" not in report and "<svg onload" not in report and "49" not in names
    assert ("{{ 7*7 }}" in report) == (name == "k14_template.json")
    assert ("&lt;script&gt;alert(1)&lt;/script&gt;" in report) == (name == "k12_xss_names.json")
