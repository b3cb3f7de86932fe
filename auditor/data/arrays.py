"""Samples from an .npz file. Arrays are mapped from disk, so that a file larger than memory can be audited."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.lib import format as npy
from PIL import Image
from torch import Tensor

from auditor.columns import Column
from auditor.config import DataSpec, InputSpec
from auditor.data.columns import TARGET, ArrayColumns, need
from auditor.data.pixels import to_inputs, to_size
from auditor.data.source import Source
from auditor.errors import LoadError, UsageError
from auditor.feeds import Packed, Part
from auditor.intake.recognise import sha256
from auditor.integers import Integers

__all__ = ["read_arrays"]

Array = np.ndarray[Any, Any]
MOST_WHOLE = 1 << 24
CHANNELS = (1, 3, 4)


def read_arrays(path: Path, spec: DataSpec, given: InputSpec) -> Source:
    """The arrays of `path`: `spec.inputs` (default "x") as inputs, every array of one value a row as a column."""
    arrays = _open(path)
    if isinstance(spec.inputs, tuple):
        return _several(path, spec, given, arrays, spec.inputs)
    name = spec.inputs or "x"
    need(tuple(arrays), name, "inputs", path.name)
    x = arrays[name]
    if x.ndim == 0 or len(x) == 0:
        msg = f"{path.name!r}: array {name!r} has no samples"
        raise LoadError(msg)
    columns = {n: a for n, a in arrays.items() if n != name and a.ndim == 1 and len(a) == len(x)}
    _need_columns(path, spec, arrays, columns, len(x))
    pixels = x.dtype == np.uint8 and x.ndim in (3, 4)
    if not pixels and x.dtype.kind != "f":
        msg = f"{path.name!r}: array {name!r} is {x.dtype} {x.shape}; expected uint8 pixels (N,H,W[,C]) or floats"
        raise LoadError(msg)
    if (given.resize or given.size) and not pixels:
        msg = f"[input] resize and size are for pixels (uint8); array {name!r} of {path.name!r} holds {x.dtype}"
        raise UsageError(msg)
    last = not pixels and x.ndim == 4 and x.shape[3] in CHANNELS and x.shape[1] not in CHANNELS
    kind = given.kind or ("image" if pixels or x.ndim == 4 else "tensor")
    fits = {"image": pixels or x.ndim == 4, "table": not pixels and x.ndim == 2}
    if not fits.get(kind, True):
        shape = {"image": "(N,C,H,W) floats or (N,H,W[,C]) uint8", "table": "(N,F) floats"}[kind]
        msg = f"{path.name!r}: array {name!r} is {x.dtype} {x.shape}; [input] kind = {kind!r} needs {shape}"
        raise LoadError(msg)

    def inputs(rows: Integers) -> Tensor:
        part = np.asarray(x[rows])
        if not pixels:
            floats = torch.from_numpy(part.astype(np.float32))
            return floats.permute(0, 3, 1, 2).contiguous() if last else floats
        if given.resize is None and given.size is None:
            return to_inputs(part)
        return to_inputs(np.stack([np.asarray(to_size(Image.fromarray(p.squeeze()), given)) for p in part]))

    return Source(
        path.name,
        ArrayColumns(columns, spec.missing, len(x)),
        inputs,
        np.arange(len(x)),
        kind,
        features=_features(x, name) if kind == "table" else (),
        caveats=(f"Array {name!r} has shape {x.shape}: it was read as images with the channels last.",) if last else (),
        sha256=sha256(path),
    )


def _several(path: Path, spec: DataSpec, given: InputSpec, arrays: dict[str, Array], names: tuple[str, ...]) -> Source:
    """The arrays `names` (N, ...) behind each other in one vector a sample, its elements as the columns of a table."""
    for name in names:
        need(tuple(arrays), name, "inputs", path.name)
    held = {name: arrays[name] for name in names}
    first, n = names[0], len(held[names[0]]) if held[names[0]].ndim else 0
    odd = next((k for k, a in held.items() if a.ndim == 0 or len(a) != n or n == 0), None)
    if odd is not None:
        msg = (
            f"{path.name!r}: array {odd!r} is {held[odd].shape}, {first!r} is {held[first].shape}; expected N rows each"
        )
        raise LoadError(msg)
    odd = next((k for k, a in held.items() if a.dtype.kind not in "biuf"), None)
    if odd is not None:
        msg = f"{path.name!r}: array {odd!r} is {held[odd].dtype}; expected floats, or whole numbers such as ids"
        raise LoadError(msg)
    large = next((k for k, a in held.items() if a.dtype.kind != "f" and a.size and np.abs(a).max() > MOST_WHOLE), None)
    if large is not None:
        msg = f"{path.name!r}: array {large!r} holds numbers beyond {MOST_WHOLE:,}, which float32 does not keep"
        raise LoadError(msg)
    if given.resize or given.size or given.kind not in (None, "tensor", "table"):
        msg = "[input] kind, resize and size are for one input; with several they are left out"
        raise UsageError(msg)
    columns = {k: a for k, a in arrays.items() if k not in held and a.ndim == 1 and len(a) == n}
    _need_columns(path, spec, arrays, columns, n)
    parts = tuple(Part(k, tuple(map(int, a.shape[1:])), a.dtype.kind != "f") for k, a in held.items())

    def inputs(rows: Integers) -> Tensor:
        flat = [np.asarray(a[rows], np.float32).reshape(len(rows), -1) for a in held.values()]
        return torch.from_numpy(np.concatenate(flat, 1))

    return Source(
        path.name,
        ArrayColumns(columns, spec.missing, n),
        inputs,
        np.arange(n),
        "table",
        features=_elements(parts),
        sha256=sha256(path),
        feed=Packed(parts),
    )


def _elements(parts: Sequence[Part]) -> tuple[Column, ...]:
    """A column for each element of the packed vector: `age`, or `grid[3]`; whole numbers are nothing to be moved."""
    found: list[Column] = []
    for part in parts:
        kind: Literal["flag", "number"] = "flag" if part.whole else "number"
        for i in range(part.size):
            name = f"{part.name}[{i}]" if part.shape else part.name
            found.append(Column(name, len(found), len(found) + 1, kind))
    return tuple(found)


def _features(x: Array, name: str) -> tuple[Column, ...]:
    """A column for each input of a table (N, F); one that is always 0 or 1 is a flag."""
    flags = np.asarray(np.isin(x, (0, 1)).all(0))
    return tuple(Column(f"{name}[{i}]", i, i + 1, "flag" if flag else "number") for i, flag in enumerate(flags))


def _need_columns(path: Path, spec: DataSpec, arrays: dict[str, Array], columns: dict[str, Array], n: int) -> None:
    """LoadError for a target, a sensitive or a `where` array that is not there, or has not a value a sample."""
    wanted = {spec.target or TARGET: "target"} | dict.fromkeys(spec.sensitive, "sensitive column")
    for name, what in (wanted | dict.fromkeys(spec.where, "where column")).items():
        need(tuple(arrays), name, what, path.name)
        if name not in columns:
            msg = f"{path.name!r}: array {name!r} is {arrays[name].shape}; expected ({n},), a value a sample"
            raise LoadError(msg)


def _open(path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as z:
            members = [n for n in z.namelist() if n.endswith(".npy")]
            return {n.removesuffix(".npy"): _mapped(z, n) for n in members}
    except (zipfile.BadZipFile, OSError, ValueError) as e:
        reason = "it holds Python objects" if "Object arrays" in str(e) else type(e).__name__
        msg = f"{path.name!r} cannot be read as .npz: {reason}; expected arrays of numbers or text (numpy.savez)"
        raise LoadError(msg) from None


def _mapped(z: zipfile.ZipFile, member: str) -> Array:
    """The array behind `member`, unpacked to a nameless file and mapped from there; the mapping keeps the file."""
    with tempfile.TemporaryFile() as unpacked:
        with z.open(member) as packed:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
        unpacked.seek(0)
        header = npy.read_array_header_1_0 if npy.read_magic(unpacked) == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = header(unpacked)
        if dtype.hasobject:
            msg = "Object arrays are refused"
            raise ValueError(msg)
        if 0 in shape or shape == ():
            unpacked.seek(0)
            return np.asarray(npy.read_array(unpacked, allow_pickle=False))
        return np.memmap(unpacked, dtype, "r", unpacked.tell(), shape, "F" if fortran else "C")
