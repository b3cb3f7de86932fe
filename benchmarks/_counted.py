"""What an attack costs: seconds, and samples that go forward and backward through the model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from auditor.subject import Model


@dataclass
class Cost:
    """Wall-clock `seconds`, `processor` seconds of all threads, and samples `forward` and `backward`."""

    seconds: float = 0.0
    processor: float = 0.0
    forward: int = 0
    backward: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Both, one after the other."""
        return Cost(
            self.seconds + other.seconds,
            self.processor + other.processor,
            self.forward + other.forward,
            self.backward + other.backward,
        )


class Logits(nn.Module):
    """A model as other libraries take it: a module that gives logits of inputs as they are."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.module, self.model = model.module, model
        self.eval()  # torchattacks puts a module that it found in training mode back into it, and all inside it

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, C)."""
        return self.model(x)


@contextmanager
def measured(model: Model) -> Iterator[Cost]:
    """The cost of what is done inside, where the model is frozen; it is complete at the end."""
    cost = Cost()

    def backward(gradient: Tensor) -> None:
        cost.backward += len(gradient)

    def forward(_module: nn.Module, _inputs: Any, logits: Tensor) -> None:
        cost.forward += len(logits)
        if logits.requires_grad:
            logits.register_hook(backward)

    with model.frozen():
        hook = model.module.register_forward_hook(forward)
        start, busy = time.perf_counter(), time.process_time()
        try:
            yield cost
        finally:
            cost.seconds, cost.processor = time.perf_counter() - start, time.process_time() - busy
            hook.remove()


def right(model: Model, x: Tensor, y: Tensor) -> Tensor:
    """Which samples (N,) the model calls by their class."""
    with torch.no_grad():
        return model(x).argmax(1) == y
