"""Models by which evidence must tell explanations that hold from those that do not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from auditor.columns import Column
from auditor.subject import Data, Model
from tests import zoo

__all__ = ["lying_gradient", "rippled", "weightless"]

LEFT, RIGHT = (slice(0, 8), slice(0, 4)), (slice(0, 8), slice(4, 8))


class LyingGradient(nn.Module):
    """Decides by the left half of an image, with the gradient of a model that decides by the right half."""

    def __init__(self) -> None:
        super().__init__()
        left, right = torch.zeros(8, 8), torch.zeros(8, 8)
        chance = torch.Generator().manual_seed(1)
        left[LEFT], right[RIGHT] = torch.rand(8, 4, generator=chance), torch.rand(8, 4, generator=chance)
        self.left, self.right = nn.Parameter(left / 4), nn.Parameter(right / 4)

    def forward(self, x: Tensor) -> Tensor:
        shown = (x * self.right).sum((1, 2, 3))
        z = (x.detach() * self.left).sum((1, 2, 3)) + shown - shown.detach()
        return torch.stack([1 - z, z], 1)


def lying_gradient() -> zoo.Case:
    """See LyingGradient."""
    model = Model(LyingGradient(), ("dark", "bright"))
    return zoo.Case(model, zoo.labelled(model, zoo.images(), wrong=2))


class Weightless(nn.Module):
    """What it says is in its code: its weights add nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.none = nn.Linear(1, 1)
        self.register_buffer("wave", torch.linspace(-1, 1, 64).sin().view(8, 8))

    def forward(self, x: Tensor) -> Tensor:
        z = (x * self.wave).sum((1, 2, 3)) + 0 * self.none.weight.sum()
        return torch.stack([-z, z], 1)


def weightless() -> zoo.Case:
    """See Weightless."""
    model = Model(Weightless(), ("dark", "bright"))
    return zoo.Case(model, zoo.labelled(model, zoo.images(), wrong=2))


class Rippled(nn.Module):
    """A slope with ripples that are finer than anybody would notice: their gradients are all that gradients see."""

    def forward(self, x: Tensor) -> Tensor:
        z = x.sum(1) + (0.01 * torch.sin(3000 * x)).sum(1)
        return torch.stack([-z, z], 1)


def rippled() -> zoo.Case:
    """See Rippled."""
    x = torch.randn(zoo.ROWS, 6, generator=torch.Generator().manual_seed(0))
    limits = torch.full((6,), -5.0), torch.full((6,), 5.0)
    model = Model(Rippled(), ("no", "yes"), bounds=limits, unit=torch.ones(6))
    columns = tuple(Column(f"c{i}", i, i + 1) for i in range(6))
    with torch.no_grad():
        return zoo.Case(model, Data.of(x, model(x).argmax(1), columns=columns, positive=1))
