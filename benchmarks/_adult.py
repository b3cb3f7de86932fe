"""Adult (UCI): where its rows lie, which columns a model may read, and the training that a network gets on them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from auditor.subject import Data

__all__ = ["ADULT", "CATEGORIES", "NUMBERS", "teach"]

ADULT = Path(__file__).resolve().parents[2] / "shared" / "data" / "tabular" / "adult.csv"
NUMBERS = ("age", "education_num", "capital_gain", "capital_loss", "hours_per_week")
CATEGORIES = ("workclass", "education", "marital_status", "occupation", "relationship")


def teach(module: nn.Module, train: Data) -> None:
    """Train `module` for ten epochs, in place, by the random numbers that are set."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=2e-3, weight_decay=0.01)
    for _ in range(10):
        for some in torch.randperm(len(train)).split(256):
            optimizer.zero_grad()
            found = module(train.read(some.numpy()))
            functional.cross_entropy(found, torch.from_numpy(train.y)[some]).backward()
            optimizer.step()
