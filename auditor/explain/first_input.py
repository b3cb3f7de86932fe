"""The ends of the input's range as the first convolution sees them, behind whatever normalises the input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from auditor.explain.functions import Function, plain_name
from auditor.explain.places import Places
from auditor.subject import Model

__all__ = ["first_input_bounds"]


class _SeenError(Exception):
    """The first convolution of the input was reached."""


class _FirstInput(TorchFunctionMode):
    """Stops at the first convolution whose input is the model's own, and keeps that input."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.places = Places(x)
        self.seen: Tensor | None = None

    def __torch_function__(
        self, func: Function, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        keywords, name = dict(kwargs or {}), plain_name(func)
        x = args[0] if args else keywords.get("input")
        if "conv" in name and self.places.of(x) is not None:
            self.seen = x
            raise _SeenError
        result: Any = func(*args, **keywords)
        self.places.follow(name, func, args, keywords, result)
        return result


def first_input_bounds(model: Model, x: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest and the largest legal input as the first convolution sees them, of one sample (1, ...)."""
    ends = []
    for bound in model.bounds:
        end = torch.as_tensor(bound, dtype=x.dtype).expand(x[:1].shape).clone()
        mode = _FirstInput(end)
        try:
            with torch.no_grad(), mode:
                model(end)
        except _SeenError:
            pass
        ends.append(end if mode.seen is None else mode.seen[:1])
    return ends[0], ends[1]
