"""What a model file is, from its bytes. Nothing in it is executed or unpickled."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Literal

from auditor.errors import LoadError

__all__ = ["Format", "recognise", "sha256"]

Format = Literal[
    "safetensors", "safetensors index", "state_dict", "legacy state_dict", "torchscript", "torch.export",
    "hugging face", "pickled module", "wrapper",
]  # fmt: skip
LEGACY = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")  # the number that torch.save wrote first until 1.6
WRAPPER = ".json"  # what stands around a model file
INDEX = ".safetensors.index.json"  # names the file of each tensor of a model in several files
ACCEPTED = "a state_dict (.pt, .pth), safetensors, TorchScript, torch.export (.pt2) or a Hugging Face directory"


def recognise(path: Path) -> Format:
    """The format of the model file at `path`; LoadError when it is none that can be loaded."""
    if path.is_dir():
        if (path / "config.json").is_file():
            return "hugging face"
        msg = f"model {path.name!r} is a folder without a config.json; expected {ACCEPTED}"
        raise LoadError(msg)
    try:
        with path.open("rb") as f:
            head = f.read(512)
    except OSError as e:
        msg = f"model file {path.name!r} cannot be read: {e.strerror}; expected {ACCEPTED}"
        raise LoadError(msg) from None
    if path.name.endswith(WRAPPER) and not path.name.endswith(INDEX):
        return "wrapper"
    if not head:
        msg = f"model file {path.name!r} is empty; expected {ACCEPTED}"
        raise LoadError(msg)
    if head.startswith(b"PK\x03\x04"):
        return _zip_format(path)
    if len(head) > 8 and head[8:9] == b"{":
        return "safetensors"
    if head[:1] == b"{" and path.name.endswith(INDEX):
        return "safetensors index"
    if head[:1] == b"\x80" and LEGACY in head[:20]:
        return "legacy state_dict"
    msg = f"model file {path.name!r} is {_other(head)}; expected {ACCEPTED}"
    raise LoadError(msg)


def _other(head: bytes) -> str:
    """What begins so, and is no model that can be loaded."""
    if head[:1] == b"\x80":
        return "a bare pickle, which can run any code"
    if head.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer and not the model itself (git lfs pull fetches it)"
    if head[257:262] == b"ustar":
        return "a tar archive, as torch wrote before 0.1.10"
    return "no model file"


def _zip_format(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as z:
            names = {n.partition("/")[2] or n for n in z.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):  # its directory can be anything
        msg = f"model file {path.name!r} is a damaged archive; expected {ACCEPTED}"
        raise LoadError(msg) from None
    if "constants.pkl" in names and any(n.startswith("code/") for n in names):
        return "torchscript"
    if ".data/extern_modules" in names or any(n.endswith(".py") for n in names):
        msg = f"model file {path.name!r} is a torch.package archive, which carries Python source; expected {ACCEPTED}"
        raise LoadError(msg)
    if "archive_format" in names or any(n.startswith(("models/", "data/aotinductor/")) for n in names):
        return "torch.export"
    if "data.pkl" in names:
        return "state_dict"
    msg = f"model file {path.name!r} is an archive without a model; expected {ACCEPTED}"
    raise LoadError(msg)


def sha256(path: Path) -> str:
    """Hex digest of the file's bytes."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
