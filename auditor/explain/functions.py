"""torch's functions as a mode sees them: their names, and the bodies of those that are written in Python."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from torch import Tensor

__all__ = ["Function", "in_place", "is_composed", "live", "plain_name", "without_dispatch"]

Function = Callable[..., Any]

OPERATORS = {
    "__add__": "add", "__radd__": "add", "__iadd__": "add", "__sub__": "sub", "__isub__": "sub", "__mul__": "mul",
    "__rmul__": "mul", "__imul__": "mul", "__truediv__": "div", "__itruediv__": "div", "__div__": "div",
    "__idiv__": "div", "__matmul__": "matmul", "__pow__": "pow", "__ipow__": "pow",
}  # fmt: skip


def plain_name(func: Function) -> str:
    """A function's name without overload and in-place marks: `relu_` and `relu.default` are `relu`, `+` is `add`."""
    name = getattr(func, "__name__", "").partition(".")[0]
    return OPERATORS.get(name, name) if name.startswith("__") else name.rstrip("_") or name


def in_place(func: Function) -> bool:
    """Whether `func` writes its result into its first argument, such as `relu_`, `add_.Tensor` or `+=`."""
    name = getattr(func, "__name__", "").partition(".")[0]
    return (name.startswith("__i") and name in OPERATORS) or (name.endswith("_") and not name.endswith("__"))


def live(x: object) -> bool:
    """Whether `x` is, or holds, a tensor that depends on the input."""
    if isinstance(x, Tensor):
        return x.requires_grad
    return isinstance(x, (list, tuple)) and any(live(part) for part in x)


def is_composed(func: Function) -> bool:
    """Whether `func` is written in Python on top of functions that come through a mode themselves."""
    if not isinstance(func, FunctionType) or func.__module__ not in {"torch.nn.functional", "torch.functional"}:
        return False
    return any(n.startswith("has_torch_function") for n in func.__code__.co_names)


def without_dispatch(func: Function) -> Function:
    """The body of a Python function of torch, which would otherwise hand the call back to the mode before it runs."""
    assert isinstance(func, FunctionType)  # noqa: S101 - see is_composed
    off: dict[str, Any] = dict.fromkeys(
        ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"), lambda *_: False
    )
    body = FunctionType(func.__code__, {**func.__globals__, **off}, func.__name__, func.__defaults__, func.__closure__)
    body.__kwdefaults__ = func.__kwdefaults__
    return body
