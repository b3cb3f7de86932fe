"""While a network runs: what it looks up by elements of its input, and others in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from auditor.explain.functions import Function, plain_name
from auditor.explain.places import Places

__all__ = ["Entering"]


class Entering(TorchFunctionMode):
    """While active, `enter(output, place)` gives what goes on in the place of an embedding of the input's numbers."""

    def __init__(self, x: Tensor, enter: Callable[..., Tensor]) -> None:
        super().__init__()
        self.places = Places(x)
        self.enter = enter

    def __torch_function__(
        self, func: Function, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        keywords, name = dict(kwargs or {}), plain_name(func)
        if func is functional.embedding_bag:
            given = signature(func).bind(*args, **keywords).arguments
            place = self.places.of(given["input"])
            if place is not None and place.ndim == 2:
                return _bag(given, partial(self.enter, place=place))
        result: Any = func(*args, **keywords)
        if name == "embedding" or (name == "__getitem__" and _is_look_up(*args)):
            place = next((p for a in (*args, *keywords.values()) if (p := self.places.of(a)) is not None), None)
            if place is not None:
                return self.enter(result, place)
        self.places.follow(name, func, args, keywords, result)
        return result


def _is_look_up(table: Any, indices: Any) -> bool:
    """Whether `table[indices]` is an embedding without the function of that name."""
    return (
        isinstance(table, nn.Parameter) and isinstance(indices, Tensor) and indices.dtype in {torch.int64, torch.int32}
    )


def _bag(given: Mapping[str, Any], enter: Callable[[Tensor], Tensor]) -> Tensor:
    """What torch's embedding_bag gives for indices (N, T), with the embeddings one by one on the way."""
    indices, skipped, weights = given["input"], given.get("padding_idx"), given.get("per_sample_weights")
    each = enter(functional.embedding(indices, given["weight"]))
    counts = torch.ones_like(indices, dtype=torch.bool) if skipped is None else indices != skipped
    if given.get("mode") == "max":
        return each.masked_fill(~counts[..., None], -torch.inf).amax(1)
    part = counts.to(each.dtype) if weights is None else counts * weights
    total = (each * part[..., None]).sum(1)
    return total if given.get("mode") == "sum" else total / part.sum(1, keepdim=True).clamp_min(1)
