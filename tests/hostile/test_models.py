"""The hostile model files get the verdicts that their list asks for, and leave no trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli import invoke
from tests.hostile.verdicts import entries, need_verdict

GROUPS = ("pickle", "weights_only", "model", "safetensors", "program")
SEEN_LATER = {"m05_wrong_arch.pt", "m06_shape.pt", "m07_nan.pt", "m11_overflow.pt", "s08_nan.safetensors"}
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


def test_models_get_the_verdict_they_should(hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "archs.py").write_text(MLP)
    (tmp_path / "d.csv").write_text("a,b,c,d,e,f,g,h,y\n" + "1,2,3,4,5,6,7,8,0\n8,7,6,5,4,3,2,1,2\n")
    run = ["run", str(tmp_path / "a.toml"), "--only", "performance.*"]
    seen = 0
    for path, row in entries(hostile, *GROUPS):
        seen += 1
        code, later = invoke(["inspect", str(path)]), path.name in SEEN_LATER
        err = capsys.readouterr().err
        if later or path.is_dir():
            architecture = 'architecture = "archs:Mlp"\n' if later else ""
            (tmp_path / "a.toml").write_text(f'[model]\npath = "{path}"\n{architecture}[data]\npath = "d.csv"\n')
            assert code == (0 if later else 3), row
            code, first = invoke(run), err
            err = capsys.readouterr().err
            assert later or err == first  # of a Hugging Face directory an audit says the same
            assert not (tmp_path / "audit-out").exists()
        if row["verdict"] == "limit":
            assert code in {0, 3}, row  # it says what it needs, and is stopped when it runs: test_limits.py
        else:
            need_verdict(row, code, err)
    assert seen >= 75
