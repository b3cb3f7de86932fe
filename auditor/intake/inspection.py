"""What a model file is, what it holds and what it would need to be loaded: nothing of it is executed, and no torch.

Every model file passes through here before torch sees it.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

from auditor.errors import LoadError
from auditor.intake.archive import need_members, sound_archive
from auditor.intake.described import Described
from auditor.intake.exported import described_program, need_harmless_program
from auditor.intake.header import described_safetensors, described_shards, shards
from auditor.intake.huggingface import Directory, read_directory
from auditor.intake.pickled import described_pickle
from auditor.intake.recognise import Format, recognise, sha256
from auditor.intake.scripted import need_harmless_source
from auditor.intake.state_dict import hyper_parameters, unwrapped
from auditor.intake.wrapper import read_wrapper

__all__ = ["Inspection", "inspect_model"]

Trust = Literal["data", "program", "pickle"]
CLASSES = "__torch__."  # how TorchScript names a program's own
WEIGHTS = ("safetensors", "safetensors index", "state_dict", "legacy state_dict")


@dataclass(frozen=True)
class Inspection:
    """A model file as far as it can be known without running it.

    `trust` is what the audit file must allow; `needs_architecture` whether the file brings weights alone. `tensors` are
    its weights by name, `notes` what a reader should know. `sha256` and `size` cover every file of several.
    """

    file: str
    format: Format
    trust: Trust
    needs_architecture: bool
    sha256: str
    size: int
    tensors: Mapping[str, Described]
    notes: tuple[str, ...] = ()


def inspect_model(path: Path) -> Inspection:
    """The model file at `path`; LoadError, in one line, when it is none that can be loaded as data or as a program."""
    kind = recognise(path)
    if kind == "hugging face":
        return _directory(read_directory(path))
    if kind == "wrapper":
        return _wrapper(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd escapes in somebody else's text
        tensors, notes = _contents(path, kind)
    odd = next((name for name, t in tensors.items() if t.dtype.startswith("complex")), None)
    if odd is not None:
        msg = f"{path.name!r}: tensor {odd!r:.80} is {tensors[odd].dtype}; expected real numbers"
        raise LoadError(msg)
    weights = kind in WEIGHTS
    files = _files(path, kind)
    size = sum(f.stat().st_size for f in files)
    return Inspection(path.name, kind, "data" if weights else "program", weights, _digest(files), size, tensors, notes)


def _wrapper(path: Path) -> Inspection:
    """What it says of itself; the model file behind it is not looked for."""
    found = read_wrapper(path)
    settings = ", ".join(f"{name} {_value(v)}" for name, v in found.settings.items())
    notes = (
        f"{found.kind} ({settings})", f"it stands around {found.model!r:.200}, sha256 {found.model_sha256}",
        "[model] trust, architecture and arguments are those of the model behind it",
    )  # fmt: skip
    return Inspection(path.name, "wrapper", "data", False, sha256(path), path.stat().st_size, {}, notes)


def _value(value: object) -> str:
    return f"of {len(value):,} values" if isinstance(value, list) and len(value) > 4 else f"{value!s:.60}"


def _directory(found: Directory) -> Inspection:
    kind = recognise(found.weights)
    if kind not in {"safetensors", "safetensors index"}:
        msg = f"model directory {found.path.name!r}: {found.weights.name!r} is {kind}; expected safetensors"
        raise LoadError(msg)
    tensors, notes = _contents(found.weights, kind)
    files = [*found.files, *_files(found.weights, kind)]
    size = sum(f.stat().st_size for f in files)
    notes = (*found.notes, *notes)
    return Inspection(found.path.name, "hugging face", "data", False, _digest(files), size, tensors, notes)


def _files(path: Path, kind: Format) -> list[Path]:
    """Every file of the model, the given one first."""
    return [path, *(dict.fromkeys(shards(path).values()) if kind == "safetensors index" else ())]


def _digest(files: Sequence[Path]) -> str:
    """The sha256 of a file; of several, that of their lines `sha256 name`, an index or config.json first."""
    if len(files) == 1:
        return sha256(files[0])
    lines = "".join(f"{sha256(f)} {f.name}\n" for f in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def _contents(path: Path, kind: Format) -> tuple[dict[str, Described], tuple[str, ...]]:
    if kind == "safetensors":
        return described_safetensors(path), ()
    if kind == "safetensors index":
        return described_shards(path), ()
    if kind == "legacy state_dict":
        return _weights(_legacy(path), path)
    with path.open("rb") as stream, sound_archive(stream, repr(path.name)) as z:
        top = need_members(z, repr(path.name), kind)
        if kind == "state_dict":
            return _weights(_member(path, z, top, "data"), path)
        if kind == "torchscript":
            need_harmless_source(path, z)
            _member(path, z, top, "constants", CLASSES)  # traced_inputs.pkl is never read when it is loaded
            return _flat(_member(path, z, top, "data", CLASSES)), ()
        need_harmless_program(path, z, top)
        return described_program(path, z, top), ()


def _weights(checkpoint: Any, path: Path) -> tuple[dict[str, Described], tuple[str, ...]]:
    tensors, notes = unwrapped(checkpoint, path.name, Described)
    return tensors, (*notes, *hyper_parameters(checkpoint))


def _member(path: Path, z: zipfile.ZipFile, top: str, name: str, classes: str | None = None) -> Any:
    """The pickle `name` of the archive, described; its storages lie in a folder of that name."""
    folder = f"{top}/{name}/"
    stored = {i.filename.removeprefix(folder): i.file_size for i in z.infolist() if i.filename.startswith(folder)}
    try:
        data = z.read(f"{top}/{name}.pkl")
    except KeyError:
        msg = f"model file {path.name!r} has no {name}.pkl, which torch writes"
        raise LoadError(msg) from None
    return described_pickle(io.BytesIO(data), f"{name}.pkl of {path.name!r}", stored, classes)


def _legacy(path: Path) -> Any:
    """What torch.save wrote until 1.6: a number, a version, the system, the object, then its storages."""
    name = f"{path.name!r}"
    # mapped, since a file would make room for as many bytes as a string claims to have before it reads them
    with path.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        stream = cast("IO[bytes]", mapped)
        for _ in range(3):
            described_pickle(stream, name)
        return described_pickle(stream, name)


def _flat(thing: Any, prefix: str = "", depth: int = 64) -> dict[str, Described]:
    """The tensors of nested modules by dotted name."""
    if isinstance(thing, Described):
        return {prefix.rstrip("."): thing}
    if not isinstance(thing, dict) or not depth:
        return {}
    return {k: v for name, part in thing.items() for k, v in _flat(part, f"{prefix}{name}.", depth - 1).items()}
