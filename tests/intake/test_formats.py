"""Every row of the README's tables of formats, with a real file: it is audited, at the grade that stands there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from app.cli import invoke
from auditor.intake.zoos import from_zoo
from auditor.store import load
from auditor.types import Status
from tests.intake.pretrained import saved_texts
from tests.intake.zoo_packages import installed

README = (Path(__file__).parents[2] / "README.md").read_text()
MLP = 'path = "{}"\narchitecture = "mlp:3-4-2"\n'
ARCHS = "from torch import nn\ndef net(): return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))\n"
TABLE, IMAGES = '[data]\npath = "d.npz"\n', '[data]\npath = "i.npz"\n'


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()


def state_dict(folder: Path) -> str:
    torch.save({"model": net().state_dict(), "optimizer": {"lr": 0.1}}, folder / "w.pth")
    return "[model]\n" + MLP.format("w.pth") + TABLE


def lightning(folder: Path) -> str:
    """The keys that Lightning 2.6 writes."""
    content = {
        "epoch": 1, "global_step": 2, "pytorch-lightning_version": "2.6.6", "loops": {}, "callbacks": {},
        "state_dict": {f"net.{k}": v for k, v in net().state_dict().items()}, "optimizer_states": [],
        "lr_schedulers": [], "hparams_name": "kwargs", "hyper_parameters": {"lr": 0.1},
    }  # fmt: skip
    torch.save(content, folder / "w.ckpt")
    return "[model]\n" + MLP.format("w.ckpt") + TABLE


def skorch(folder: Path) -> str:
    torch.save({f"module_.{k}": v for k, v in net().state_dict().items()}, folder / "params.pt")
    return "[model]\n" + MLP.format("params.pt") + TABLE


def safetensors(folder: Path) -> str:
    save_file(net().state_dict(), folder / "w.safetensors")
    return "[model]\n" + MLP.format("w.safetensors") + TABLE


def shards(folder: Path) -> str:
    tensors = net().state_dict()
    for name, t in tensors.items():
        save_file({name: t}, folder / f"{name}.safetensors")
    index = {"weight_map": {name: f"{name}.safetensors" for name in tensors}}
    (folder / "w.safetensors.index.json").write_text(json.dumps(index))
    return "[model]\n" + MLP.format("w.safetensors.index.json") + TABLE


def directory(folder: Path) -> str:
    saved_texts(folder / "m", ["a good film", "the bad plot"])
    (folder / "t.csv").write_text("text,y\n" + "a good film,1\nthe bad plot,0\n" * 10)
    return '[model]\npath = "m"\n[data]\npath = "t.csv"\n'


def script(folder: Path) -> str:
    torch.jit.script(net()).save(str(folder / "s.pt"))
    return '[model]\npath = "s.pt"\ntrust = "program"\n' + TABLE


def exported(folder: Path) -> str:
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(net(), (torch.rand(4, 3),), dynamic_shapes=shapes), folder / "e.pt2")
    return '[model]\npath = "e.pt2"\ntrust = "program"\n' + TABLE


def predictions(folder: Path) -> str:
    (folder / "p.csv").write_text("y,p\n" + "1,0.75\n0,0.5\n" * 10)
    return '[data]\npath = "p.csv"\nscore = "p"\n'


def code(folder: Path) -> str:
    (folder / "archs.py").write_text(ARCHS)
    return state_dict(folder).replace("mlp:3-4-2", "archs:net")


def published(name: str, arguments: dict[str, Any]) -> Callable[[Path], str]:
    def build(folder: Path) -> str:
        zoo, _, inner = name.partition(":")
        installed(zoo)
        torch.manual_seed(0)
        save_file(from_zoo(zoo, inner, arguments).state_dict(), folder / "w.safetensors")
        given = ", ".join(f"{k} = {v}" for k, v in arguments.items())
        return f'[model]\npath = "w.safetensors"\narchitecture = "{name}"\narguments = {{ {given} }}\n{IMAGES}'

    return build


VIT = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 64,
    "patch_size": 16, "num_labels": 2,
}  # fmt: skip
FORMATS: dict[str, tuple[Callable[[Path], str], str]] = {
    "state_dict `.pt .pth .th`": (state_dict, "data"),
    "Lightning `.ckpt`": (lightning, "data"),
    "skorch, `save_params`": (skorch, "data"),
    "safetensors": (safetensors, "data"),
    "safetensors in several files": (shards, "data"),
    "Hugging Face directory": (directory, "data"),
    "TorchScript": (script, "program"),
    "torch.export `.pt2`": (exported, "program"),
    "predictions alone": (predictions, "data"),
    "`mlp:8-16-2`": (state_dict, "data"),
    "`torchvision:NAME`": (published("torchvision:squeezenet1_1", {"num_classes": 2}), "data"),
    "`timm:NAME`": (published("timm:test_resnet", {"num_classes": 2}), "data"),
    "`transformers:CLASS`": (published("transformers:ViTForImageClassification", VIT), "data"),
    "`MODULE:CALLABLE`": (code, "code"),
}


def rows() -> dict[str, str]:
    """The evidence grade of each row of the README's two tables."""
    section = README.partition("## What is read\n")[2].partition("## ")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return {
        c[0].strip(): c[-1].strip("` ")
        for c in cells
        if c[0].strip() not in {"model", "architecture"} and "---" not in c[0]
    }


def test_every_row_has_its_file_and_its_grade() -> None:
    found = rows()

    assert found.pop("a whole module, pickled") == "code"  # in the sandbox alone: tests/sandbox/test_parent.py
    assert found.pop("a wrapper, `.json`") == "of that model"  # tests/sandbox/test_wrappers.py
    assert set(found) == set(FORMATS)
    assert {name: grade for name, grade in found.items() if grade != "of the architecture"}.items() <= {
        name: grade for name, (_, grade) in FORMATS.items()
    }.items()


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_of_that_format_is_audited(name: str, tmp_path: Path) -> None:
    build, grade = FORMATS[name]
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "d.npz", x=draw.random((20, 3), np.float32), y=np.arange(20) % 2)
    np.savez(tmp_path / "i.npz", x=draw.integers(0, 256, (20, 64, 64, 3), np.uint8), y=np.arange(20) % 2)
    (tmp_path / "a.toml").write_text(build(tmp_path))

    code = invoke(["run", str(tmp_path / "a.toml"), "--out", str(tmp_path / "o"), "--only", "performance.*"])

    audit = load(tmp_path / "o").audit
    assert code in {0, 1} and not [o for o in audit.outcomes if o.status is Status.ERROR]
    assert audit.subject["model"]["evidence_grade"] == grade
    assert (tmp_path / "o" / "report.html").stat().st_size > 10_000
    assert not re.search(r"\bTraceback\b", (tmp_path / "o" / "report.html").read_text())
