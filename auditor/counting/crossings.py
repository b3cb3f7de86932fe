"""Which groups the rows fall into when several attributes are crossed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any

import numpy as np

from auditor.columns import Labels
from auditor.integers import Integers

__all__ = ["MOST_CELLS", "Crossing", "countable", "crossing_of", "crossings", "slice_of"]

MOST_CELLS = 1 << 16  # groups that crossed attributes may form: something is counted for each, whether it has rows


@dataclass(frozen=True, slots=True)
class Crossing:
    """The groups that crossed `attributes` may form: `names` of each attribute, G = the product of their numbers."""

    attributes: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]

    @property
    def size(self) -> int:
        """How many groups may exist."""
        return prod(map(len, self.names))

    def codes(self, groups: Mapping[str, Labels], rows: slice) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        """(n,) the group of each of the `rows`, from 0 to G - 1."""
        found: Any = np.zeros(1, np.int32)
        for attribute, names in zip(self.attributes, self.names, strict=True):
            found = found * np.int32(len(names)) + groups[attribute].codes[rows].astype(np.int32)
        return np.asarray(found)

    def group(self, code: int) -> tuple[str, ...]:
        """The names of a group, one an attribute."""
        found = np.unravel_index(code, [len(n) for n in self.names])
        return tuple(n[int(i)] for n, i in zip(self.names, found, strict=True))

    def within(self, other: Crossing) -> Integers:
        """(G of `other`,) which group of this crossing each group of a finer one belongs to."""
        shape = [len(n) for n in other.names]
        parts = dict(zip(other.attributes, np.unravel_index(np.arange(other.size), shape), strict=True))
        found = np.zeros(other.size, np.int64)
        for attribute, names in zip(self.attributes, self.names, strict=True):
            found = found * len(names) + parts[attribute]
        return found


def crossings(attributes: Sequence[str], depth: int) -> list[tuple[str, ...]]:
    """Each attribute, then every two of them, up to `depth` at a time; 0 means up to all of them."""
    most = min(depth or len(attributes), len(attributes))
    return [crossed for k in range(1, most + 1) for crossed in combinations(attributes, k)]


def countable(groups: Mapping[str, Labels], depth: int) -> tuple[list[tuple[str, ...]], list[str]]:
    """The `crossings` of all attributes that form no more than MOST_CELLS groups, and a caveat that counts others."""
    crossed = crossings(tuple(groups), depth)
    found = [c for c in crossed if crossing_of(c, groups).size <= MOST_CELLS]
    left_out = len(crossed) - len(found)
    said = f"{left_out:,} crossings may form more than {MOST_CELLS:,} groups: not counted."
    return found, [said] if left_out else []


def slice_of(attributes: Sequence[str], group: Sequence[str]) -> str:
    """What the measures of a group are about, by its name in each of the attributes: `sex=Female&race=B`."""
    return "&".join(f"{a}={name}" for a, name in zip(attributes, group, strict=True))


def crossing_of(attributes: Sequence[str], groups: Mapping[str, Labels]) -> Crossing:
    """The crossing of `attributes`."""
    return Crossing(tuple(attributes), tuple(groups[a].names for a in attributes))
