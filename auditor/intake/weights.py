"""Weights from a file into a module: read as data only, checked tensor by tensor before anything is copied."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from auditor.errors import LoadError, one_line
from auditor.intake.header import shards
from auditor.intake.recognise import Format
from auditor.intake.state_dict import unwrapped

__all__ = ["digest", "fill", "need_finite_weights", "read_weights", "write_weights"]

# how torch words that a file asks for something that weights alone do not need
OBJECTS = re.compile("unsupported global|unrecognized function|can only (build|create)", re.IGNORECASE)


def read_weights(path: Path, kind: Format) -> dict[str, Tensor]:
    """The tensors of a weights file by name, on the CPU; LoadError when it holds anything else."""
    if kind == "safetensors":
        loaded = _read_safetensors(path)
    elif kind == "safetensors index":
        files = dict.fromkeys(shards(path).values())
        loaded = {name: t for file in files for name, t in _read_safetensors(file).items()}
    else:
        try:
            # never a fall-back to weights_only=False: that would run whatever the file says
            loaded = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as e:  # noqa: BLE001 - the reader of a hostile file may raise anything
            if isinstance(e, pickle.UnpicklingError) and OBJECTS.search(str(e)):
                msg = f"{path.name!r} holds more than weights, or is damaged; save model.state_dict() alone"
            else:
                msg = f"{path.name!r} is malformed: {type(e).__name__}; expected the file that torch.save wrote"
            raise LoadError(msg) from None
    tensors, _ = unwrapped(loaded, path.name, Tensor)
    for name, t in tensors.items():
        _need_plain(name, t, path.name)
    return tensors


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, ValueError, OSError, KeyError) as e:
        msg = f"{path.name!r} is no sound safetensors file: {one_line(str(e), 100)}"
        raise LoadError(msg) from None


def _need_plain(name: str, t: Tensor, file: str) -> None:
    """LoadError unless `t` is an ordinary tensor with the bytes it declares and finite numbers."""
    if t.layout != torch.strided or t.device.type != "cpu" or t.is_quantized:
        msg = f"{file!r}: tensor {name!r} is {t.layout} on {t.device}; expected an ordinary CPU tensor"
        raise LoadError(msg)
    if t.numel() * t.element_size() > t.untyped_storage().nbytes():
        msg = f"{file!r}: tensor {name!r} declares {t.numel() * t.element_size():,} bytes and brings fewer"
        raise LoadError(msg)
    if t.is_complex():
        msg = f"{file!r}: tensor {name!r} is complex; expected real numbers"
        raise LoadError(msg)
    need_finite_weights(name, t, file)


def need_finite_weights(name: str, t: Tensor, file: str) -> None:
    """LoadError when the tensor `name` of `file` holds NaN or infinity."""
    if t.is_floating_point() and not bool(t.isfinite().all()):
        msg = f"{file!r}: tensor {name!r} holds NaN or infinity; an audit needs finite weights"
        raise LoadError(msg)


def fill(module: nn.Module, tensors: Mapping[str, Tensor], file: str) -> tuple[str, ...]:
    """Copy `tensors` into `module`; caveats about what was left out.

    LoadError that names the first misfit when they are another architecture's.
    """
    wanted = module.state_dict()
    given, caveats = _unwrapped_names(tensors, wanted, file)
    missing = _missing(given, wanted)
    extra = [n for n in given if n not in wanted]
    if missing or extra:
        parts = [f"{len(missing)} missing (first: {missing[0]})"] if missing else []
        parts += [f"{len(extra)} not in the architecture (first: {extra[0]})"] if extra else []
        msg = f"{file!r} does not fit the architecture: {'; '.join(parts)}"
        raise LoadError(msg)
    for name, t in given.items():
        if t.shape != wanted[name].shape:
            msg = f"{file!r}: {name} is {_shape(t)}, the architecture needs {_shape(wanted[name])}"
            raise LoadError(msg)
        if t.is_floating_point() != wanted[name].is_floating_point():
            msg = f"{file!r}: {name} is {t.dtype}, the architecture needs {wanted[name].dtype}"
            raise LoadError(msg)
    wanted.update(given)  # with the versions of the module's own parts, by which some read what is saved
    try:
        module.load_state_dict(wanted, strict=False)  # what is missing was looked at above
    except Exception as e:  # noqa: BLE001 - parts may load their weights in a way of their own
        msg = f"{file!r} cannot be loaded into the architecture: {type(e).__name__}: {one_line(str(e), 160)}"
        raise LoadError(msg) from None
    return caveats


def _missing(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """The names of `wanted` that are not given, and are needed."""
    held = {wanted[n].data_ptr() for n in given if n in wanted}  # a tensor of two names may be saved under one
    # a counter that came with torch 0.4.1; older checkpoints lack it and nothing in evaluation reads it
    return [
        n for n in wanted
        if n not in given and not n.endswith("num_batches_tracked") and wanted[n].data_ptr() not in held
    ]  # fmt: skip


def _unwrapped_names(
    tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], file: str
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors without what a wrapper put before their names (DataParallel, Lightning, skorch, torch.compile).

    A wrapper may hold more than the model (a loss, a counter, an average of its weights), which is left out and said.
    """
    given = dict(tensors)
    first = next(iter(wanted), "")
    if first not in given:
        places = [n.removesuffix(first) for n in given if n.endswith(f".{first}")]
        inner = {p: {n.removeprefix(p): t for n, t in given.items() if n.startswith(p)} for p in places}
        fitting = [p for p in places if not _missing(inner[p], wanted)]
        if fitting:
            prefix = fitting[0]
            beside = [n for n in given if not n.startswith(prefix)]
            names = f"{', '.join(beside[:3])}{' ...' if len(beside) > 3 else ''}"
            said = f"Of {file!r} only what stands under {prefix!r} was read; {len(beside):,} beside it not ({names})."
            return inner[prefix], (said,) if beside else ()
    while (prefix := f"{next(iter(given), '').partition('.')[0]}.") and all(n.startswith(prefix) for n in given):
        if any(n.startswith(prefix) for n in wanted):
            break
        given = {n.removeprefix(prefix): t for n, t in given.items()}
    return given, ()


def _shape(t: Tensor) -> str:
    return "x".join(map(str, t.shape)) or "a single number"


def write_weights(module: nn.Module, path: Path) -> None:
    """Write the state dict of `module` as safetensors, tensors of several names under the first."""
    from safetensors.torch import save_file

    seen: set[int] = set()
    tensors = {}
    for name, t in module.state_dict().items():
        if t.numel() and t.data_ptr() in seen:
            continue
        seen.add(t.data_ptr())
        tensors[name] = t.detach().cpu().contiguous().clone()
    save_file(tensors, path)


def digest(module: nn.Module) -> str:
    """Hex sha256 over names, types, shapes and values of the state dict: the same however the file was written."""
    total = hashlib.sha256()
    for name, t in sorted(module.state_dict().items()):
        total.update(f"{name} {t.dtype} {tuple(t.shape)}\n".encode())
        total.update(t.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
