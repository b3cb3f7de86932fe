"""Whole numbers, one a row: in the smallest type that holds them, and counted without widening all of them at once.

The types are signed, so that -1 and differences keep their meaning. Products need not fit: who multiplies codes widens
them first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["Codes", "Integers", "confusion", "narrowed", "parts", "smallest", "tally"]

Integers = np.ndarray[tuple[int], np.dtype[np.int64]]
Codes = np.ndarray[tuple[int], np.dtype[np.signedinteger[Any]]]
Counts = np.ndarray[Any, np.dtype[np.int64]]
PART = 1 << 20  # rows that are widened at once


def smallest(largest: int) -> np.dtype[np.signedinteger[Any]]:
    """The smallest signed type that holds every number from -1 to `largest`."""
    return np.dtype(np.min_scalar_type(-int(largest) - 1))


def narrowed(values: Codes) -> Codes:
    """`values` (N,), none below -1, in the smallest type that holds them."""
    return values.astype(smallest(int(values.max(initial=0))), copy=False)


def parts(n: int) -> Iterator[slice]:
    """Consecutive parts of n rows."""
    return (slice(start, min(start + PART, n)) for start in range(0, n, PART))


def tally(codes: Codes, k: int) -> Counts:
    """(k,) how often each number below k stands in `codes` (N,)."""
    return _added((np.bincount(codes[part], minlength=k) for part in parts(len(codes))), k)


def confusion(first: Codes, second: Codes, k: int) -> Counts:
    """(k, k) rows by what `first` and `second` (N,) say of them, both below k."""
    crossed = (first[part].astype(np.int64) * k + second[part] for part in parts(len(first)))
    return _added((np.bincount(c, minlength=k * k) for c in crossed), k * k).reshape(k, k)


def _added(counts: Iterator[Counts], k: int) -> Counts:
    """The sum of the arrays (k,); no second array of that size where there is one only."""
    found = next(counts, np.zeros(0, np.int64))
    for more in counts:
        found += more
    return found if len(found) else np.zeros(k, np.int64)
