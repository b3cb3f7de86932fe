"""Shares of categories and their ratios to the highest: of those selected, and of those with high scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from auditor.contingency import MISSING
from auditor.counting.crossings import slice_of
from auditor.counting.tally import Tally
from auditor.fairness.suppression import Group
from auditor.stats import measured, rate
from auditor.types import Measure, Scalar, Table

__all__ = [
    "MOST_COMPARED", "SCORED", "SELECTED", "Category", "Share", "categories", "measures_of", "table_of",
    "unknown_count",
]  # fmt: skip

MOST_COMPARED = 50
Role = Literal["reference", "compared", "excluded", "counted only", "unknown", "not shown"]


@dataclass(frozen=True, slots=True)
class Share:
    """What is counted of a category: the names of its share, of the ratio of shares, and of those who are counted."""

    rate: str
    ratio: str
    counted: str


SELECTED = Share("selection_rate", "impact_ratio", "selected")
SCORED = Share("scoring_rate", "scoring_impact_ratio", "above the median")


@dataclass(frozen=True, slots=True)
class Category:
    """k of n rows of a group are counted; `role` says what its share is used for.

    The `reference` has the highest share of those compared. `excluded` are too small a part of the rows, `counted only`
    lie behind the MOST_COMPARED largest, `unknown` miss an attribute, `not shown` are suppressed.
    """

    group: Group
    k: int
    n: int
    role: Role


def categories(table: Tally, hidden: set[Group], smallest_share: float) -> list[Category]:
    """The groups of a table with their roles; without a reference where nobody is counted."""

    def role(group: Group, n: int) -> Role:
        if group in hidden:
            return "not shown"
        if MISSING in group:
            return "unknown"
        return "excluded" if n < smallest_share * table.n else "compared"

    every = [Category(group, *cell.selection_rate, role(group, cell.n)) for group, cell in table]
    known = sorted((c for c in every if c.role == "compared"), key=lambda c: -c.n)
    roles: dict[Group, Role] = {c.group: "counted only" for c in known[MOST_COMPARED:]}
    best = max(known[:MOST_COMPARED], key=lambda c: (c.k / c.n, c.n), default=None)
    if best is not None and best.k:
        roles[best.group] = "reference"
    return [Category(c.group, c.k, c.n, roles.get(c.group, c.role)) for c in every]


def measures_of(share: Share, attributes: Sequence[str], found: Sequence[Category]) -> list[Measure]:
    """The share of every category that is shown, and the ratio of those compared to the highest of all others."""
    rates = [
        rate(share.rate, c.k, c.n, slice=slice_of(attributes, c.group), better="neither")
        for c in found
        if c.role not in ("not shown", "counted only")
    ]
    judged = [c for c in found if c.role in ("compared", "reference")]
    if len(judged) < 2:
        return rates
    return rates + [_ratio(share.ratio, attributes, c, judged) for c in judged if c.role == "compared"]


def _ratio(name: str, attributes: Sequence[str], own: Category, judged: Sequence[Category]) -> Measure:
    counts = (own.k, own.n, *(count for c in judged if c is not own for count in (c.k, c.n)))
    n = sum(c.n for c in judged)
    return measured(name, slice_of(attributes, own.group), "ratio-to-best", counts, n=n, better="higher")


def unknown_count(attributes: Sequence[str], found: Sequence[Category]) -> Measure:
    """How many rows miss a group of the attributes; None where one of these counts is not shown."""
    n = sum(c.n for c in found)
    missing = [c for c in found if MISSING in c.group]
    if any(c.role == "not shown" for c in missing):
        return Measure("unknown_count", "&".join(attributes), None, n, why="one of its counts is too small to be shown")
    return Measure("unknown_count", "&".join(attributes), float(sum(c.n for c in missing)), n)


def table_of(
    share: Share, attributes: Sequence[str], found: Sequence[Category], measures: Sequence[Measure], below: int
) -> Table:
    """Every category with its figures among `measures`; of one that is not shown only that it has few rows."""
    ratios = {m.slice: m for m in measures if m.name == share.ratio}
    rows: list[tuple[Scalar, ...]] = []
    for c in found:
        m = ratios.get(slice_of(attributes, c.group))
        if c.role == "not shown":
            n = f"fewer than {below}" if c.n < below else None
            rows.append((*c.group, c.role, n, *[None] * 5))
        else:
            ends = (m.value, m.low, m.high) if m else (1.0 if c.role == "reference" else None, None, None)
            rows.append((*c.group, c.role, c.n, c.k, c.k / c.n, *ends))
    columns = (*attributes, "role", "n", share.counted, share.rate.replace("_", " "), "impact ratio", "low", "high")
    title = "Impact ratio" if share is SELECTED else "Scoring impact ratio"
    return Table(f"{title} by {' and '.join(attributes)}", columns, tuple(rows))
