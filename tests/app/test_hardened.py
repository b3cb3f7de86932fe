"""Where a defence may write, and what reads it again."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from app.cli import invoke
from auditor.store import load
from auditor.types import Status
from tests.app.files import DEFENDED, table_audit
from tests.intake.directories import CORPUS, LABELS
from tests.intake.pretrained import saved_texts

JUDGED = {Status.PASS, Status.WARN, Status.INCONCLUSIVE}  # its limit is on the share of the commonest class
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
TABLE = f"""{DEFENDED}\
[checks]
profile = "quick"
only = ["performance.accuracy"]
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
    assert audited is not None and audited.status in JUDGED
    audit_file.write_text(AUDIT.replace('path = "m"', 'path = "hard"'))
    assert invoke(["run", str(audit_file), "--out", str(tmp_path / "again")]) in {0, 1, 2}
    again = load(tmp_path / "again").audit.outcome("performance.accuracy")
    assert audited.result is not None
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


@pytest.mark.parametrize(("method", "out"), [("pgd", "notes.safetensors"), ("rejection", "notes.json")])
def test_what_no_defence_left_is_not_replaced(
    tmp_path: Path, method: str, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / out
    path.write_text('{"mine": 1}')
    audit_file = table_audit(tmp_path, TABLE)

    assert invoke(["defend", str(audit_file), "--method", method, "--out", str(path)]) == 3

    assert f"{out}' is a file that no defence left there" in capsys.readouterr().err
    assert path.read_text() == '{"mine": 1}'


def test_what_the_audit_reads_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a shard of the model would be."""
    audit_file = table_audit(tmp_path, TABLE.replace("m.safetensors", "m.safetensors.index.json"))
    (tmp_path / "m.safetensors.index.json").write_text('{"weight_map": {}}')
    before = (tmp_path / "m.safetensors").read_bytes()

    assert invoke(["defend", str(audit_file), "--method", "pgd", "--out", str(tmp_path / "m.safetensors")]) == 3

    assert "is read by this audit, and is never overwritten" in capsys.readouterr().err
    assert (tmp_path / "m.safetensors").read_bytes() == before


def test_a_wrapper_never_names_its_model_by_an_absolute_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audit_file = table_audit(tmp_path, TABLE.replace('"m.safetensors"', f'"{tmp_path}/m.safetensors"'))
    wrapper = tmp_path / "w.json"

    assert invoke(["defend", str(audit_file), "--method", "rejection", "--out", str(wrapper)]) == 0

    written = json.loads(wrapper.read_text())
    assert written["model"] == "m.safetensors"
    wrapper.write_text(json.dumps({**written, "model": "/etc/passwd"}))
    audit_file.write_text(TABLE.replace("m.safetensors", "w.json"))
    capsys.readouterr()
    assert invoke(["run", str(audit_file), "--out", str(tmp_path / "o")]) == 3
    assert "'w.json' names its model by an absolute path; expected one relative" in capsys.readouterr().err
