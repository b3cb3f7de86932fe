"""The functions that a forward pass calls: their names, and those that torch writes in Python on top of others."""

from __future__ import annotations

from types import FunctionType

from auditor.explain.rules import Function, plain_name

__all__ = ["Function", "is_composed", "plain_name", "without_dispatch"]


def is_composed(func: Function) -> bool:
    """Whether `func` is written in Python on top of functions that a TorchFunctionMode sees themselves."""
    if not isinstance(func, FunctionType) or func.__module__ not in {"torch.nn.functional", "torch.functional"}:
        return False
    return any(n.startswith("has_torch_function") for n in func.__code__.co_names)


def without_dispatch(func: Function) -> Function:
    """The body of a composed function, which would otherwise hand the call back to the mode before it runs."""
    assert isinstance(func, FunctionType)  # noqa: S101 - see is_composed
    off = dict.fromkeys(
        ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"), lambda *_: False
    )
    body = FunctionType(func.__code__, {**func.__globals__, **off}, func.__name__, func.__defaults__, func.__closure__)
    body.__kwdefaults__ = func.__kwdefaults__
    return body
