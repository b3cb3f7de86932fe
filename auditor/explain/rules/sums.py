"""Sums and selections of what depends on the input and what does not: the latter's part is a constant."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from auditor.explain.functions import Function, in_place, live
from auditor.explain.ledger import Ledger

__all__ = ["added", "affine", "padded", "set_item"]

MASKED = 1e4


def added(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """a + b, a - b: a side that does not depend on the input is a constant."""
    a, b = args[:2]
    if live(a) and live(b):
        return func(*args, **kwargs)  # type: ignore[no-any-return]
    own = a if live(a) else b
    other = b if live(a) else a
    small = not isinstance(other, Tensor) or not in_place(func)
    nothing = (
        torch.zeros((1,) * (other.ndim if isinstance(other, Tensor) else 0), dtype=own.dtype) if small else own * 0
    )
    with torch.no_grad():
        held = func(*((nothing.to(own.device) if t is own else _copy(t)) for t in args[:2]), **kwargs)
        held = torch.as_tensor(held, dtype=own.dtype)
    y: Tensor = func(*args, **kwargs)
    if ledger.is_gate(own):
        ledger.gate(y)  # 1 - gate is one too
    return ledger.constant(y, held)


def set_item(ledger: Ledger, target: Tensor, args: tuple[Any, ...]) -> Tensor:
    """`target` after target[index] = value: a part that does not depend on the input is a constant."""
    index, value = args
    with torch.no_grad():
        held = torch.zeros_like(target) if target.requires_grad else target.clone()
        held[index] = _emptied(value)
    found = target.clone()
    found[index] = value
    return ledger.constant(found, held) if bool(held.any()) else found


def _copy(t: Any) -> Any:
    return t.detach().clone() if isinstance(t, Tensor) else t


def affine(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """cat, where, padding, masking: what the function gives where all that depends on the input is 0 is a constant."""
    with torch.no_grad():
        first = _emptied(args[0]) if args else None
        first = first.clone() if in_place(func) and isinstance(first, Tensor) else first
        held = func(*([first] if args else []), *map(_emptied, args[1:]), **{k: _emptied(v) for k, v in kwargs.items()})
    y: Tensor = func(*args, **kwargs)
    if not bool(held.any()):
        return y
    return ledger.constant(y, held.masked_fill(held.abs() > MASKED, 0))  # attention masks let nothing through


def padded(ledger: Ledger, func: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Padding: with another number than 0, that is a constant."""
    mode = kwargs.get("mode", args[2] if len(args) > 2 and isinstance(args[2], str) else "constant")
    value = kwargs.get("value", args[-1] if isinstance(args[-1], (int, float)) else None)
    if mode != "constant" or not value:
        return func(*args, **kwargs)  # type: ignore[no-any-return]
    return affine(ledger, func, args, kwargs)


def _emptied(x: Any) -> Any:
    if isinstance(x, Tensor):
        return torch.zeros_like(x) if x.requires_grad else x
    return type(x)(map(_emptied, x)) if isinstance(x, (list, tuple)) and live(x) else x
