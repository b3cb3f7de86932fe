"""Small tables whose every legal change can be listed, and an independent hand at what is legal and how far it is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from auditor.attacks.curve import Frontiers
from auditor.attacks.tables.curve import ATTACKS, Attack, table_curve
from auditor.columns import Column, Relation
from auditor.subject import Data, Model
from auditor.tables.ball import ball_of

__all__ = ["EPSILONS", "Small", "apart", "curve_of", "illegal", "in_file_units", "listed", "nearest_by_hand", "small"]

EPSILONS = (0.3, 0.6, 1.0, 1.5, 2.0)
COLUMNS = (
    Column("a", 0, 1, mean=3.0, std=2.0, low=0, high=6, integer=True),
    Column("b", 1, 2, low=0, high=6, integer=True, increasing_only=True),
    Column("c", 2, 5, "category", ("x", "y", "z")),
    Column("d", 5, 6, "flag"),
    Column("e", 6, 7, mean=1.0, std=0.5, low=0, high=6, integer=True),
)
RELATIONS = {
    "none": (),
    "equals": (Relation(((0, 1.0), (1, 1.0), (4, 1.0)), equals=8.0),),
    "at_most": (Relation(((0, 1.0), (4, 1.0)), at_most=7.0),),
}


@dataclass(frozen=True)
class Small:
    """A model of the five COLUMNS, rows that it is right about, and the relations that they keep."""

    model: Model
    x: Tensor
    y: Tensor
    columns: tuple[Column, ...]
    relations: tuple[Relation, ...]

    @property
    def data(self) -> Data:
        """The rows as data."""
        return replace(Data.of(self.x, self.y, columns=self.columns), relations=self.relations)


def small(module: nn.Module, relation: str, seed: int, rows: int = 40) -> Small:
    """Rows of whole numbers from 0 to 6, a category and a flag that keep the relation of that name."""
    draw = np.random.default_rng(seed)
    values = np.stack([draw.integers(0, top, rows) for top in (7, 7, 3, 2, 7)], 1)
    if relation == "equals":
        values[:, 4] = 8 - values[:, 0] - values[:, 1]
        values = values[(values[:, 4] >= 0) & (values[:, 4] <= 6)]
    if relation == "at_most":
        values = values[values[:, 0] + values[:, 4] <= 7]
    x = as_inputs(values)
    model = Model(module, ("p", "q", "r"), bounds=(x.amin(0), x.amax(0)), unit=torch.zeros(7))
    with torch.no_grad():
        y = model(x).argmax(1)
    return Small(model, x, y, COLUMNS, RELATIONS[relation])


def as_inputs(values: np.ndarray[Any, Any]) -> Tensor:
    """(N, 7) inputs of rows (N, 5), by hand."""
    x = np.zeros((len(values), 7), np.float32)
    x[:, 0], x[:, 1], x[:, 5], x[:, 6] = (values[:, 0] - 3) / 2, values[:, 1], values[:, 3], (values[:, 4] - 1) / 0.5
    x[np.arange(len(values)), 2 + values[:, 2].astype(int)] = 1
    return torch.from_numpy(x)


def curve_of(
    s: Small, attacks: Sequence[Attack] = ATTACKS, epsilons: Sequence[float] = EPSILONS, **settings: int
) -> Frontiers:
    """The frontiers of its rows."""
    ball = ball_of(s.model, s.columns, s.relations, s.data)
    with s.model.frozen():
        return table_curve(s.model, s.x, s.y, EPSILONS, ball, attacks=attacks, **{"steps": 10, **settings})


# ---- by hand -----------------------------------------------------------------------------------------------------
def in_file_units(x: Tensor, columns: Sequence[Column]) -> list[list[float]]:
    """Rows of one number a column; a category is the place of its value."""
    rows = []
    for vector in x.double().tolist():
        row = []
        for c in columns:
            part = vector[c.start : c.stop]
            row.append(float(part.index(max(part))) if c.kind == "category" else part[0] * c.std + c.mean)
        rows.append(row)
    return rows


def apart(before: Sequence[float], after: Sequence[float], columns: Sequence[Column], spread: Sequence[float]) -> float:
    """How many deviations `after` is away: the furthest column counts, a category or flag as 1."""
    far = [0.0]
    for i, c in enumerate(columns):
        moved = abs(after[i] - before[i])
        far.append(moved / spread[i] if c.kind == "number" and moved > 0 else float(moved > 1e-6))
    return max(far)


def illegal(
    before: Sequence[float],
    after: Sequence[float],
    columns: Sequence[Column],
    relations: Sequence[Relation],
    seen: np.ndarray[Any, Any],
) -> list[str]:
    """Which rules a change breaks; float32 rounds numbers by about 1e-5 here."""
    rules = []
    for i, c in enumerate(columns):
        low, high, number = max(c.low, seen[:, i].min()), min(c.high, seen[:, i].max()), c.kind == "number"
        rules += [
            (f"{c.name} may not change", not c.mutable, i),
            (f"{c.name} leaves its range", number and not low - 1e-5 <= after[i] <= high + 1e-5, i),
            (f"{c.name} takes a value that no row holds", not number and round(after[i], 5) not in seen[:, i], i),
            (f"{c.name} is not whole", c.integer and abs(after[i] - round(after[i])) > 1e-5, i),
            (f"{c.name} falls", c.increasing_only and after[i] < before[i], i),
        ]
    moved = [abs(a - b) > 1e-5 for a, b in zip(after, before, strict=True)]
    broken = [rule for rule, breaks, i in rules if breaks and moved[i]]
    for relation in relations:
        off = sum(after[i] * w for i, w in relation.weights) - (relation.equals or relation.at_most or 0.0)
        beyond = abs(off) if relation.at_most is None else off
        broken += ["a sum is off"] if beyond > 1e-4 and any(moved[i] for i, _ in relation.weights) else []
    return broken


def listed(s: Small) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Every combination of values that the rows hold (M, 5), and the classes (M,) that the model gives them."""
    rows = np.array(in_file_units(s.x, s.columns)).round()
    values = [np.arange(rows[:, i].min(), rows[:, i].max() + 1) for i in range(5)]
    every = np.array(list(itertools.product(*values)))
    with torch.no_grad():
        return every, s.model(as_inputs(every)).argmax(1).numpy()


def nearest_by_hand(s: Small) -> np.ndarray[Any, Any]:
    """(N,) how far the nearest legal row of another class is from each row, infinite where there is none."""
    rows = np.array(in_file_units(s.x, s.columns)).round()
    spread, (every, said) = rows.std(0), listed(s)
    found = []
    for row, y in zip(rows, s.y.tolist(), strict=True):
        legal = (said != y) & (every[:, 1] >= row[1])
        for relation in s.relations:
            places = [i for i, _ in relation.weights]
            total = every[:, places].sum(1)
            kept = total == relation.equals if relation.at_most is None else total <= relation.at_most
            legal &= kept | (every[:, places] == row[places]).all(1)
        far = np.abs(every - row) / spread
        far[:, [2, 3]] = every[:, [2, 3]] != row[[2, 3]]
        found.append(far[legal].max(1).min() if legal.any() else np.inf)
    return np.array(found)
