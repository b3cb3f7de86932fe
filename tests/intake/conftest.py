"""The same module in every format."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.intake.modelfiles import Small


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
