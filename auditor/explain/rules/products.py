"""Products of two things that depend on the input, and attention, which is made of them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from auditor.explain.functions import Function, in_place, live
from auditor.explain.ledger import Ledger
from auditor.explain.rules.pointwise import pointwise

__all__ = ["attention", "einsum", "log_softmax", "product", "quotient", "softmax", "spelled_out"]


def product(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """a * b or a @ b: half the relevance to each factor, all of it to what a gate lets through."""
    a, b, *rest = args
    if not (live(a) and live(b)):
        return func(*args, **kwargs)  # type: ignore[no-any-return]
    if ledger.is_gate(a) != ledger.is_gate(b):
        a, b = (a.detach(), b) if ledger.is_gate(a) else (a, b.detach())
        return func(a, b, *rest, **kwargs)  # type: ignore[no-any-return]
    other = func(a.detach().clone() if in_place(func) else a.detach(), b, *rest, **kwargs)
    return 0.5 * (func(a, b.detach(), *rest, **kwargs) + other)  # type: ignore[no-any-return]


def einsum(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Equal parts to all that depend on the input."""
    del ledger
    equation, *operands = args
    tensors = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    if sum(live(t) for t in tensors) < 2:
        return func(*args, **kwargs)  # type: ignore[no-any-return]
    shared = [i for i, t in enumerate(tensors) if live(t)]
    parts = [func(equation, [t if i == j else t.detach() for j, t in enumerate(tensors)], **kwargs) for i in shared]
    return torch.stack(parts).sum(0) / len(shared)


def quotient(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """a / b: the denominator is a constant factor; a constant over b is a function of b alone."""
    a, b, *rest = args
    if live(b) and not live(a):
        return pointwise(ledger, lambda x: func(a, x, *rest, **kwargs), (b,), {})
    return func(a, b.detach() if isinstance(b, Tensor) else b, *rest, **kwargs)  # type: ignore[no-any-return]


def softmax(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Weights as constant factors; under AttnLRP their own derivative, what it leaves being a constant."""
    x: Tensor = args[0]
    ledger.squashed = x
    if ledger.composite.attention == "values":
        return func(x.detach(), *args[1:], **kwargs)  # type: ignore[no-any-return]
    y: Tensor = func(*args, **kwargs)
    dim = kwargs.get("dim", args[1] if len(args) > 1 else -1)
    s, z = y.detach(), x.detach()
    z = z.masked_fill(~z.isfinite() | (s == 0), 0)  # masked places: their weight is 0 whatever they hold
    return ledger.constant(y, s - s * (z - (s * z).sum(dim, keepdim=True)))


def log_softmax(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """The logits minus a constant a row."""
    x: Tensor = args[0]
    held = func(x.detach(), *args[1:], **kwargs) - x.detach()
    return ledger.constant(x + held, held)


def attention(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """scaled_dot_product_attention, its weights held constant: relevance follows the values."""
    del ledger
    given = dict(zip(("query", "key", "value"), args[:3], strict=False)) | kwargs
    query, key, value = (given.pop(n) for n in ("query", "key", "value"))
    return func(query.detach(), key.detach(), value, *args[3:], **given)


def spelled_out(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """scaled_dot_product_attention by its parts, which have rules of their own; dropout is off in evaluation."""
    del dropout_p
    if enable_gqa:
        key, value = (t.repeat_interleave(query.shape[-3] // t.shape[-3], -3) for t in (key, value))
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        hidden = torch.where(attn_mask, 0.0, -torch.inf) if attn_mask.dtype == torch.bool else attn_mask
        scores = scores + hidden
    return functional.softmax(scores, -1) @ value
