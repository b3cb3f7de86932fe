"""Tables for models that are a function of their columns, with the answers that the function gives as targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from auditor.columns import Column
from auditor.subject import Data, Model
from tests.zoo import Case

__all__ = ["Function", "classifier", "normal", "regression"]


class Function(nn.Module):
    """What a function of its input says; nothing in it has a gradient."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        found = self.function(x.detach()).detach().float()
        return torch.from_numpy(np.array(found.numpy()))


def normal(rows: int, columns: int, seed: int = 0) -> Tensor:
    """Independent rows."""
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def classifier(logit: Callable[[Tensor], Tensor], x: Tensor, columns: tuple[Column, ...] = (), **facts: Any) -> Case:
    """Two classes by the sign of `logit`; its answers are the targets."""
    names = columns or tuple(Column(f"c{i}", i, i + 1) for i in range(x.shape[1]))
    bounds = (torch.full(x.shape[1:], -50.0), torch.full(x.shape[1:], 50.0))
    model = Model(Function(lambda x: torch.stack([-logit(x), logit(x)], 1)), ("no", "yes"), bounds=bounds)
    return Case(model, Data.of(x, (logit(x.nan_to_num()) > 0).long(), columns=names, positive=1, **facts))


def regression(value: Callable[[Tensor], Tensor], x: Tensor, columns: tuple[Column, ...] = ()) -> Case:
    """One value a row, which is the target."""
    names = columns or tuple(Column(f"c{i}", i, i + 1) for i in range(x.shape[1]))
    bounds = (torch.full(x.shape[1:], -50.0), torch.full(x.shape[1:], 50.0))
    model = Model(Function(value), (), bounds=bounds, output="value")
    return Case(model, Data.of(x, value(x).float(), columns=names))
