"""Activations with a softened backward pass: it shows an attack the way through units that pass no gradient.

In the spirit of BPDA (Athalye et al. 2018, arXiv:1802.00420). Values, and the model, are untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["SoftBackward", "base_name"]

Slope = Callable[[Tensor, Tensor], Tensor]
GELU_GATE = 0.588  # GELU is about x sigmoid(1.702 x)


def _gate(x: Tensor, edge: Tensor) -> Tensor:
    return (x / edge).sigmoid_()


def _between(low: float, high: float) -> Slope:
    """The slope of a clamp whose ends are soft."""
    return lambda x, edge: (x - low).div_(edge).sigmoid_().mul_((high - x).div_(edge).sigmoid_())


def _bell(x: Tensor, edge: Tensor) -> Tensor:
    """The slope of a sigmoid, or of tanh but for a factor, that is drawn out to where inputs lie."""
    p = (x / edge).sigmoid_()
    return p * (1 - p)


# slope(x, edge) of each activation by the name of its function, and the least edge: what it is soft by itself
SLOPES: dict[str, tuple[Slope, float]] = {
    "relu": (_gate, 0.0),
    "gelu": (_gate, GELU_GATE),
    "silu": (_gate, 1.0),
    "mish": (_gate, 0.8),
    "relu6": (_between(0, 6), 0.0),
    "hardtanh": (_between(-1, 1), 0.0),
    "hardswish": (_gate, 1.0),
    "hardsigmoid": (_between(-3, 3), 0.0),
    "sigmoid": (_bell, 1.0),
    "tanh": (_bell, 0.5),
}


def base_name(func: Callable[..., Any]) -> tuple[str, bool]:
    """The name of a function of torch, however it was called (aten's relu_.default is relu), and whether in place."""
    name = getattr(func, "__name__", "").partition(".")[0]
    in_place = name.endswith("_") and not name.startswith("_")
    return name.rstrip("_") if in_place else name, in_place


class SoftBackward(TorchFunctionMode):
    """While active, gradients pass units that are almost on, saturated, or almost the largest of their pool.

    `width` (N,) is the softness for each sample in units of the root mean square of what the activation gets, 0 for
    true gradients. What is not in SLOPES, and what has no sample a row, is left alone.
    """

    def __init__(self, width: Tensor) -> None:
        super().__init__()
        self.width = width
        self.everywhere = bool((width > 0).all())

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What `func` gives; an activation over the batch gives it with a softened backward."""
        keywords = dict(kwargs or {})
        name, in_place = base_name(func)
        x = args[0] if args and isinstance(args[0], Tensor) else None
        if x is None or not x.requires_grad or not x.is_floating_point() or not x.ndim or len(x) != len(self.width):
            return func(*args, **keywords)
        if name in SLOPES:
            return self._activated(func, name, in_place or bool(keywords.get("inplace")), args, keywords)
        if name == "max_pool2d" and x.ndim == 4 and not keywords.get("return_indices"):
            return self._pooled(func, args, keywords)
        return func(*args, **keywords)

    def _activated(self, func: Callable[..., Any], name: str, in_place: bool, args: Any, keywords: Any) -> Tensor:
        x, (slope, least) = args[0], SLOPES[name]
        if name == "hardtanh":  # ReLU6 too, with ends of its own
            slope = _between(*_ends(args, keywords))
        softly = slope(x.detach(), self._edge(x).clamp_min(max(least, 1e-12)))
        if self.everywhere:
            value = func(x.detach().clone() if in_place else x.detach(), *args[1:], **keywords)
        else:
            with torch.enable_grad():
                leaf = x.detach().requires_grad_()
                value = func(leaf.clone(), *args[1:], **keywords)
                (truly,) = torch.autograd.grad(value.sum(), leaf)
            softly = torch.where(self._shaped(x) > 0, softly, truly)
        y: Tensor = _Sloped.apply(x, value.detach(), softly)  # type: ignore[no-untyped-call]
        return x.copy_(y) if in_place else y

    def _pooled(self, func: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any]) -> Tensor:
        y: Tensor = func(*args, **keywords)
        spread = _spread(args, keywords)
        if spread is None:
            return y
        x = args[0]
        windows = functional.unfold(x.flatten(0, 1)[:, None], **spread).view(*x.shape[:2], -1, y[0, 0].numel())
        edge = self._edge(x).clamp_min(1e-12)
        weights = ((windows.detach() - y.detach().flatten(2)[:, :, None]) / edge).softmax(2)
        soft = (weights * windows).sum(2).view_as(y)
        # the values of the pool with the gradient of the soft one
        return torch.where(self._shaped(x) > 0, y.detach() + (soft - soft.detach()), y)

    def _shaped(self, x: Tensor) -> Tensor:
        return self.width.to(x.device, x.dtype).view(-1, *[1] * (x.ndim - 1))

    def _edge(self, x: Tensor) -> Tensor:
        rows = x.detach().reshape(len(x), -1)
        rms: Tensor = torch.linalg.vector_norm(rows, dim=1) / rows.shape[1] ** 0.5
        return self._shaped(x) * rms.view(-1, *[1] * (x.ndim - 1))


class _Sloped(torch.autograd.Function):
    """`value` with the gradient of `x` times `slope`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, slope: Tensor) -> Tensor:  # noqa: ARG004 - x gets the gradient
        ctx.save_for_backward(slope)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return gradient * slope, None, None


def _ends(args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[float, float]:
    """The least and the largest value of a hardtanh."""
    said = {
        "min_val": -1.0,
        "max_val": 1.0,
        **dict(zip(("input", "min_val", "max_val"), args, strict=False)),
        **keywords,
    }
    return float(said["min_val"]), float(said["max_val"])


def _spread(args: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any] | None:
    """What unfold has to be told for the windows of a max_pool2d, None where its windows hold padding or holes."""
    names = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")
    said = {**dict(zip(names, args, strict=False)), **keywords}
    plain = said.get("padding") in (None, 0, (0, 0), [0, 0]) and not said.get("ceil_mode")
    if not plain:
        return None
    kernel = said["kernel_size"]
    return {"kernel_size": kernel, "stride": said.get("stride") or kernel, "dilation": said.get("dilation") or 1}
