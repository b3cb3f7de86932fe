"""ReLU with a softened backward pass: shows an attack the way to units that are dead all through the ball."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["SoftBackward"]

RELUS = {functional.relu, functional.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}


class _SoftReLU(torch.autograd.Function):
    """ReLU forward; backward multiplies by sigmoid(x / (width * rms(x))), by the true step where width is 0."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, width: Tensor) -> Tensor:
        ctx.save_for_backward(x, width)
        return x.clamp_min(0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        x, width = ctx.saved_tensors
        edge = (width * x.flatten(1).square().mean(1).sqrt()).view(-1, *[1] * (x.ndim - 1))
        step = torch.where(edge > 0, torch.sigmoid(x / edge.clamp_min(1e-12)), (x > 0).to(x.dtype))
        return gradient * step, None


class SoftBackward(TorchFunctionMode):
    """While active, gradients pass ReLUs whose units are almost on; values, and the model, are untouched.

    `width` (N,) is the softness for each sample in units of the layer's root mean square, 0 for true gradients. In the
    spirit of BPDA (Athalye et al. 2018, arXiv:1802.00420).
    """

    def __init__(self, width: Tensor) -> None:
        super().__init__()
        self.width = width

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What `func` gives; a ReLU over the batch gives it with a softened backward."""
        if func in RELUS and len(args[0]) == len(self.width):
            return _SoftReLU.apply(args[0], self.width)  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))
