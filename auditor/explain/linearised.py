"""A forward pass whose every function is linear in its input, so that shares of a logit add up to it exactly.

The module itself is not touched. While `Linearised` is active each function that it calls is replaced by one that gives
the same value, is linear in its input with all other factors detached, and has every additive constant as a leaf of its
own (auditor/explain/rules.py). By Euler's identity the output is then the sum over the input and all constants of
value x gradient: the ledger. No layers are merged, and no class of module needs a rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from auditor.explain.functions import Function, is_composed, plain_name, without_dispatch
from auditor.explain.ledger import Ledger
from auditor.explain.rules import LINEAR, RULES, live

__all__ = ["Linearised"]

VIEWS = frozenset({"view", "_unsafe_view"})


class Linearised(TorchFunctionMode):
    """While active, every function keeps its value and becomes linear in its input; constants go into `ledger`."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger

    def __torch_function__(
        self, func: Function, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What `func` gives, made linear."""
        keywords, name = dict(kwargs or {}), plain_name(func)
        if not any(live(a) for a in (*args, *keywords.values())):
            return func(*args, **keywords)
        if is_composed(func):
            with self:
                return without_dispatch(func)(*args, **keywords)
        if (rule := RULES.get(name)) is not None:
            return rule(self.ledger, func, args, keywords)
        if name in VIEWS and not keywords and not isinstance(args[1], torch.dtype):
            func = torch.Tensor.reshape  # what a rule gives may lie otherwise in memory
        result: Any = func(*args, **keywords)
        if name not in LINEAR and live(result):
            self.ledger.unknown.add(name)
        if name in LINEAR and args and self.ledger.is_gate(args[0]) and isinstance(result, Tensor):
            self.ledger.gate(result)
        return result
