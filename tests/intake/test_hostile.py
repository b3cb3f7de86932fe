"""The hostile model files get the verdicts that their list asks for, and leave no trace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import invoke
from tests.shared import SHARED, needs_shared

HOSTILE = SHARED.parent / "hostile"

SEEN_LATER = {"m05_wrong_arch.pt", "m06_shape.pt", "m07_nan.pt", "m11_overflow.pt", "s08_nan.safetensors"}


GROUPS = {"pickle", "weights_only", "model", "safetensors", "program"}


MLP = """
import torch
from torch import nn
class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(8, 16), nn.Linear(16, 3)
    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile files, made anew."""
    folder = tmp_path_factory.mktemp("hostile")
    subprocess.run([sys.executable, str(HOSTILE / "make.py"), "--out", str(folder)], check=True, capture_output=True)
    return folder


@needs_shared
def test_the_hostile_models_get_the_verdict_they_should(
    hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(Path("/tmp").glob("hostile_marker_*"))  # where their payloads would leave a trace
    (tmp_path / "archs.py").write_text(MLP)
    (tmp_path / "d.csv").write_text("a,b,c,d,e,f,g,h,y\n" + "1,2,3,4,5,6,7,8,0\n8,7,6,5,4,3,2,1,2\n")
    seen = 0
    for row in json.loads((HOSTILE / "MANIFEST.json").read_text()):
        path = hostile / row["file"]
        if row["group"] not in GROUPS or not path.exists():  # some need a package that is not installed
            continue
        seen += 1
        arguments = ["inspect", str(path)]
        if path.name in SEEN_LATER:
            (tmp_path / "a.toml").write_text(
                f'[model]\npath = "{path}"\narchitecture = "archs:Mlp"\n[data]\npath = "d.csv"\n'
            )
            assert invoke(arguments) == 0
            arguments = ["run", str(tmp_path / "a.toml"), "--only", "performance.*"]
        code = invoke(arguments)
        err = capsys.readouterr().err
        if path.is_dir():  # a Hugging Face directory: an audit refuses it in the same words, and leaves nothing
            (tmp_path / "a.toml").write_text(f'[model]\npath = "{path}"\n[data]\npath = "d.csv"\n')
            assert invoke(["run", str(tmp_path / "a.toml")]) == 3
            assert capsys.readouterr().err == err and not (tmp_path / "audit-out").exists()

        legal = {"refuse": {3}, "limit": {0, 3}}.get(row["verdict"], {0})
        assert code in legal, row
        assert err.count("\n") == (code == 3) and "Traceback" not in err, row
    assert seen >= 75
    assert set(Path("/tmp").glob("hostile_marker_*")) == before
