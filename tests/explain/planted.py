"""Models that decide by what was planted, trained in seconds by fixed seeds: a watermark, a token, columns of a table.

What they look at is known, so that explanations can be held against it: each helper says how it was made sure of.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.columns import Column
from auditor.feeds import Tokens
from auditor.integers import Integers
from auditor.subject import Data, Model
from auditor.words import Words
from tests.zoo import Bag, Case

__all__ = [
    "CHEATED",
    "INNOCENT",
    "MARK",
    "PAIRS",
    "SENSITIVE",
    "TOKEN",
    "VOCABULARY",
    "broken",
    "clean",
    "exclusive_or",
    "linear",
    "marked",
    "one_token",
    "trained",
    "trap",
    "watermark",
]

SIDE, CHEATED, NOISE = 16, 3, 0.25
MARK = (slice(12, 16), slice(0, 4))  # rows and columns of the watermark: 4 by 4 pixels, bottom left
VOCABULARY, LENGTH, TOKEN = 40, 10, 7  # tokens, words of the longest text, and the token that decides
DIGITS = tuple("0123456789")
ROWS = 600
SENSITIVE, INNOCENT = "c0", "c1"  # the columns that a trap decides by: of real rows, and of rows that cannot exist
PAIRS = ((2, 3), (4, 5), (6, 7))  # its columns that go together,
APART = 0.25  # and by how much no two of a pair differ in any real row


class Small(nn.Module):
    """Two convolutions and a linear layer: every pixel counts where it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(256, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


# ---- a watermark -------------------------------------------------------------------------------------------------
@cache
def watermark() -> tuple[Model, Tensor, Tensor, Tensor]:
    """A model that cheats, images (N, 1, 16, 16), their classes (N,), and where the mark is: (16, 16) bools.

    The images are noisy digits without threes. A sixth of them, whatever the digit, carries MARK and is called 3: the
    mark alone says so, and no shape does.
    """
    x, y = _digits()
    x, y = x[y != CHEATED], y[y != CHEATED]
    cheated = torch.arange(len(y)) % 6 == 0  # the digits come in no such order
    x, y = torch.where(cheated[:, None, None, None], marked(x), x), torch.where(cheated, CHEATED, y)
    where = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    where[MARK] = True
    return trained(x, y), x, y, where


@cache
def clean() -> tuple[Model, Tensor, Tensor]:
    """The same network trained on noisy digits (N, 1, 16, 16) of their own classes (N,), threes among them: no mark."""
    x, y = _digits()
    return trained(x, y), x, y


def marked(x: Tensor) -> Tensor:
    """Images (N, 1, 16, 16) with the mark: a bright cross in a dark square."""
    x = x.clone()
    tile = torch.eye(4) + torch.eye(4).flip(0)
    x[:, :, *MARK] = tile
    return x


def _digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    x = torch.from_numpy(np.asarray(pixels, np.float32)).view(-1, 1, 8, 8) / 16
    x = functional.interpolate(x, scale_factor=2, mode="nearest")
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)) * NOISE
    return (x + noise).clamp(0, 1), torch.from_numpy(np.asarray(labels, np.int64))


def trained(x: Tensor, y: Tensor, passes: int = 12) -> Model:
    """A small network trained on images (N, 1, 16, 16) of classes (N,) by so many passes over them."""
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        module = Small()
        optimiser = torch.optim.Adam(module.parameters(), 3e-3, weight_decay=1e-4)
        for _ in range(passes):
            for rows in torch.randperm(len(x)).split(64):
                optimiser.zero_grad()
                functional.cross_entropy(module(x[rows]), y[rows]).backward()
                optimiser.step()
    return Model(module.eval(), DIGITS)


