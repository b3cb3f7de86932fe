"""How far columns were moved to where another group has them, and whether rows still hold together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.columns import Column, Relation
from auditor.fairness.associated import Association
from auditor.integers import Integers
from auditor.tables.constraints import Constraints
from auditor.tables.file_units import Rows
from auditor.types import Scalar, Table

__all__ = ["Moves", "moves_of", "table_of"]


@dataclass(frozen=True)
class Moves:
    """Of each column that was moved the share of values that changed and the mean distance; NaN where none is known.

    `broken` counts the rows that no longer keep a relation of the audit file.
    """

    changed: Rows
    distance: Rows
    broken: int


def moves_of(
    which: Sequence[int], relations: Sequence[Relation], rows: Rows, codes: Integers, made: Iterable[Rows]
) -> Moves:
    """The moves of the columns `which` of `rows` (N, columns) in groups `codes` (N,), `made` as each group has them."""
    known, changed, distance = (np.zeros(len(which)) for _ in range(3))
    broken = np.zeros(len(rows), np.bool_)
    for target, moved in enumerate(made):
        inside = (codes >= 0) & (codes != target)
        before, after = rows[inside][:, which], moved[inside][:, which]
        finite = np.isfinite(before) & np.isfinite(after)
        known += finite.sum(0)
        changed += (finite & (before != after)).sum(0)
        distance += np.abs(np.subtract(after, before, where=finite, out=np.zeros_like(after))).sum(0)
        for relation in relations:
            broken |= Constraints.excess(relation, rows, moved) != 0
    times = np.where(known > 0, known, np.nan)
    return Moves(changed / times, distance / times, int(broken.sum()))


def table_of(title: str, columns: Sequence[Column], proxies: Sequence[Association], moves: Moves, rows: Rows) -> Table:
    """The columns that go with an attribute, how closely, and how far they were moved, of `rows` (N, columns)."""
    listed: list[tuple[Scalar, ...]] = []
    for a, changed, distance in zip(proxies, moves.changed.tolist(), moves.distance.tolist(), strict=True):
        own = rows[:, a.column]
        spread = float(own[np.isfinite(own)].std()) if columns[a.column].kind == "number" else 0.0
        far = distance / spread if spread > 0 else None
        listed.append((columns[a.column].name, a.test, a.distance, a.p, _known(changed), _known(far)))
    names = ("column", "test", "distance", "p, adjusted", "values changed", "mean move in deviations")
    return Table(title, names, tuple(listed))


def _known(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else value
