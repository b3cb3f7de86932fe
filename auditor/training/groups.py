"""The groups of the rows that a mitigation is fitted on, and among which rows they are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.contingency import MISSING, Criterion
from auditor.counting.crossings import slice_of
from auditor.errors import UsageError, one_line
from auditor.integers import Integers
from auditor.subject import Data, Model

__all__ = ["NOWHERE", "Attribute", "Groups", "favourable_of", "grouped", "strata"]

Attribute = str | tuple[str, ...] | None
NOWHERE = -1
MOST_NAMED, LONGEST_NAME = 10, 100
Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Groups:
    """The group of each of N rows: `codes` (N,) are positions in `names`, NOWHERE where a part of the group is missing.

    A name is written as a slice is: `sex=Female&race=B`.
    """

    names: tuple[str, ...]
    codes: Integers

    @property
    def known(self) -> Integers:
        """Positions of the rows that have a group."""
        return np.flatnonzero(self.codes != NOWHERE)

    def described(self, without: str) -> tuple[str, ...]:
        """How many rows each group has, and what rows do that are `without` one."""
        sizes = np.bincount(self.codes[self.known], minlength=len(self.names))
        largest = np.argsort(-sizes, kind="stable")[:MOST_NAMED]
        listed = ", ".join(f"{self.names[i]} {sizes[i]:,}" for i in largest.tolist())
        more = f" and {len(sizes) - MOST_NAMED} smaller ones" if len(sizes) > MOST_NAMED else ""
        missing = len(self.codes) - len(self.known)
        said = f"Of {missing:,} rows the group is missing: they {without}."
        return (f"Rows by group: {listed}{more}.", *((said,) if missing else ()))


def grouped(data: Data, attribute: Attribute) -> Groups:
    """The groups of the rows by `attribute`, the crossing of several; None: the first sensitive column there is.

    UsageError where the data has no such sensitive column, or rows of one group alone.
    """
    if not data.groups:
        msg = "a mitigation needs groups; [data] sensitive names no column that the table of [data] reference has"
        raise UsageError(msg)
    first = next(iter(data.groups))
    chosen = (attribute,) if isinstance(attribute, str) else attribute or (first,)
    for name in chosen:
        if name not in data.groups:
            msg = f"[data] reference has no sensitive column {name!r:.80}; it has: {', '.join(data.groups)}"
            raise UsageError(msg)
    labels = [data.groups[name] for name in chosen]
    rows = np.stack([column.codes for column in labels], 1)
    missing = np.stack([np.array([n == MISSING for n in c.names])[c.codes] for c in labels], 1).any(1)
    found, codes = np.unique(rows[~missing], axis=0, return_inverse=True)
    crossed = (slice_of(chosen, [c.names[i] for c, i in zip(labels, r, strict=True)]) for r in found)
    names = tuple(one_line(name, LONGEST_NAME) for name in crossed)
    if len(names) < 2:
        only = f"of one group, {names[0]!r:.80}" if names else "without one"
        msg = f"by {' and '.join(chosen)} all rows of [data] reference are {only}; a mitigation needs two groups"
        raise UsageError(msg)
    every = np.full(len(data), NOWHERE, np.int64)
    every[~missing] = codes.reshape(-1)
    return Groups(names, every)


def favourable_of(model: Model, data: Data) -> int:
    """The favourable class, of two the second where none is named; UsageError where more leave it open."""
    if data.positive is None and len(model.classes) != 2:
        msg = f"the model has {len(model.classes)} classes and none is said to be favourable; give [data] positive"
        raise UsageError(msg)
    return 1 if data.positive is None else data.positive


def strata(groups: Groups, criterion: Criterion, favourable: Flags) -> tuple[Integers, tuple[str, ...]]:
    """(N,) among which rows `criterion` compares groups, and a sentence on groups that have no row there.

    All rows; those that are truly `favourable` (N,); or these (1) and the others (0), each among themselves. NOWHERE
    for rows that are not looked at, or without a group. UsageError where no two groups can be compared.
    """
    among = np.where(favourable, 1, 0 if criterion == "equalized_odds" else NOWHERE).astype(np.int64)
    if criterion == "demographic_parity":
        among = np.zeros(len(favourable), np.int64)
    among[groups.codes == NOWHERE] = NOWHERE
    kinds = np.unique(among[among != NOWHERE])
    there = np.zeros((len(groups.names), len(kinds)), bool)
    for i, kind in enumerate(kinds.tolist()):
        there[groups.codes[among == kind], i] = True
    if not (there.sum(0) > 1).any():
        msg = f"fewer than two groups of [data] reference have truly favourable rows, which {criterion} compares"
        raise UsageError(msg)
    lacking = [groups.names[i] for i in np.flatnonzero(~there.all(1)).tolist()]
    said = f"Without any of the rows that {criterion} compares, at least in part: {', '.join(lacking[:MOST_NAMED])}."
    return among, (said,) if lacking else ()
