"""A hardened network of the digits whose weights are the same on every processor."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.subject import Model
from tests.attacks.patients import CLASSES, TRAINED_ON, digits

__all__ = ["steady"]

SIZE, STEPS = 0.15, 3
AS_THEY_ARE, MOVED = 8, 16  # epochs
PARTS = 4096  # weights are rounded to so many parts of 1


@cache
def steady() -> Model:
    """Two convolutions and two linear layers, .97 right; trained on the digits, then by PGD at .15.

    Processors differ in the last bits of a sum, and training makes much of little. It is in double precision, initial
    weights too, so that what it makes of those bits is far smaller than what the weights are rounded to.
    """
    pictures, y = digits()
    x = pictures.double()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, dtype=x.dtype), nn.ReLU(),
            nn.Conv2d(16, 16, 3, 2, 1, dtype=x.dtype), nn.ReLU(), nn.Flatten(),
            nn.Linear(256, 64, dtype=x.dtype), nn.ReLU(), nn.Linear(64, 10, dtype=x.dtype),
        )  # fmt: skip
        optimiser = torch.optim.Adam(net.parameters(), 2e-3)
        for epoch in range(AS_THEY_ARE + MOVED):
            for rows in torch.randperm(TRAINED_ON).split(64):
                at = x[rows] if epoch < AS_THEY_ARE else _moved(net, x[rows], y[rows])
                optimiser.zero_grad()
                functional.cross_entropy(net(at), y[rows]).backward()
                optimiser.step()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_((p * PARTS).round() / PARTS)
    return Model(net.float().eval(), CLASSES)


def _moved(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The rows after a few steps of PGD from where they are."""
    at = x.clone()
    for _ in range(STEPS):
        at.requires_grad_()
        (slope,) = torch.autograd.grad(functional.cross_entropy(net(at), y), at)
        at = (at.detach() + SIZE / 2 * slope.sign()).clamp(x - SIZE, x + SIZE).clamp(0, 1)
    return at
