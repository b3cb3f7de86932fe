"""The nearest admissible change of a row of a table that gets another answer, by forward passes alone.

Starts are real rows that the model answers otherwise (nearest unlike neighbours, as in NICE: Brughmans et al. 2021,
arXiv:2104.07411), made admissible, and each column alone at a few values that the reference holds. What a start
changes without need is put back, then its numbers move toward the row. The candidates of all rows share batches, and
each row's search depends on no other row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from auditor.columns import Column
from auditor.explain.counterfactual.mad import Distance
from auditor.explain.counterfactual.putting_back import fewer_columns, moved_nearer, put_back
from auditor.explain.counterfactual.trials import Candidates, nearest
from auditor.integers import Integers
from auditor.subject import Model
from auditor.tables.constraints import Constraints
from auditor.tables.file_units import Rows, decoded
from auditor.tables.margins import Margins

__all__ = ["Table", "Way", "counterfactuals"]

ROWS, HELD = 256, 30_000  # rows searched at once, and times columns at most
STARTS, FIRST = 8, 32  # real rows that a search starts from, and how many of the nearest are tried first
MOST_VALUES = 100  # of a category that are tried alone
FINALISTS = 12  # changes of a row that are looked at closely: of each set of columns the nearest


@dataclass(frozen=True)
class Table:
    """What changes of a row may draw on: `rows` (M, columns) of the reference in units of the file, their answers (M,),
    the constraints and the distance."""

    rows: Rows
    answers: Integers
    constraints: Constraints
    distance: Distance


@dataclass(frozen=True)
class Way:
    """An admissible change of a row: its values `before` and after in units of the file (columns,), the changed input
    (F,), and the answer that it gets.

    `changed` are the positions of the columns that differ; `parts` (columns,) what each adds to `distance`, in MADs.
    """

    before: Rows
    values: Rows
    x: Tensor
    answer: int
    changed: tuple[int, ...]
    parts: Rows

    @property
    def distance(self) -> float:
        """How far the change goes, in MADs."""
        return float(self.parts.sum())


def counterfactuals(
    model: Model, x: Tensor, accepted: Tensor, table: Table, *, ways: int = 1, size: int = 64
) -> list[tuple[Way, ...]]:
    """For each row of `x` (N, F) up to `ways` admissible changes that get one of its `accepted` (N, classes) answers.

    First the least of distance and columns changed together, as if each column were a MAD further: neither many small
    changes nor a huge one. A way that changes all that one before it does is left out. Empty where none was found from
    any row of the table. `size` inputs are run at once.
    """
    found: list[tuple[Way, ...]] = []
    at_once = max(1, min(ROWS, HELD // len(table.constraints.columns)))
    for some, wanted in zip(x.split(at_once), accepted.split(at_once), strict=True):
        found += _of_rows(model, some, wanted, table, ways, size)
    return found


def _of_rows(model: Model, x: Tensor, accepted: Tensor, table: Table, ways: int, size: int) -> list[tuple[Way, ...]]:
    own = decoded(x, table.constraints.columns)
    margins = Margins(model, x, own, accepted, table.constraints.columns, size)
    neighbours = _starts(margins, own, accepted.numpy(), table)
    found = fewer_columns(margins, own, neighbours, table.constraints, table.distance)
    found = found.with_those_of(_alone(margins, own, table))
    found = _distinct(own, put_back(margins, own, found, table.constraints), table.distance)
    found = moved_nearer(margins, own, found, table.constraints, table.distance)
    return _ways(margins, own, _distinct(own, found, table.distance), ways, table.distance)


def _starts(margins: Margins, own: Rows, accepted: np.ndarray[Any, np.dtype[np.bool_]], table: Table) -> Candidates:
    """Up to STARTS candidates a row: neighbours with an accepted answer, made admissible.

    Half of them are the nearest, half those of the nearest FIRST that get such an answer most clearly: of these more
    can be put back. Where none of the nearest keeps such an answer once it is admissible, those further off are tried,
    and at last rows that are answered as this one is: a value of theirs may turn it nevertheless.
    """
    order = np.stack([_order(o, a, table) for o, a in zip(own, accepted, strict=True)])
    found: list[tuple[int, Rows]] = []
    active, first, many = np.arange(len(own)), 0, FIRST
    while len(active) and first < order.shape[1]:
        tried = order[active, first : first + many]
        of = np.repeat(active, tried.shape[1])

        def rows(i: Integers, of: Integers = of, tried: Integers = tried) -> Rows:
            return table.constraints.projected(own[of[i]], table.rows[tried.ravel()[i]])

        clear = margins.lazily(of, rows).reshape(tried.shape)
        for row, by, donors in zip(active, clear, tried, strict=True):
            turned = np.flatnonzero(by > 0)
            clearest = turned[np.argsort(-by[turned], kind="stable")]
            chosen = donors[np.unique(np.concatenate([turned[: STARTS // 2], clearest[: STARTS // 2]]))]
            changed = table.constraints.projected(np.repeat(own[row : row + 1], len(chosen), 0), table.rows[chosen])
            found += [(int(row), values) for values in changed]
        active = active[~(clear > 0).any(1)]
        first, many = first + many, many * 4
    return Candidates.of_pairs(found, own.shape[1])


def _order(own: Rows, accepted: np.ndarray[Any, np.dtype[np.bool_]], table: Table) -> Integers:
    """Rows of the table (M,), those with an accepted answer first, each part from the nearest once admissible."""
    near = table.constraints.projected(np.broadcast_to(own, table.rows.shape), table.rows)
    distances = table.distance.parts(near, own).sum(1)
    return np.lexsort((distances, ~accepted[table.answers]))


def _alone(margins: Margins, own: Rows, table: Table) -> Candidates:
    """Candidates with one column at one of a few values of the table, and what its relations ask for."""
    values = [(i, v) for i, c in enumerate(table.constraints.columns) for v in _few(table.rows[:, i], c)]
    column, value = np.array([i for i, _ in values]), np.array([v for _, v in values])
    of, pair = np.repeat(np.arange(len(own)), len(values)), np.tile(np.arange(len(values)), len(own))

    def rows(i: Integers) -> Rows:
        wanted = own[of[i]]
        wanted[np.arange(len(i)), column[pair[i]]] = value[pair[i]]
        return table.constraints.projected(own[of[i]], wanted)

    turned = np.flatnonzero(margins.lazily(of, rows) > 0)
    places = column[pair[turned]]
    apart = table.distance.of_column(places, value[pair[turned]], own[of[turned], places])
    turned = turned[nearest(of[turned], apart)]
    return Candidates(of[turned], rows(turned))


def _few(values: Rows, column: Column) -> Rows:
    """The ends and quartiles of a number, the values of others from the commonest."""
    if column.kind == "number":
        return np.unique(np.quantile(values, (0, 0.25, 0.5, 0.75, 1)))
    found, counts = np.unique(values, return_counts=True)
    return found[np.argsort(-counts, kind="stable")][:MOST_VALUES]


def _distinct(own: Rows, found: Candidates, distance: Distance) -> Candidates:
    """The nearest of each row's candidates that change the same columns, at most FINALISTS a row, sparsest first."""
    changed = found.rows != own[found.of]
    distances = distance.parts(found.rows, own[found.of]).sum(1)
    kept, seen, taken = [], set[tuple[int, bytes]](), np.zeros(len(own), np.int64)
    for i in np.lexsort((distances, changed.sum(1))).tolist():
        key = (int(found.of[i]), changed[i].tobytes())
        if key not in seen and taken[key[0]] < FINALISTS:
            seen.add(key)
            taken[key[0]] += 1
            kept.append(i)
    return found.at(np.array(kept, np.int64))


def _ways(margins: Margins, own: Rows, found: Candidates, ways: int, distance: Distance) -> list[tuple[Way, ...]]:
    """The best candidates as ways of their rows: what the model itself answers decides."""
    result: list[list[Way]] = [[] for _ in own]
    x, answers, holds = margins.inputs_and_answers(found.of, found.rows)
    changed = found.rows != own[found.of]
    parts = distance.parts(found.rows, own[found.of])
    for i in np.argsort(parts.sum(1) + changed.sum(1), kind="stable").tolist():
        row = int(found.of[i])
        places = tuple(np.flatnonzero(changed[i]).tolist())
        more = any(set(way.changed) <= set(places) for way in result[row])  # asks for another way and then some
        if holds[i] and places and not more and len(result[row]) < ways:
            result[row].append(Way(own[row], found.rows[i], x[i], int(answers[i]), places, parts[i]))
    return [tuple(held) for held in result]
