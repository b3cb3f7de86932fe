"""Which array of an .npz file a model would take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from app.initialising.tensors import Shapes
from auditor.data.arrays import CHANNELS
from auditor.errors import LoadError

__all__ = ["Chosen", "chosen_of"]

NAMES = (
    "x", "x_test", "images", "image", "imgs", "inputs", "input", "features", "data", "samples", "pixels", "x_val",
    "test_images", "arr_0",
)  # fmt: skip
LOOKED_AT = 1000  # rows


@dataclass(frozen=True, slots=True)
class Chosen:
    """An array by name, with its shape (N, ...) and type. `channels` of pictures; `low` and `high` of its first rows.

    `others` are arrays that could be inputs too.
    """

    name: str
    kind: Literal["image", "table", "tensor"]
    shape: tuple[int, ...]
    dtype: str
    channels: int | None
    low: float
    high: float
    others: tuple[str, ...]


def chosen_of(arrays: Mapping[str, np.ndarray[Any, Any]], file: str, shapes: Shapes | None) -> Chosen:
    """The array that fits the model, the one with a usual name first; LoadError where none could be inputs."""
    could = [n for n, a in arrays.items() if _kind(a) is not None and len(a)]
    if not could:
        held = ", ".join(f"{n} {a.dtype} {a.shape}" for n, a in list(arrays.items())[:8]) or "nothing"
        msg = f"{file!r} has no array for inputs, uint8 pixels (N,H,W[,C]) or floats (N, ...); it has: {held}"
        raise LoadError(msg)
    could.sort(key=lambda n: (not _fits(arrays[n], shapes), NAMES.index(n.lower()) if n.lower() in NAMES else 99))
    array = arrays[could[0]]
    part = np.asarray(array[:LOOKED_AT])
    known = part[np.isfinite(part)]
    return Chosen(
        could[0], _kind(array) or "tensor", tuple(map(int, array.shape)), str(array.dtype), _channels(array),
        float(known.min(initial=0)), float(known.max(initial=0)), tuple(could[1:]),
    )  # fmt: skip


def _kind(array: np.ndarray[Any, Any]) -> Literal["image", "table", "tensor"] | None:
    if array.ndim < 2 or 0 in array.shape:
        return None
    if array.dtype == np.uint8 and array.ndim in (3, 4):
        return "image"
    if array.dtype.kind != "f":
        return None
    return {2: "table", 4: "image"}.get(array.ndim, "tensor")  # type: ignore[return-value]


def _fits(array: np.ndarray[Any, Any], shapes: Shapes | None) -> bool:
    if shapes is None or shapes.kind is None:
        return True
    return _kind(array) == shapes.kind and shapes.width in (None, array.shape[1])


def _channels(array: np.ndarray[Any, Any]) -> int | None:
    if _kind(array) != "image":
        return None
    if array.ndim == 3:
        return 1
    last = array.dtype == np.uint8 or (array.shape[3] in CHANNELS and array.shape[1] not in CHANNELS)
    return int(array.shape[3] if last else array.shape[1])
