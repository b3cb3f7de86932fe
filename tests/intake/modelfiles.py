"""Model files honest and otherwise, and what torch and the inspection say of them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from auditor.errors import LoadError
from auditor.intake.inspection import Inspection, inspect_model

__all__ = [
    "PROGRAMS", "Payload", "Small", "as_described", "as_torch_has_them", "need_refused", "rezipped", "saved",
    "with_pickle",
]  # fmt: skip


class Small(nn.Module):
    """A convolution, a normalisation with its 0-dim counter, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(torch.relu(self.norm(self.conv(x))).mean((2, 3)))
        return y


# a module as a program that takes any number of rows
PROGRAMS: dict[str, Callable[[nn.Module, Tensor], nn.Module]] = {
    "scripted": lambda module, _: torch.jit.script(module),
    "traced": torch.jit.trace,
    "exported": lambda module, x: torch.export.export(
        module, (x,), dynamic_shapes=({0: torch.export.Dim.AUTO},)
    ).module(),
}


def as_torch_has_them(tensors: dict[str, Tensor]) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (str(t.dtype).removeprefix("torch."), tuple(t.shape)) for name, t in tensors.items()}


def as_described(found: Inspection) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (t.dtype, t.shape) for name, t in found.tensors.items()}


class Payload:
    """Asks for a function of the operating system when it is unpickled with full trust."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, ("echo hacked",)


def saved(thing: Any, **more: Any) -> bytes:
    out = io.BytesIO()
    torch.save(thing, out, **more)
    return out.getvalue()


def rezipped(content: bytes, change: Callable[[str, bytes], bytes | None], **more: Any) -> bytes:
    """The archive with every member as `change` gives it; None leaves it out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as z, zipfile.ZipFile(out, "w", **more) as new:
        for name in z.namelist():
            if (member := change(name, z.read(name))) is not None:
                new.writestr(name, member)
    return out.getvalue()


def with_pickle(data: bytes) -> bytes:
    return rezipped(saved({"w": torch.ones(2)}), lambda name, member: data if name.endswith("data.pkl") else member)


def need_refused(folder: Path, content: bytes, message: str) -> None:
    """Fails unless a file of that content is refused in one line that matches `message`."""
    path = folder / "m.pt"
    path.write_bytes(content)
    with pytest.raises(LoadError, match=message) as e:
        inspect_model(path)
    assert "\n" not in str(e.value)
