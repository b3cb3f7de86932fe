"""The groups of an attribute that a check compares, and what has to be said of the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from auditor.by_group import MOST_GROUPS
from auditor.columns import Labels
from auditor.contingency import MISSING
from auditor.integers import Integers
from auditor.lists import listed

__all__ = ["Groups"]

LISTED = 5


@dataclass(frozen=True)
class Groups:
    """The groups `names` of an `attribute`, each against all other named rows.

    `codes` (N,) holds the place of each row's group among the names, their number for a named group that is not
    compared, and -1 where it is missing. `caveats` say which groups those are.
    """

    attribute: str
    names: tuple[str, ...]
    codes: Integers
    caveats: tuple[str, ...] = ()

    @classmethod
    def of(cls, attribute: str, labels: Labels, smallest: int) -> Groups:
        """The named groups of at least `smallest` rows with as many beside them, of more than 20 the largest."""
        sizes = np.bincount(labels.codes, minlength=len(labels.names))
        named = [g for g in np.flatnonzero(sizes).tolist() if labels.names[g] != MISSING]
        most = int(sizes[named].sum()) - smallest  # rows of a group beside which there are enough others
        large = sorted((g for g in named if smallest <= sizes[g] <= most), key=lambda g: -int(sizes[g]))
        kept = sorted(large[:MOST_GROUPS])
        place = np.full(len(labels.names), len(kept))
        place[kept] = np.arange(len(kept))
        missing = [g for g, name in enumerate(labels.names) if name == MISSING]
        place[missing] = -1
        small = [f"{labels.names[g]} ({sizes[g]})" for g in named if sizes[g] < smallest]
        said = _said(attribute, small, smallest, len(large), int(sizes[missing].sum()), len(named))
        return cls(attribute, tuple(labels.names[g] for g in kept), place[labels.codes], tuple(said))

    @property
    def named(self) -> Integers:
        """Positions of the rows whose group is known."""
        return np.flatnonzero(self.codes >= 0)

    @property
    def sizes(self) -> Integers:
        """Rows of each compared group."""
        return np.bincount(self.codes[self.named], minlength=len(self.names))[: len(self.names)]

    @property
    def comparable(self) -> bool:
        """Whether there is a group to compare."""
        return bool(self.names)

    @property
    def two(self) -> bool:
        """Whether there are two groups only, so that either is all the others of the other."""
        return len(self.names) == 2 and int(self.sizes.sum()) == len(self.named)

    def slice(self, group: int) -> str:
        """What measures of the group at this place are about."""
        return f"{self.attribute}={self.names[group]}"


def _said(attribute: str, small: list[str], smallest: int, large: int, missing: int, named: int) -> Iterator[str]:
    if named < 2:
        yield f"{attribute} has one group only: there is nothing to compare."
    if small:
        names = listed(small, LISTED)
        yield f"Groups by {attribute} of fewer than {smallest} rows are not compared by themselves: {names}."
    if large > MOST_GROUPS:
        yield f"{attribute} has {large:,} groups: the {MOST_GROUPS} largest are compared, each with all other rows."
    if missing:
        yield f"{attribute} is missing in {missing:,} rows, which are left out."
