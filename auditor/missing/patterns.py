"""Which values are missing. Draws go row by row, so that batches of another size give the same ones.

What is missing at a share is missing at every larger one too: shares differ by what is added alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.registry import derive_seed

__all__ = ["SHARES", "Draws", "draws_of"]

Values = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
SHARES = (0.05, 0.1, 0.2, 0.4)


@dataclass(frozen=True)
class Draws:
    """Uniform numbers from 0 to 1 for N rows: one for each of the `cells` (N, columns), two for each of the `runs`
    (N, 2), and `since` (N,), how far behind the start of the outage a row stands, as a share of all rows.
    """

    cells: Values
    runs: Values
    since: Values

    def scattered(self, share: float) -> Mask:
        """(N, columns) each value on its own, missing completely at random."""
        return np.asarray(self.cells < share)

    def run(self, share: float) -> Mask:
        """(N, columns) in each row neighbouring columns, `share` of all on average, the last beside the first."""
        width = self.cells.shape[1]
        start, length = np.floor(self.runs[:, :1] * width), np.floor(share * width + self.runs[:, 1:])
        return np.asarray((np.arange(width) - start) % width < length)

    def outage(self, share: float) -> Mask:
        """(N, columns) all values of consecutive rows, `share` of all rows."""
        return np.repeat((self.since < share)[:, None], self.cells.shape[1], 1)


def draws_of(seed: int, rows: int, columns: int, size: int) -> Iterator[Draws]:
    """The draws for `rows` rows, at most `size` at a time."""
    cells, runs, place = (np.random.default_rng(derive_seed(seed, part)) for part in ("cells", "runs", "outage"))
    start = place.integers(rows) if rows else 0
    for first in range(0, rows, size):
        at = np.arange(first, min(first + size, rows))
        since = (at - start) % rows / rows
        yield Draws(cells.random((len(at), columns)), runs.random((len(at), 2)), since)
