"""Rows under attack, each at an epsilon of its own: what every attack on tables is given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from auditor.attacks.tables.repair import legal_near
from auditor.integers import Integers
from auditor.tables.ball import Ball
from auditor.tables.constraints import Which
from auditor.tables.file_units import Rows
from auditor.tables.margins import AT_ONCE, Margins

__all__ = ["Front"]


@dataclass(frozen=True)
class Front:
    """N rows under attack: `of` (N,) are their places among those of `margins`, `epsilon` (N,) how far each may go.

    `best` (N, columns) is the legal row of highest margin found so far, `margin` (N,) that margin: above 0 it breaks
    the row. `draws` holds a generator for each row, so that no row's luck depends on the others.
    """

    margins: Margins
    ball: Ball
    of: Integers
    epsilon: Rows
    best: Rows
    margin: Rows
    draws: tuple[np.random.Generator, ...]

    @property
    def own(self) -> Rows:
        """(N, columns) the rows as they are."""
        return self.margins.own[self.of]

    def at(self, places: Integers) -> Front:
        """The rows at these places."""
        return replace(
            self,
            of=self.of[places],
            epsilon=self.epsilon[places],
            best=self.best[places],
            margin=self.margin[places],
            draws=tuple(self.draws[i] for i in places.tolist()),
        )

    def within(self, epsilon: Rows) -> Front:
        """The same rows at other epsilons (N,)."""
        return replace(self, epsilon=epsilon)

    def with_best(self, rows: Rows, margin: Rows) -> Front:
        """The same rows, with `rows` where their `margin` is higher."""
        higher = margin > self.margin
        best = np.where(higher[:, None], rows, self.best)
        return replace(self, best=best, margin=np.where(higher, margin, self.margin))

    def with_those(self, places: Integers, some: Front) -> Front:
        """These rows, those at `places` as they are in `some`."""
        best, margin = self.best.copy(), self.margin.copy()
        best[places], margin[places] = some.best, some.margin
        return replace(self, best=best, margin=margin)

    def blocks(self, each: int) -> Iterator[Integers]:
        """Places of the rows, as many at once as memory allows when `each` row has so many changed rows."""
        size = max(1, AT_ONCE // (max(each, 1) * self.best.shape[1]))
        for start in range(0, len(self.of), size):
            yield np.arange(start, min(start + size, len(self.of)))

    def judged(self, of: Integers, rows: Rows) -> Rows:
        """(S,) margins of `rows` (S, columns), legal changes of the rows at places `of` (S,)."""
        return self.margins.decided(self.of[of], rows)

    def near(self, of: Integers, wanted: Rows, hold: Which | None = None) -> Rows:
        """(S, columns) legal rows near `wanted`, as changes of the rows at places `of` (S,)."""
        return legal_near(self.ball, self.own[of], wanted, self.epsilon[of], hold)

    def random(self, many: int) -> Rows:
        """(N, many, columns) legal rows drawn uniformly from each row's ball, half of their numbers at an end of it."""
        n, columns = self.best.shape
        low, high = self.ball.ranges(self.own, self.epsilon)
        u = np.stack([g.random((3, many, columns)) for g in self.draws]) if n else np.zeros((0, 3, many, columns))
        where = np.where(u[:, 1] < 0.5, u[:, 0], np.round(u[:, 0]))
        numbers = np.isfinite(low) & np.isfinite(high)
        start, width = np.where(numbers, low, 0.0), np.where(numbers, high, 0.0) - np.where(numbers, low, 0.0)
        wanted = start[:, None] + where * width[:, None]
        for i, choices in enumerate(self.ball.choices):
            if choices is not None and len(choices):
                drawn = choices[np.minimum((u[:, 0, :, i] * len(choices)).astype(np.int64), len(choices) - 1)]
                wanted[:, :, i] = np.where(u[:, 2, :, i] < 0.5, drawn, self.own[:, i : i + 1])
        wanted = np.where(u[:, 2] < 0.9, wanted, self.own[:, None])
        of = np.repeat(np.arange(n), many)
        return self.near(of, wanted.reshape(-1, columns)).reshape(n, many, columns)
