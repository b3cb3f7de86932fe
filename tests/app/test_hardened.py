"""Where a defence may write, and what reads it again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from app.cli import invoke
from auditor.store import load
from auditor.types import Status
from tests.intake.directories import CORPUS, LABELS
from tests.intake.pretrained import saved_texts

AUDIT = """\
[model]
path = "m"
[data]
path = "d.csv"
inputs = "text"
target = "y"
reference = "r.csv"
[checks]
profile = "quick"
only = ["performance.accuracy"]
[defend.pgd]
epochs = 2
batch = 6
"""


@pytest.fixture
def audit_file(tmp_path: Path) -> Path:
    """An audit of a text classifier in a Hugging Face directory."""
    saved_texts(tmp_path / "m", CORPUS, **LABELS)
    labels = ["yes" if "good" in t else "no" for t in CORPUS]
    frame = pd.DataFrame({"text": CORPUS, "y": labels})
    frame.to_csv(tmp_path / "d.csv", index=False)
    frame.assign(text=frame.text + " again").to_csv(tmp_path / "r.csv", index=False)
    path = tmp_path / "audit.toml"
    path.write_text(AUDIT)
    return path


def test_a_directory_comes_back_as_one(audit_file: Path, tmp_path: Path) -> None:
    before = {p.name: p.read_bytes() for p in (tmp_path / "m").iterdir()}

    assert invoke(["defend", str(audit_file), "--method", "pgd", "--out", str(tmp_path / "hard")]) == 0

    after = {p.name: p.read_bytes() for p in (tmp_path / "hard").iterdir()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "m").iterdir()} == before
    assert all(after[name] == before[name] for name in ("config.json", "tokenizer.json", "tokenizer_config.json"))
    old, new = (load_file(tmp_path / name / "model.safetensors") for name in ("m", "hard"))
    assert old.keys() == new.keys()
    assert any(not torch.equal(old[k], new[k]) for k in old)
    audited = load(tmp_path / "hard-report" / "after").audit.outcome("performance.accuracy")
    assert audited is not None and audited.status is not Status.ERROR and audited.result is not None
    audit_file.write_text(AUDIT.replace('path = "m"', 'path = "hard"'))
    assert invoke(["run", str(audit_file), "--out", str(tmp_path / "again")]) in {0, 1, 2}
    again = load(tmp_path / "again").audit.outcome("performance.accuracy")
    assert again is not None and again.result == audited.result


@pytest.mark.parametrize("out", ["hard.safetensors", "m2"])
def test_a_directory_needs_a_new_one(
    audit_file: Path, tmp_path: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m2").mkdir()

    assert invoke(["defend", str(audit_file), "--method", "pgd", "--out", str(tmp_path / out)]) == 3

    assert "the model is a directory; give the name of a new one" in capsys.readouterr().err


def test_a_pickled_module_has_no_place_for_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "p.pt")
    pd.DataFrame({"a": [0.0] * 60, "b": [1.0] * 60, "y": [0, 1] * 30}).to_csv(tmp_path / "d.csv", index=False)
    pd.DataFrame({"a": [0.5] * 60, "b": [1.0] * 60, "y": [0, 1] * 30}).to_csv(tmp_path / "r.csv", index=False)
    (tmp_path / "a.toml").write_text(
        '[model]\npath = "p.pt"\ntrust = "pickle"\n[data]\npath = "d.csv"\ntarget = "y"\nreference = "r.csv"\n'
    )

    assert (
        invoke(["defend", str(tmp_path / "a.toml"), "--method", "pgd", "--out", str(tmp_path / "h.safetensors")]) == 3
    )

    err = capsys.readouterr().err
    assert "'p.pt' is a pickled module, and new weights alone could not be loaded again" in err and err.count("\n") == 1
