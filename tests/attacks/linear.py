"""Linear models, of which the distance of every sample to another answer is known."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from auditor.attacks.balls import Norm
from auditor.subject import Model

__all__ = ["exact", "linear", "value"]


def linear(dimensions: int = 12, classes: int = 2, rows: int = 60, seed: int = 0) -> tuple[Model, Tensor, Tensor]:
    """A linear model far inside its bounds, rows, and what it says of them."""
    random = torch.Generator().manual_seed(seed)
    head = nn.Linear(dimensions, classes)
    head.weight.data = torch.randn(classes, dimensions, generator=random)
    head.bias.data = torch.randn(classes, generator=random)
    for p in head.parameters():
        p.requires_grad_(False)
    x = torch.randn(rows, dimensions, generator=random)
    return Model(head, tuple("abcdefghij"[:classes]), bounds=(-50.0, 50.0)), x, head(x).argmax(1)


def exact(model: Model, x: Tensor, y: Tensor, norm: Norm) -> Tensor:
    """(N,) |margin| / dual norm of what the nearest class differs by, the smallest over the classes."""
    head = model.module
    assert isinstance(head, nn.Linear)
    found = []
    for k in range(len(model.classes)):
        w, b = head.weight[k] - head.weight[y], head.bias[k] - head.bias[y]
        dual = w.abs().sum(1) if norm == "linf" else w.norm(dim=1)
        far = -((w * x).sum(1) + b) / dual
        found.append(torch.where(y == k, torch.inf, far))
    return torch.stack(found).amin(0)


def value(dimensions: int = 12, rows: int = 30) -> tuple[Model, Tensor, Tensor]:
    """A linear model of one value, rows, and what it says of them."""
    model, x, _ = linear(dimensions, 1, rows)
    model = Model(model.module, (), bounds=model.bounds, output="value")
    return model, x, model(x)
