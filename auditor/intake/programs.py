"""Models that bring code: TorchScript, torch.export and pickled modules. Loading one can run what is inside."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch
from torch import nn

from auditor.errors import LoadError, one_line
from auditor.intake.recognise import Format
from auditor.intake.state_dict import NESTED

__all__ = ["load_pickle", "load_program"]


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


def load_pickle(path: Path, folder: Path) -> nn.Module:
    """The module pickled in `path`, its classes found in `folder` or installed; for the sandbox alone.

    Unpickling runs whatever the file says. A module is also found under a usual name of a checkpoint. LoadError when
    there is none, or its classes are not found.
    """
    sys.path.insert(0, str(folder))
    try:
        found = torch.load(path, map_location="cpu", weights_only=False)  # what trust = 'pickle' allows
    except (Exception, SystemExit) as e:  # noqa: BLE001 - the code of a pickle may raise anything
        msg = f"{path.name!r} cannot be unpickled: {type(e).__name__}: {one_line(str(e), 200)}"
        raise LoadError(msg) from None
    finally:
        sys.path.remove(str(folder))
    if isinstance(found, dict):
        found = next((found[key] for key in NESTED if isinstance(found.get(key), nn.Module)), found)
    if not isinstance(found, nn.Module):
        msg = f"{path.name!r} holds {type(found).__name__}; expected a torch.nn.Module"
        raise LoadError(msg)
    return found.eval()
