"""What a training is told to do: what it makes small, and how what it made is judged on rows held out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from auditor.integers import Integers
from auditor.subject import Model

__all__ = ["SHARE", "Counts", "Figure", "Moment", "Recipe"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a training stands: `progress` from 0 to 1, what it draws its numbers from, and which rows the batch is.

    `rows` (N,) are positions in the data that the training was given.
    """

    progress: float
    random: torch.Generator
    rows: Integers


Counts = Callable[[Model, Tensor, Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number from 0 to 1 `of` what was counted of all rows held out and their positions; the larger the better.

    `words` name it in sentences; at most `most` rows are held out for it. A later epoch takes the place of the best
    where it is no more than `errors` standard errors below (Breiman et al. 1984, section 3.4.3, has 1).
    """

    of: Callable[[Tensor, Integers], float]
    words: str
    most: int
    errors: int = 0

    def slack(self, best: float, rows: int) -> float:
        """How far below `best`, as found on so many rows, is still as good: as if it were a share of them."""
        return self.errors * math.sqrt(best * (1 - best) / max(rows, 1))


SHARE = Figure(lambda found, _rows: float(found.float().mean()), "the share of rows held out that stand", 200)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is made small on a batch, which of its rows (N,) count as standing afterwards, and what sums these up.

    Where the figure is not a share `stands` gives whatever the figure is made of, (N, ...).
    """

    loss: Callable[[Model, Tensor, Tensor, Moment], Tensor]
    stands: Counts
    figure: Figure = SHARE
