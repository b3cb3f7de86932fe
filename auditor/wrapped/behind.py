"""The module around a model's own, and its handle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from auditor.errors import NotApplicable
from auditor.subject import Model, Output, as_it_is

__all__ = ["Behind", "handle_of", "need_classes"]


class Behind(nn.Module):
    """Stands before the module of the handle `model`, and is called with inputs as they are before `normalize`.

    The module is part of this one (`inner`), with its weights, its mode and its hooks.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.inner = model.module
        self.handle = model
        self.training = model.module.training

    def asked(self, x: Tensor) -> Tensor:
        """What the model behind gives for inputs (N, ...): logits (N, C), or values (N,)."""
        return replace(self.handle, module=self.inner)(x.float())


def handle_of(module: Behind, **facts: Any) -> Model:
    """`module` as a handle with the facts of the model behind it, but for those given."""
    inner = module.handle
    output: Output = "value" if inner.output == "value" else "logits"
    return replace(
        inner, module=module, normalize=as_it_is, feed=as_it_is, part=None, batch=None, output=output, **facts
    )


def need_classes(model: Model, what: str) -> None:
    """NotApplicable for a model that returns a value, whose answers `what` cannot count."""
    if model.output == "value":
        msg = f"the model returns a value, not classes; {what} needs classes"
        raise NotApplicable(msg)
