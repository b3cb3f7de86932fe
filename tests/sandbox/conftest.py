"""A folder with weights and a table, for audits of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    torch.save(nn.Sequential(nn.Linear(3, 2)).state_dict(), tmp_path / "w.pt")
    rows = "\n".join(f"{i % 7},{i % 5},{i % 3},{'a' if i % 4 else 'b'},{i % 2}" for i in range(60))
    (tmp_path / "d.csv").write_text(f"p,q,r,g,y\n{rows}\n")
    return tmp_path
