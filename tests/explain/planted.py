"""Models trained, in seconds and by fixed seeds, to decide by what was planted: a watermark, or a single token.

What they look at is known, so that explanations can be held against it: each helper says how it was made sure of.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from auditor.feeds import Tokens
from auditor.subject import Data, Integers, Model, Words
from tests.zoo import Bag, Case

__all__ = ["CHEATED", "MARK", "TOKEN", "VOCABULARY", "clean", "marked", "one_token", "trained", "watermark"]

SIDE, CHEATED, NOISE = 16, 3, 0.25
MARK = (slice(12, 16), slice(0, 4))  # rows and columns of the watermark: 4 by 4 pixels, bottom left
VOCABULARY, LENGTH, TOKEN = 40, 10, 7  # tokens, words of the longest text, and the token that decides
DIGITS = tuple("0123456789")


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
