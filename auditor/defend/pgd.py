"""PGD adversarial training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from auditor.attacks.pgd import pgd as attack
from auditor.errors import NotApplicable, UsageError
from auditor.guard import isolated
from auditor.subject import Data, Model

__all__ = ["pgd"]

Whole = Annotated[int, Field(ge=1, le=100_000)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def pgd(
    model: Model,
    data: Data,
    seed: int,
    on_epoch: Callable[[int, int], None] = lambda _done, _of: None,
    *,
    epsilon: Positive = 8 / 255,
    steps: Whole = 7,
    epochs: Whole = 30,
    batch: Whole = 64,
    rate: Positive = 2e-3,
) -> nn.Module:
    """A copy of the model trained further, on the worst inputs within `epsilon` that `steps` steps of PGD find.

    Adam at a learning rate that rises to `rate` and falls to 0 over `epochs` passes in batches of `batch` rows (Madry
    et al. 2018, arXiv:1706.06083). `on_epoch` is told how many epochs of how many are done. NotApplicable for programs,
    which cannot be trained, and for texts; UsageError when the loss is no longer a number.
    """
    if not any(p.requires_grad for p in model.module.parameters()) or isinstance(model.module, torch.jit.ScriptModule):
        msg = "the model has no weights that can be trained; adversarial training needs weights in an architecture"
        raise NotApplicable(msg)
    if data.texts is not None:
        msg = "a text has no small changes of numbers, which PGD trains on"
        raise NotApplicable(msg)
    hardened = replace(model, module=copy.deepcopy(model.module))
    with isolated(seed):
        generator = torch.Generator().manual_seed(seed)
        optimizer = torch.optim.Adam(hardened.module.parameters(), lr=rate)
        total = epochs * -(-len(data) // batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=total)
        for epoch in range(epochs):
            for x, y in _shuffled(data, batch, generator):
                with hardened.frozen():
                    worst = attack(hardened, x, y, epsilon, steps=steps, generator=generator)
                _step(hardened, worst, y, optimizer, epoch)
                schedule.step()
            on_epoch(epoch + 1, epochs)
    hardened.module.train(mode=model.module.training)
    return hardened.module


def _shuffled(data: Data, batch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets of all rows in random order."""
    order = torch.randperm(len(data), generator=generator).numpy()
    for i in range(0, len(order), batch):
        rows = np.sort(order[i : i + batch])
        yield data.read(rows), torch.from_numpy(data.y[rows])


def _step(model: Model, x: Tensor, y: Tensor, optimizer: torch.optim.Optimizer, epoch: int) -> None:
    model.module.train()
    loss = functional.cross_entropy(model(x).cpu(), y)
    if not bool(loss.isfinite()):
        msg = f"training stopped in epoch {epoch + 1}: the loss is no longer a number; lower the rate or epsilon"
        raise UsageError(msg)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
