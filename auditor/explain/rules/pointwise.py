"""Functions of one element each: the identity rule, x * stop((f(x) - f(0)) / x) + f(0), where f(0) is a constant.

Achtibat et al. 2024, arXiv:2402.05602, section 3.3.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from auditor.explain.functions import Function, in_place, live, plain_name
from auditor.explain.ledger import Ledger

__all__ = ["factor", "gate", "pointwise"]


def pointwise(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """A factor f(x) / x that is held constant."""
    x, rest = args[0], args[1:]
    kwargs.pop("inplace", None)
    if not isinstance(x, Tensor) or not x.requires_grad or any(live(a) for a in rest):
        ledger.unknown.add(plain_name(func))
        return func(*args, **kwargs)  # type: ignore[no-any-return]
    with torch.no_grad():
        value: Tensor = func(x.detach().clone() if in_place(func) else x.detach(), *rest, **kwargs)
        one_for_all = not any(isinstance(a, Tensor) and a.ndim for a in (*rest, *kwargs.values()))
        nothing = torch.zeros((1,) * x.ndim, dtype=x.dtype, device=x.device) if one_for_all else torch.zeros_like(x)
        at_zero = func(nothing, *rest, **kwargs).nan_to_num(0.0, 0.0, 0.0)
        constant = bool(at_zero.any())
        slope = ((value - at_zero) if constant else value).div(x).nan_to_num_(0.0, 0.0, 0.0)  # nothing where x is 0
    y: Tensor = _Sloped.apply(x, value, slope)  # type: ignore[no-untyped-call]
    return ledger.constant(y, at_zero) if constant else y


def gate(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """A sigmoid: what it lets through gets its relevance, unless it is the last function of all."""
    ledger.squashed = args[0]
    return ledger.gate(pointwise(ledger, func, args, kwargs))


def factor(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A deviation or norm: others are multiplied by it or divided by it, it takes no share itself."""
    del ledger
    return func(*(a.detach() if isinstance(a, Tensor) else a for a in args), **kwargs)


class _Sloped(torch.autograd.Function):
    """A value that hangs on `x` by a slope."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, slope: Tensor) -> Tensor:
        del x
        ctx.save_for_backward(slope)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (slope,) = ctx.saved_tensors
        return gradients[0] * slope, None, None
