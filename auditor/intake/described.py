"""What a file says of its tensors, without any of them: the answer of every reader that executes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

__all__ = ["ITEM_BYTES", "LARGEST", "Described"]

ITEM_BYTES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1,
    "uint16": 2, "uint32": 4, "uint64": 8, "bool": 1, "complex64": 8, "complex128": 16,
    "float8_e4m3fn": 1, "float8_e5m2": 1,
}  # fmt: skip


MOST_DIMENSIONS, LARGEST = 64, 1 << 48


@dataclass(frozen=True, slots=True)
class Described:
    """A tensor that was not read: its type as torch names it (`float32`) and its shape."""

    dtype: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        """ValueError for sizes that no tensor has: their product alone could take for ever."""
        if len(self.shape) > MOST_DIMENSIONS or any(type(n) is not int or not 0 <= n < LARGEST for n in self.shape):
            msg = "a tensor has no such shape"
            raise ValueError(msg)

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """How many bytes they take."""
        return self.numbers * ITEM_BYTES[self.dtype]
