"""How many of many 95 % intervals leave out the truth by chance alone."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.types import Measure

__all__ = ["ONE_IN", "by_chance", "differences"]

ONE_IN = 20


def by_chance(n: int) -> int:
    """How many of `n` intervals leave out the truth, on average and rounded down: 0 of fewer than 20."""
    return n // ONE_IN


def differences(measures: Iterable[Measure]) -> int:
    """How many of the measures are differences between groups that have a value."""
    return sum(m.name.endswith("_difference") and m.value is not None for m in measures)
