"""The header of a safetensors file: names, types and shapes, checked against the bytes that follow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auditor.errors import LoadError
from auditor.intake.described import Described
from auditor.intake.strict_json import TwinError, strict_json

__all__ = ["described_safetensors", "described_shards", "shards"]

MOST_HEADER = 100_000_000  # what the format's own reader allows
TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64", "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
}  # fmt: skip


def described_safetensors(path: Path) -> dict[str, Described]:
    """The tensors of the safetensors file at `path` by name; LoadError when its header and its bytes disagree."""
    size = path.stat().st_size
    with path.open("rb") as f:
        length = int.from_bytes(f.read(8), "little")
        if not 2 <= length <= min(MOST_HEADER, size - 8):
            raise _broken(path, f"its length is {length:,} in a file of {size:,} bytes")
        text = f.read(length)
    try:
        entries = strict_json(text)
        entries.pop("__metadata__", None)
        found = {name: _tensor(entry) for name, entry in entries.items()}
        places = sorted(tuple(entry["data_offsets"]) for entry in entries.values())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
        raise _broken(
            path, TwinError.__doc__ or "" if isinstance(e, TwinError) else "it is not as the format says"
        ) from None
    end = 0
    for start, stop in places:
        if start != end:
            raise _broken(path, "its tensors overlap or leave a gap")
        end = stop
    if end != size - 8 - length:
        raise _broken(path, f"it declares {end:,} bytes, the file brings {size - 8 - length:,}")
    return found


def shards(path: Path) -> dict[str, Path]:
    """The file of each tensor by the tensor's name, as the index at `path` says; they lie beside it."""
    try:
        named = strict_json(path.read_bytes())["weight_map"]
        files = {str(name): path.parent / file for name, file in named.items() if Path(file).name == file}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        msg = f"{path.name!r} is no index of safetensors files: it has no weight_map of tensor names to files"
        raise LoadError(msg) from None
    if len(files) != len(named) or not files:
        msg = f"{path.name!r} names no file beside it for some tensor; expected plain file names"
        raise LoadError(msg)
    missing = next((f.name for f in files.values() if not f.is_file()), None)
    if missing is not None:
        msg = f"{path.name!r} names {missing!r:.80}, which does not lie beside it"
        raise LoadError(msg)
    return files


def described_shards(path: Path) -> dict[str, Described]:
    """The tensors of a model in several safetensors files; LoadError when index and files disagree."""
    found: dict[str, Described] = {}
    files = shards(path)
    for file in dict.fromkeys(files.values()):
        held = described_safetensors(file)
        listed = {name for name, place in files.items() if place == file}
        if set(held) != listed:
            odd = min(set(held) ^ listed)
            msg = f"{path.name!r} and {file.name!r} disagree on the tensor {odd!r:.80}"
            raise LoadError(msg)
        found |= held
    return {name: found[name] for name in files}


def _tensor(entry: Mapping[str, Any]) -> Described:
    shape, (start, stop) = entry["shape"], entry["data_offsets"]
    found = Described(TYPES[entry["dtype"]], tuple(shape))
    if any(type(v) is not int or v < 0 for v in (start, stop)) or found.bytes != stop - start:
        raise ValueError(found)
    return found


def _broken(path: Path, why: str) -> LoadError:
    return LoadError(f"{path.name!r} has a broken safetensors header: {why}")