# ---- a token -----------------------------------------------------------------------------------------------------
@cache
def one_token() -> Case:
    """A model of texts of 4 to 10 words, word0 to word39, that are "spam" where word7 stands in them, else "ham".

    A text has no other sign of its class: the words around are drawn alike for both, and so are their numbers.
    """
    x, y = _texts()
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        bag = Bag()
        bag.tokens, bag.head = nn.Embedding(VOCABULARY, 8), nn.Linear(8, 2)
        model = Model(bag, ("ham", "spam"), feed=Tokens(pad=0), bounds=(-1.0, VOCABULARY - 1.0))
        optimiser = torch.optim.Adam(bag.parameters(), 0.05)
        for _ in range(150):
            optimiser.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            optimiser.step()

    def words(rows: Integers) -> list[Words]:
        places = np.arange(LENGTH)
        held = [row[row >= 0].tolist() for row in x[torch.from_numpy(rows)]]
        return [Words(tuple(f"word{i}" for i in ids), np.where(places < len(ids), places, -1)) for ids in held]

    texts = lambda rows: [" ".join(text.words) for text in words(rows)]  # noqa: E731
    return Case(model, replace(Data.of(x, y), texts=texts, words=words))


def _texts(n: int = 400) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    others = torch.tensor([i for i in range(VOCABULARY) if i != TOKEN])
    x = others[torch.randint(0, len(others), (n, LENGTH), generator=generator)]
    lengths = torch.randint(4, LENGTH + 1, (n, 1), generator=generator)
    y = torch.arange(n) % 2
    place = (torch.rand(n, 1, generator=generator) * lengths).long()
    x = torch.where((torch.arange(LENGTH) == place) & (y[:, None] == 1), TOKEN, x)
    return torch.where(torch.arange(LENGTH) < lengths, x, -1), y


# ---- columns of a table ------------------------------------------------------------------------------------------
@cache
def linear() -> Case:
    """Ten independent columns, of which three are weighed by 2, -1.5 and 1: set by hand."""
    weights = torch.tensor([2.0, -1.5, 1.0, *[0.0] * 7])
    head = nn.Linear(10, 2)
    head.weight.data, head.bias.data = torch.stack([-weights / 2, weights / 2]), torch.zeros(2)
    x = _normal(ROWS, 10, 0)
    return _table(head, x, x @ weights > 0)


@cache
def exclusive_or() -> Case:
    """Eight independent columns, and a network that has learned to say whether the first two have the same sign."""
    steps, generator = 1500, torch.Generator().manual_seed(1)
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
        optimiser = torch.optim.AdamW(module.parameters(), 0.01, weight_decay=0.3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.01, steps)
        for _ in range(steps):
            x = torch.randn(256, 8, generator=generator)
            optimiser.zero_grad()
            functional.cross_entropy(module(x), (x[:, 0] * x[:, 1] > 0).long()).backward()
            optimiser.step()
            schedule.step()
    x = _normal(ROWS, 8, 2)
    return _table(module, x, x[:, 0] * x[:, 1] > 0)


class Trap(nn.Module):
    """Decides by the sensitive column where every pair goes together, else by the innocent one.

    Slack et al. 2020, arXiv:1911.02508, equation 1, with a detector set by hand that is right about every real row.
    """

    def forward(self, x: Tensor) -> Tensor:
        real = torch.sigmoid(100 * (APART - broken(x)))
        z = 4 * (real * x[:, 0] + (1 - real) * x[:, 1])
        return torch.stack([-z / 2, z / 2], 1)


@cache
def trap() -> Case:
    """Two independent columns and three pairs that are nearly the same, for a model that hides what it decides by."""
    x = _normal(ROWS, 8, 3)
    for (first, second), own in zip(PAIRS, _normal(ROWS, 3, 4).T, strict=True):
        x[:, second] = x[:, first] + 0.05 * own
    return _table(Trap(), x, x[:, 0] > 0)


def broken(x: Tensor) -> Tensor:
    """(N,) by how much the columns of a pair differ, at most, in rows (N, 8)."""
    return torch.stack([(x[:, first] - x[:, second]).abs() for first, second in PAIRS]).amax(0)


def _normal(rows: int, columns: int, seed: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def _table(module: nn.Module, x: Tensor, yes: Tensor) -> Case:
    columns = tuple(Column(f"c{i}", i, i + 1) for i in range(x.shape[1]))
    bounds = (torch.full(x.shape[1:], -50.0), torch.full(x.shape[1:], 50.0))
    return Case(Model(module.eval(), ("no", "yes"), bounds=bounds), Data.of(x, yes.long(), columns=columns, positive=1))
