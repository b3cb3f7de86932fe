"""Models that bring their own code: TorchScript and torch.export files. Loading one can run what is inside."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from auditor.errors import LoadError, one_line
from auditor.intake.recognise import Format

__all__ = ["load_program"]


def load_program(path: Path, kind: Format) -> nn.Module:
    """The program in `path` as a module on the CPU; LoadError when torch cannot load it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces the end of TorchScript at each load
            if kind == "torchscript":
                return torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-any-return]
            return torch.export.load(path).module()
    except Exception as e:  # noqa: BLE001 - the reader of a hostile file may raise anything
        msg = f"{path.name!r} cannot be loaded as {kind}: {type(e).__name__}: {one_line(str(e), 160)}"
        raise LoadError(msg) from None
