"""Searches for counterfactuals: models by a function, reference rows, the one way that was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from auditor.columns import Column, Relation
from auditor.explain.counterfactual.counterfactuals import Table, Way, counterfactuals
from auditor.explain.counterfactual.mad import Distance
from auditor.subject import Model
from auditor.tables.constraints import Constraints
from auditor.tables.file_units import decoded

A, B = Column("a", 0, 1), Column("b", 1, 2)
STEP = 0.01  # of a MAD: the coarsest step that numbers stop at


class Score(nn.Module):
    """Two classes by the sign of a function of the input, through Python and numpy: nothing has a gradient."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function, self.largest = function, 0

    def forward(self, x: Tensor) -> Tensor:
        self.largest = max(self.largest, len(x))
        z = torch.from_numpy(np.asarray(self.function(x.detach().numpy()), np.float32))
        return torch.stack([-z, z], 1)


def search(
    model: Model,
    x: Tensor,
    reference: Tensor,
    columns: Sequence[Column],
    relations: Sequence[Relation] = (),
    *,
    ways: int = 1,
    size: int = 64,
) -> list[tuple[Way, ...]]:
    """Ways to any other answer, from the rows of `reference`."""
    with torch.no_grad():
        answers, now = model(reference).argmax(1), model(x).argmax(1)
    rows = decoded(reference, columns)
    table = Table(rows, answers.numpy(), Constraints.of(columns, relations, rows), Distance.of(rows, columns))
    accepted = torch.arange(len(model.classes)) != now[:, None]
    return counterfactuals(model, x, accepted, table, ways=ways, size=size)


def grid(low: float = -4.0, high: float = 4.0, columns: int = 2) -> Tensor:
    """Reference rows all over a square."""
    return torch.cartesian_prod(*[torch.linspace(low, high, 9)] * columns)


def only(found: list[tuple[Way, ...]]) -> Way:
    ((way,),) = found
    return way
