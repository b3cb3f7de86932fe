"""Model files and directories that several tests read."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.intake.directories import CORPUS, LABELS
from tests.intake.modelfiles import Small
from tests.intake.pretrained import IMAGE, TEXT, saved_images, saved_texts


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same module in every format."""
    folder = tmp_path_factory.mktemp("files")
    torch.manual_seed(0)
    module = Small().eval()
    found = {
        name: folder / name for name in ("zip.pt", "legacy.pth", "s.safetensors", "script.pt", "trace.pt", "e.pt2")
    }
    torch.save(module.state_dict(), found["zip.pt"])
    torch.save(module.state_dict(), found["legacy.pth"], _use_new_zipfile_serialization=False)
    save_file(module.state_dict(), found["s.safetensors"])
    torch.jit.script(module).save(str(found["script.pt"]))
    torch.jit.trace(module, torch.rand(2, 1, 8, 8)).save(str(found["trace.pt"]))
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(module, (torch.rand(4, 1, 8, 8),), dynamic_shapes=shapes), found["e.pt2"])
    return found


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every architecture in a folder of its own, and data for them."""
    folder = tmp_path_factory.mktemp("models")
    for name in TEXT:
        saved_texts(folder / name, CORPUS, name, **LABELS)
    for name in IMAGE:
        saved_images(folder / name, name)
    rows = "".join(f"{text},{'yes' if i % 2 else 'no'},{'fm'[i % 3 == 0]}\n" for i, text in enumerate(CORPUS * 3))
    (folder / "d.csv").write_text(f"text,y,sex\n{rows}")
    draw = np.random.default_rng(0)
    np.savez(folder / "d.npz", x=draw.integers(0, 256, (12, 21, 24, 3), np.uint8), y=np.arange(12) % 3)
    return folder


@pytest.fixture
def bert(models: Path, tmp_path: Path) -> Path:
    """A copy of a text model that a test may change."""
    shutil.copytree(models / "Bert", tmp_path / "m")
    return tmp_path / "m"
