"""Models and data to be looked at, and what the command wrote of them."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from app.cli import invoke
from auditor.config import AuditFile, load_audit_file
from auditor.intake.architectures import mlp
from auditor.policy import load_policy
from auditor.types import Policy

__all__ = ["Made", "accuracy", "made", "saved_mlp"]


@dataclass(frozen=True)
class Made:
    """Both files as they are read, the text of the first, and what was said on the terminal."""

    path: Path
    file: AuditFile
    policy: Policy
    text: str
    said: str

    @property
    def needs(self) -> list[str]:
        """The keys that have to be filled in."""
        return [line.split(": ")[2] for line in self.said.splitlines() if line.startswith("fill in: ")]

    @property
    def look(self) -> list[str]:
        """The keys that were guessed."""
        return [line.split(": ")[2] for line in self.said.splitlines() if line.startswith("look at: ")]


def made(model: Path | str, data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> Made:
    """What `auditor init` makes; fails unless both files load and every line of the terminal names its own key."""
    capsys.readouterr()
    assert invoke(["init", str(model), str(data), "--out", str(out)]) == 0
    said, err = capsys.readouterr()
    assert err == ""
    text = out.read_text("utf-8")
    lines = text.splitlines()
    for line in said.splitlines()[1:]:
        _, name, number, key = line.split(":")[:4]
        assert name.strip() == out.name
        assert lines[int(number) - 1].removeprefix("# ").startswith(key.strip())
    policy = load_policy("policy.toml", out.parent)
    assert tomllib.loads(text)["policy"] == {"path": "policy.toml"}
    return Made(out, load_audit_file(out), policy, text, said)


def accuracy(audit_file: Path, out: Path) -> tuple[float, int]:
    """The accuracy that an audit of the file measures, and of how many rows."""
    assert invoke(["run", str(audit_file), "--out", str(out), "--only", "performance.accuracy"]) in {0, 1}
    outcomes: list[dict[str, Any]] = json.loads((out / "audit.json").read_bytes())["outcomes"]
    (found,) = (o for o in outcomes if o["check"] == "performance.accuracy")
    measure = next(m for m in found["result"]["measures"] if m["name"] == "accuracy" and m["slice"] == "")
    return measure["value"], measure["n"]


def saved_mlp(path: Path, sizes: str) -> None:
    """A network with random weights, as safetensors."""
    torch.manual_seed(0)
    save_file(mlp(sizes).state_dict(), path)
