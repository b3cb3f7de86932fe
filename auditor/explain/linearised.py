"""A forward pass whose every function is linear in its input, so that shares of a logit add up to it exactly.

The module itself is not touched. While `Linearised` is active each function that it calls is replaced by one that gives
the same value, is linear in its input with all other factors detached, and enters every additive constant in the ledger
(auditor/explain/rules/). By Euler's identity the output is then the sum over the input and all constants of
value x gradient. No layers are merged, and no class of module needs a rule.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from auditor.explain.functions import Function, in_place, is_composed, live, plain_name, without_dispatch
from auditor.explain.ledger import Ledger
from auditor.explain.rules.products import spelled_out
from auditor.explain.rules.sums import set_item
from auditor.explain.rules.table import COMPOSED, LINEAR, POINTWISE, RULES

__all__ = ["Linearised"]

VIEWS = frozenset({"view", "_unsafe_view"})
CASTS = frozenset({"float", "double", "half", "bfloat16", "to", "_to_copy", "type", "type_as"})


class Linearised(TorchFunctionMode):
    """While active, every function keeps its value and becomes linear in its input; constants go into `ledger`.

    What works in place gives a new tensor, which stands in for the old one from then on: what was noted of the old one
    stays true.
    """

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger
        self._instead: dict[int, tuple[weakref.ref[Tensor], Tensor]] = {}

    def __torch_function__(
        self, func: Function, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What `func` gives, made linear."""
        name = plain_name(func)
        args = tuple(map(self.standing, args))
        keywords = {key: self.standing(value) for key, value in (kwargs or {}).items()}
        if not any(live(a) for a in (*args, *keywords.values())):
            return self._entered(name, func(*args, **keywords), func, args, keywords)
        if (body := self._body(name, func)) is not None:
            with self:
                return body(*args, **keywords)
        if name == "__setitem__":
            self._replace(args[0], set_item(self.ledger, args[0], args[1:]))
            return None
        replaced = args[0] if args and in_place(func) and isinstance(args[0], Tensor) else None
        if replaced is not None:
            args = (replaced if name in POINTWISE else replaced.clone(), *args[1:])  # the rule copies what it must
            self._keep_gate(replaced, args[0])
        result = self._linear(name, func, args, keywords)
        if replaced is not None and isinstance(result, Tensor):
            self._replace(replaced, result)
        self.ledger.places.follow(name, func, args, keywords, result)
        return result

    def standing(self, x: Any) -> Any:
        """What stands for `x` now, where it was written into."""
        if isinstance(x, (list, tuple)) and type(x) in {list, tuple}:
            return type(x)(map(self.standing, x))
        found = self._instead.get(id(x)) if isinstance(x, Tensor) else None
        return self.standing(found[1]) if found is not None and found[0]() is x else x

    def _replace(self, old: Tensor, new: Tensor) -> None:
        self._instead[id(old)] = (weakref.ref(old), new)

    def _keep_gate(self, old: Tensor, copy: Tensor) -> None:
        if self.ledger.is_gate(old):
            self.ledger.gate(copy)

    def _body(self, name: str, func: Function) -> Function | None:
        """A function in terms of others that come through here themselves; None for one that has a rule of its own."""
        if name in COMPOSED:
            return COMPOSED[name]
        if name == "scaled_dot_product_attention" and self.ledger.composite.attention == "attnlrp":
            return spelled_out
        return without_dispatch(func) if is_composed(func) else None

    def _linear(self, name: str, func: Function, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
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

    def _entered(self, name: str, result: Any, func: Function, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """`result` of a function of nothing that depends on the input, unless whole numbers of it became floats there.

        Embeddings, and numbers that are cast.
        """
        places = self.ledger.places
        if name == "embedding" and isinstance(result, Tensor):
            place = next((p for a in (*args, *keywords.values()) if (p := places.of(a)) is not None), None)
            return result if place is None else self.ledger.entered(result, place)
        places.follow(name, func, args, keywords, result)
        if name in CASTS and isinstance(result, Tensor) and result.is_floating_point() and args:
            whole = isinstance(args[0], Tensor) and not args[0].is_floating_point()
            place = places.of(result) if whole else None
            return result if place is None else self.ledger.entered(result, place)
        return result
