"""Adult (UCI): real rows, and a small network that learns the income from them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.csv
import torch
from torch import Tensor
from torch.nn import functional

from auditor.columns import Column
from auditor.intake.architectures import mlp
from auditor.subject import Data, Model
from tests.shared import SHARED
from tests.zoo import Case

__all__ = ["adult"]

NUMBERS = ("age", "education_num", "capital_gain", "capital_loss", "hours_per_week")
CATEGORIES = ("workclass", "marital_status", "occupation", "relationship", "native_country")
EPOCHS = 8


@cache
def adult(rows: int, *beside: str) -> Case:
    """The first `rows` of a seeded draw, with sex and race as groups, which `beside` may make inputs, too."""
    table = pa.csv.read_csv(SHARED / "tabular" / "adult.csv")
    drawn = np.random.default_rng(0).permutation(len(table))[:rows]
    parts: list[Tensor] = []
    columns: list[Column] = []
    for name in (*NUMBERS, *CATEGORIES, *beside):
        values, start = table[name].to_numpy(), sum(p.shape[1] for p in parts)
        if name in NUMBERS:
            mean, std = float(values.mean()), float(values.std())
            columns.append(Column(name, start, start + 1, mean=mean, std=std))
            parts.append(torch.tensor((values[drawn] - mean) / std, dtype=torch.float32)[:, None])
        else:
            known = np.unique(values)
            columns.append(Column(name, start, start + len(known), "category", tuple(map(str, known))))
            parts.append(torch.tensor(values[drawn][:, None] == known, dtype=torch.float32))
    x, y = torch.cat(parts, 1), torch.tensor(table["income"].to_numpy()[drawn] == ">50K").long()
    groups = {a: table[a].to_numpy()[drawn].tolist() for a in ("sex", "race")}
    return Case(_trained(x, y), Data.of(x, y, groups, columns=tuple(columns), positive=1))


def _trained(x: Tensor, y: Tensor) -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = mlp(f"{x.shape[1]}-16-2")
        optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(x)).split(128):
                optimizer.zero_grad()
                functional.cross_entropy(module(x[rows]), y[rows]).backward()
                optimizer.step()
    bounds = (torch.full(x.shape[1:], -50.0), torch.full(x.shape[1:], 50.0))
    return Model(module.eval(), ("<=50K", ">50K"), bounds=bounds)
