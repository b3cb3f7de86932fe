"""Logits of a model that gives probabilities: those it made them of, where they can be had."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from auditor.attacks.softened import base_name

__all__ = ["LastSoftmax"]

SAME = 1e-6
OUTPUTS = frozenset({"softmax", "_softmax", "log_softmax", "_log_softmax", "sigmoid"})


class LastSoftmax(TorchFunctionMode):
    """While active, keeps what softmax, log-softmax and sigmoid were given last, and what they gave."""

    def __init__(self) -> None:
        super().__init__()
        self.last: tuple[str, Tensor, Tensor] | None = None

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What `func` gives."""
        result = func(*args, **dict(kwargs or {}))
        name, _ = base_name(func)
        if name in OUTPUTS and args and isinstance(args[0], Tensor) and isinstance(result, Tensor):
            self.last = (name.removeprefix("_"), args[0], result)
        return result

    def logits(self, outputs: Tensor) -> Tensor | None:
        """What `outputs` (N, C) or (N, 1) were made of, None where they were not made so."""
        if self.last is None:
            return None
        _, given, gave = self.last
        if given.shape != outputs.shape or not torch.allclose(gave.detach().float(), outputs.detach(), atol=SAME):
            return None
        return given.float()
