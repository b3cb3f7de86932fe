"""Norms of a sample's own values: deviations are constant factors; what a norm adds is a constant."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from auditor.explain.functions import Function
from auditor.explain.ledger import Ledger
from auditor.explain.rules.weighted import batch_norm

__all__ = [
    "group_norm", "instance_norm", "layer_norm", "native_batch_norm", "native_group_norm", "native_layer_norm",
    "rms_norm",
]  # fmt: skip


def layer_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """x minus its mean, over its deviation."""
    del func
    given = _named(("input", "normalized_shape", "weight", "bias", "eps"), args, kwargs)
    x, dims = given["input"], tuple(range(-len(given["normalized_shape"]), 0))
    return _scaled(ledger, _centred(x, dims, given.get("eps", 1e-5)), given.get("weight"), given.get("bias"))


def rms_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """x over its root mean square."""
    del func
    given = _named(("input", "normalized_shape", "weight", "eps"), args, kwargs)
    x, dims = given["input"], tuple(range(-len(given["normalized_shape"]), 0))
    eps = given.get("eps") or torch.finfo(x.dtype).eps
    root = torch.rsqrt(x.detach().square().mean(dims, keepdim=True) + eps)
    return _scaled(ledger, x * root, given.get("weight"), None)


def group_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Like layer norm, over groups of channels."""
    del func
    given = _named(("input", "num_groups", "weight", "bias", "eps"), args, kwargs)
    x = given["input"]
    y = _centred(x.reshape(len(x), given["num_groups"], -1), (-1,), given.get("eps", 1e-5)).reshape(x.shape)
    return _scaled(ledger, y, given.get("weight"), given.get("bias"), (-1, *[1] * (x.ndim - 2)))


def instance_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Like layer norm, over each channel's own places."""
    del func
    x, weight, bias, mean, var, use_input_stats, momentum, eps, *_ = args
    if not use_input_stats:
        found = torch.batch_norm(x, weight, bias, mean, var, False, momentum, eps, False)
        return batch_norm(ledger, lambda *_, **__: found, (x, weight, bias, mean, var, False, momentum, eps), kwargs)
    y = _centred(x, tuple(range(2, x.ndim)), eps)
    return _scaled(ledger, y, weight, bias, (-1, *[1] * (x.ndim - 2)))


# What decomposed programs call returns what a backward pass would need too; nobody uses that when a model is run.
def native_batch_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """aten._native_batch_norm_legit_no_training."""
    *layer, momentum, eps = args
    found = func(*args, **kwargs)[0]
    return batch_norm(ledger, lambda *_, **__: found, (*layer, False, momentum, eps), {}), None, None


def native_layer_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """aten.native_layer_norm."""
    return layer_norm(ledger, func, args, kwargs), None, None


def native_group_norm(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """aten.native_group_norm."""
    x, weight, bias, _, _, _, groups, eps = args
    return group_norm(ledger, func, (x, groups, weight, bias, eps), kwargs), None, None


def _centred(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    centred = x - x.mean(dims, keepdim=True)
    return centred * torch.rsqrt(centred.detach().square().mean(dims, keepdim=True) + eps)


def _scaled(
    ledger: Ledger, y: Tensor, weight: Tensor | None, bias: Tensor | None, shape: tuple[int, ...] | None = None
) -> Tensor:
    if weight is not None:
        y = y * (weight.detach() if shape is None else weight.detach().view(shape))
    if bias is None:
        return y
    held = bias.detach() if shape is None else bias.detach().view(shape)
    return ledger.constant(y + held, held)


def _named(names: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(names, args, strict=False)) | kwargs
