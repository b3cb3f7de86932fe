"""Models whose robust accuracy is known to be near zero though simple attacks find nothing, and honest ones.

One small convolutional network, trained on scikit-learn's digits, behind each of the defences that were broken in the
literature (Carlini & Wagner 2016, arXiv:1607.04311; Athalye et al. 2018, arXiv:1802.00420; Croce & Hein 2020).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.defend.pgd import pgd
from auditor.subject import Data, Model
from tests.zoo import Case

__all__ = ["HIDING", "HONEST", "Behind", "Patient", "digits", "digits_net", "hardened_net", "patient", "patients"]

CLASSES = tuple("0123456789")
TRAINED_ON = 1300
ATTACKED = slice(1500, 1600)
HOT = 100.0  # temperature of defensive distillation


@dataclass(frozen=True)
class Patient:
    """A model, and 100 rows that it was not trained on."""

    model: Model
    x: Tensor
    y: Tensor

    @property
    def case(self) -> Case:
        """The same with its rows as data."""
        return Case(self.model, Data.of(self.x, self.y))


class Behind(nn.Module):
    """`inner` as `asked(inner, x)` calls it."""

    def __init__(self, inner: nn.Module, asked: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.asked = inner, asked

    def forward(self, x: Tensor) -> Tensor:
        return self.asked(self.inner, x)


# ---- the network -------------------------------------------------------------------------------------------------
@cache
def digits() -> tuple[Tensor, Tensor]:
    """All 1,797 pictures (N, 1, 8, 8) from 0 to 1 and their digits, shuffled."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    return torch.tensor(found.images / 16, dtype=torch.float32)[:, None][order], torch.tensor(found.target)[order]


@cache
def digits_net() -> nn.Module:
    """Two convolutions and two linear layers, .97 right."""
    return _trained(0)


@cache
def hardened_net() -> nn.Module:
    """The same, trained on by PGD at .15."""
    x, y = digits()
    return pgd(
        _model(copy.deepcopy(digits_net()), "logits"), Data.of(x[:TRAINED_ON], y[:TRAINED_ON]), 0,
        epsilon=0.15, steps=5, epochs=12,
    ).module.eval()  # fmt: skip


@cache
def distilled_net() -> nn.Module:
    """Taught at temperature 100 by the soft answers of a network that was trained there itself."""
    x, _ = digits()
    teacher = _trained(1, hot=HOT)
    return _trained(2, hot=HOT, soft=(teacher(x).detach() / HOT).softmax(1))


def _trained(seed: int, *, hot: float = 1.0, soft: Tensor | None = None) -> nn.Module:
    x, y = digits()
    taught = functional.one_hot(y, 10).float() if soft is None else soft
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10),
        )  # fmt: skip
        optimiser = torch.optim.Adam(net.parameters(), 2e-3)
        for _ in range(20):
            for rows in torch.randperm(TRAINED_ON).split(64):
                loss = functional.cross_entropy(net(x[rows]) / hot, taught[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return net.eval()


# ---- in front of it and behind it --------------------------------------------------------------------------------
def _by_numpy(net: nn.Module, x: Tensor) -> Tensor:
    y: Tensor = net(torch.from_numpy(np.round(x.detach().numpy() * 7) / 7))
    return y


HIDING: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "logits x 100": lambda net, x: 100 * net(x),
    "logits x 1000": lambda net, x: 1000 * net(x),
    "rounded input": lambda net, x: net((x * 7).round() / 7),
    "input as bytes": lambda net, x: net((x * 7).byte().float() / 7),
    "noisy input": lambda net, x: net(x + 0.15 * torch.randn_like(x)),
    "saturated softmax": lambda net, x: (50 * net(x)).softmax(1),
    "rounded by numpy": _by_numpy,
    "thresholded input": lambda net, x: net((x > 0.5).float()),
    "detached input": lambda net, x: net(x.detach()),
    "distilled": lambda net, x: net(x),
}
HONEST: dict[str, Callable[[], nn.Module]] = {"plain": digits_net, "hardened": hardened_net}


def patient(name: str) -> Patient:
    """One of HIDING or HONEST."""
    x, y = digits()
    if name in HONEST:
        return Patient(_model(HONEST[name](), "logits"), x[ATTACKED], y[ATTACKED])
    inner = distilled_net() if name == "distilled" else digits_net()
    output = "probabilities" if name == "saturated softmax" else "logits"
    return Patient(_model(Behind(inner, HIDING[name]).eval(), output), x[ATTACKED], y[ATTACKED])


def patients() -> dict[str, Patient]:
    """All of them by name."""
    return {name: patient(name) for name in (*HONEST, *HIDING)}


def _model(net: nn.Module, output: str) -> Model:
    return Model(net, CLASSES, output="probabilities" if output == "probabilities" else "logits")
