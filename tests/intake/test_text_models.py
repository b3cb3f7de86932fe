"""Text models that are no directory: weights in Python of one's own, and programs; each called as it asks to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auditor.config import parse_audit_file
from auditor.defend.pgd import pgd
from auditor.errors import LoadError, NotApplicable
from auditor.intake.outputs import settle
from auditor.opening import Opened, open_audit
from tests.intake.pretrained import tokenizer_in
from tests.shared import model_of, module_at

TEXTS = ["a good film", "the bad plot indeed", "one", "a good plot , not a bad film"]
ARCHS = """
import torch
from torch import Tensor, nn

class Ids(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.run, self.head = nn.Embedding(300, 4), nn.GRU(4, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.run(self.embed(x))[0][:, 1])

class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(300, 4), nn.Linear(4, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask.unsqueeze(2)
        return self.head((self.embed(input_ids) * mask).sum(1) / mask.sum(1))

class Masked(Ids):
    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self.run(self.embed(input_ids))[0]
        mask = attention_mask.unsqueeze(2)
        return self.head((states * mask).sum(1) / mask.sum(1))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tokenizer, texts, and two architectures with one set of weights."""
    tokenizer_in(tmp_path / "t", TEXTS)
    (tmp_path / "archs.py").write_text(ARCHS)
    (tmp_path / "d.tsv").write_text("".join(f"{text}\t{i % 2}\n" for i, text in enumerate(TEXTS)))
    torch.manual_seed(0)
    torch.save(module(tmp_path, "Ids").state_dict(), tmp_path / "w.pt")
    return tmp_path


def module(folder: Path, name: str) -> nn.Module:
    built: nn.Module = getattr(module_at(folder / "archs.py"), name)().eval()
    return built


def opened(folder: Path, **model: Any) -> Opened:
    data = {"path": "d.tsv", "header": False, "columns": ["text", "y"], "inputs": "text", "target": "y"}
    given = {"model": model, "data": data, "input": {"kind": "text", "tokenizer": "t"}}
    return open_audit(parse_audit_file(given), folder)


def by_hand(folder: Path, name: str, found: Opened) -> Tensor:
    """Row by row, without any padding."""
    net = module(folder, name)
    net.load_state_dict(torch.load(folder / "w.pt", weights_only=True))
    ids = [row[row >= 0][None] for row in found.data.read(np.arange(len(TEXTS)))]
    with torch.no_grad():
        return torch.cat([net(i) if name == "Ids" else net(i, torch.ones_like(i)) for i in ids])


@pytest.mark.parametrize("name", ["Ids", "Masked"])
@pytest.mark.parametrize("program", [False, True], ids=["module", "TorchScript"])
def test_it_is_called_as_its_forward_asks(folder: Path, name: str, program: bool) -> None:
    net = module(folder, name)
    net.load_state_dict(torch.load(folder / "w.pt", weights_only=True))
    torch.jit.script(net).save(str(folder / "s.pt"))
    given = {"path": "s.pt", "trust": "program"} if program else {"path": "w.pt", "architecture": f"archs:{name}"}

    found = opened(folder, **given)
    model, caveats = settle(model_of(found), found.data)

    with torch.no_grad():
        ours = model(found.data.read(np.arange(len(TEXTS))))
    assert torch.allclose(ours, by_hand(folder, name, found), atol=1e-6)
    assert caveats == () and float(ours.std(0).min()) > 1e-4


def test_a_program_exported_by_position_is_called_so(folder: Path) -> None:
    torch.manual_seed(0)
    net = module(folder, "Plain")
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    sample = (torch.ones(3, 5, dtype=torch.int64), torch.ones(3, 5, dtype=torch.int64))
    torch.export.save(torch.export.export(net, sample, dynamic_shapes=(sizes, sizes)), folder / "e.pt2")

    found = opened(folder, path="e.pt2", trust="program")
    model, _ = settle(model_of(found), found.data)

    x = found.data.read(np.arange(len(TEXTS)))
    with torch.no_grad():
        expected = torch.cat([net(row[row >= 0][None], torch.ones(1, int((row >= 0).sum()))) for row in x])
        assert torch.allclose(model(x), expected, atol=1e-6)


def test_pictures_are_not_given_to_a_text_model(folder: Path) -> None:
    np.savez(folder / "d.npz", x=np.zeros((4, 8, 8), np.uint8), y=np.arange(4) % 2)
    given = {"path": "w.pt", "architecture": "archs:Ids"}

    with pytest.raises(LoadError, match="cannot take inputs"):
        open_audit(parse_audit_file({"model": given, "data": {"path": "d.npz"}}), folder)


def test_texts_are_not_hardened_without_an_embedding(folder: Path) -> None:
    found = opened(folder, path="w.pt", architecture="archs:Ids")

    with pytest.raises(NotApplicable, match="the model shows no embedding of its tokens"):
        pgd(model_of(found), found.data, seed=0)
