"""What a column must be, as conditions of rules and in words with the units of the file."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from auditor.columns import Column
from auditor.explain.batched import Floats

__all__ = ["Condition", "Flags", "words_of"]

Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Condition:
    """Of column number `column`: above `low` and at most `high`, both in input units; of a category one of `values`.

    `values` are indices as `to_raw` gives them; empty where they do not matter.
    """

    column: int
    low: float = -math.inf
    high: float = math.inf
    values: frozenset[int] = frozenset()

    def holds(self, raw: Floats) -> Flags:
        """(N,) for rows (N, columns) as `to_raw` gives them."""
        own = raw[:, self.column]
        within = (own > self.low) & (own <= self.high)
        return within & np.isin(own, list(self.values)) if self.values else within


def words_of(condition: Condition, column: Column, label: str, *, binary: bool) -> str:
    """`25 < age <= 37`, `race = B`, `race is not A or B`; `kind = 2` of a flag, `member = 1` of a `binary` one."""
    if column.kind == "category":
        named = [*column.values, "(none of the values)"]
        inside = [named[i] for i in sorted(condition.values)]
        outside = [v for i, v in enumerate(named) if i not in condition.values]
        is_not = len(inside) > 1 and len(named) - 1 in condition.values
        return f"{label} is not {' or '.join(outside)}" if is_not else f"{label} = {' or '.join(inside)}"
    if binary:
        return f"{label} = {int(condition.low >= 0)}"
    if column.kind == "flag" and condition.high - condition.low <= 1:
        return f"{label} = {math.ceil(condition.low)}"
    low, high = (_shown(column, end) for end in (condition.low, condition.high))
    if not low or not high:
        return f"{label} > {low}" if low else f"{label} <= {high}"
    return f"{low} < {label} <= {high}"


def _shown(column: Column, end: float) -> str:
    return replace(column, start=0, stop=1).shown([end]) if math.isfinite(end) else ""
