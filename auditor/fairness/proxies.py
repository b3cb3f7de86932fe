"""How well the groups of one attribute are told: the areas of all inputs, of single columns and of all but itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.columns import Column
from auditor.fairness.crossfit import Values, area_of_folds, folds_of, rates
from auditor.fairness.groups import Groups
from auditor.fairness.tells import by_columns, by_vectors, cramers_v, values_of
from auditor.integers import Integers
from auditor.types import Measure

__all__ = ["LISTED", "Asked", "Told", "told_by_columns", "told_by_vectors"]

LISTED = 40
COPY = 0.999  # an area from which on a column is the attribute under another name


@dataclass(frozen=True)
class Told:
    """What `inputs` tell: an area a group, of two groups one; with Cramer's V of a single column."""

    inputs: str
    areas: tuple[Measure, ...]
    association: float | None = None

    @property
    def best(self) -> int:
        """The area that is certain to be the largest: the highest lower end of an interval."""
        return max(range(len(self.areas)), key=lambda i: -1.0 if (low := self.areas[i].low) is None else low)

    @property
    def is_copy(self) -> bool:
        """Whether every group is told in all rows, or nearly."""
        return all(m.value is not None and m.value >= COPY for m in self.areas)


@dataclass(frozen=True)
class Asked:
    """The rows whose group is known: their positions, codes of their groups and folds, all (n,)."""

    groups: Groups
    rows: Integers
    codes: Integers
    folds: Integers

    @classmethod
    def of(cls, groups: Groups, seed: int) -> Asked:
        """The rows of `groups` whose group is known."""
        codes = groups.codes[groups.named]
        return cls(groups, groups.named, codes, folds_of(codes, seed))

    def areas(self, name: str, scores: Values, column: str = "") -> tuple[Measure, ...]:
        """How well scores (n, groups) tell each group from the rest; of two groups one figure."""
        about = f"&column={column}" if column else ""
        return tuple(
            area_of_folds(name, scores[:, g], self.codes == g, self.folds, slice=f"{where}{about}")
            for g, where in self._slices
        )

    def nothing(self, name: str) -> tuple[Measure, ...]:
        """The same where there are no inputs to tell by."""
        n, why = len(self.rows), "there is no input to tell by"
        return tuple(Measure(name, where, None, n, better="lower", why=why) for _, where in self._slices)

    @property
    def _slices(self) -> list[tuple[int, str]]:
        g = self.groups
        return [(1, g.attribute)] if g.two else [(i, g.slice(i)) for i in range(len(g.names))]


def told_by_vectors(x: Tensor, groups: Groups, seed: int) -> Told:
    """How well the last vectors x (N, D) of a model tell the groups."""
    asked = Asked.of(groups, seed)
    scores = by_vectors(x[torch.from_numpy(asked.rows)].double().numpy(), asked.codes, asked.folds)
    return Told("the last vector", asked.areas("representation_auc", scores))


def told_by_columns(
    x: Tensor, columns: Sequence[Column], names: Sequence[str], groups: Groups, seed: int
) -> tuple[list[Told], list[str]]:
    """What all columns of x (N, F) tell, then single ones, best first; and the names of those that are the attribute.

    These are called as it is, or tell every group by themselves. They stand first, then what all others tell together.
    """
    asked = Asked.of(groups, seed)
    x = x[torch.from_numpy(asked.rows)]
    every = Told("all inputs", asked.areas("attribute_auc", by_columns(x, columns, asked.codes, asked.folds, seed)))
    single = _single(x, columns, names, asked)
    copies = {t.inputs for t in single if t.is_copy}
    itself = [n for c, n in zip(columns, names, strict=True) if c.name == groups.attribute or n in copies]
    if not itself:
        return [every, *single], []
    others = [c for c, n in zip(columns, names, strict=True) if n not in itself]
    name = "attribute_auc_without_itself"
    without = asked.nothing(name)
    if others:
        without = asked.areas(name, by_columns(x, others, asked.codes, asked.folds, seed))
    first, rest = ([t for t in single if (t.inputs in itself) is own] for own in (True, False))
    return [every, *first, Told("all but itself", without), *rest], itself


def _single(x: Tensor, columns: Sequence[Column], names: Sequence[str], asked: Asked) -> list[Told]:
    """The columns that go with the groups most closely, by how well each alone tells one."""
    values = [values_of(x, c) for c in columns]
    closeness = [cramers_v(v, asked.codes) for v in values]
    closest = sorted(range(len(columns)), key=lambda i: -(closeness[i] or 0.0))[:LISTED]
    found = []
    for i in sorted(closest):
        areas = asked.areas("column_auc", rates(values[i], asked.codes, asked.folds), names[i])
        found.append(Told(names[i], areas, closeness[i]))
    return sorted(found, key=lambda t: -(t.areas[t.best].low or 0.0))
