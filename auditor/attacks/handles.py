"""Models behind models: what a search asks in the place of the given one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from auditor.subject import Model

__all__ = ["handle_like", "tolerant"]


def handle_like(model: Model, module: nn.Module) -> Model:
    """`module`, which takes what the handle `model` takes and gives logits or values, as a handle of its own."""
    return Model(
        module, model.classes, model.bounds, output="value" if model.output == "value" else "logits",
        device=model.device, unit=model.unit, rejects=model.rejects,
    )  # fmt: skip


def tolerant(model: Model) -> Model:
    """`model`, with answers of NaN for the rows that it raises for."""
    return handle_like(model, _Tolerant(model))


class _Tolerant(nn.Module):
    def __init__(self, model: Model) -> None:
        super().__init__()
        self.inner = [model]  # in a list, so that its weights are not also this module's

    def forward(self, x: Tensor) -> Tensor:
        (model,) = self.inner
        try:
            return model(x)
        except Exception:  # noqa: BLE001 - the model's own code
            if len(x) == 1:
                shape = (1,) if model.output == "value" else (1, len(model.classes))
                return x.flatten(1).sum(1).view(-1, *[1] * (len(shape) - 1)).expand(shape) * torch.nan
            return torch.cat([self(row) for row in x.split(1)])
