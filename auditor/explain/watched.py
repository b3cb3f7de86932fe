"""Attention weights as a forward pass makes them, whoever computes them.

Two things are attention: torch's fused functions, whose weights are computed once more and used in their place, and a
softmax over the last dimension that is then multiplied with values in a matrix product. Modules are not touched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from auditor.explain.functions import Function, is_composed, plain_name, without_dispatch

__all__ = ["Watched", "Weights"]

SOFTMAX = frozenset({"softmax", "_softmax", "_safe_softmax"})
PRODUCTS = frozenset({"matmul", "bmm", "einsum", "baddbmm"})
# What weights still are weights behind: dropout at rest, another precision or shape, a mask, a factor for each.
PASSING = frozenset(
    """
    dropout to type type_as float double half bfloat16 _to_copy clone contiguous alias view view_as _unsafe_view reshape
    reshape_as flatten unflatten transpose swapaxes movedim permute __get__ mT squeeze unsqueeze expand mul div
    masked_fill where nan_to_num __getitem__ slice narrow detach
    """.split()  # noqa: SIM905 - a list of names
)


@dataclass
class Weights:
    """The weights (..., Tq, Tk) of one attention, in the graph of the output; `used` once values were weighted."""

    tensor: Tensor
    used: bool = False
    name: str = ""


class Watched(TorchFunctionMode):
    """While active, `seen` fills with every attention that runs, in order; values stay as they are."""

    def __init__(self, started: Callable[[Weights], None]) -> None:
        super().__init__()
        self.seen: list[Weights] = []
        self._started = started
        self._carriers: dict[int, tuple[Tensor, Weights]] = {}  # held, so that no other tensor gets the same id

    def __torch_function__(
        self, func: Function, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What `func` gives, with the weights of attention noted."""
        keywords, name = dict(kwargs or {}), plain_name(func)
        if name in FUSED:
            return FUSED[name](self, *args, **keywords)
        if name == "multi_head_attention_forward" and is_composed(func):
            with self:
                return without_dispatch(func)(*args, **keywords)
        result: Any = func(*args, **keywords)
        if name in SOFTMAX and _over_last(args, keywords) and isinstance(result, Tensor) and result.ndim > 2:
            return self._carried(self._noted(result), result)
        if name in PRODUCTS:
            self._used([t for a in (*args, *keywords.values()) for t in (a if isinstance(a, (list, tuple)) else (a,))])
        elif name == "add" and len(args) > 1 and all(self._of(a) for a in args[:2]):
            return self._mixed(args[:2], result)
        elif name in PASSING and isinstance(result, Tensor):
            for found in filter(None, map(self._of, args)):
                self._carriers[id(result)] = result, found
        return result

    def _mixed(self, parts: tuple[Any, ...], result: Tensor) -> Tensor:
        """Weights that are the sum of others, as where content and position have a softmax each."""
        for found in map(self._of, parts):
            self.seen = [w for w in self.seen if w is not found]
        return self._carried(self._noted(result), result)

    def _noted(self, weights: Tensor) -> Weights:
        if not weights.requires_grad:
            weights.requires_grad_()
        found = Weights(weights)
        self.seen.append(found)
        self._started(found)
        return found

    def _carried(self, found: Weights, like: Tensor) -> Tensor:
        """A copy that the model may write into."""
        carrier = like.clone()
        self._carriers[id(carrier)] = carrier, found
        return carrier

    def _of(self, x: object) -> Weights | None:
        return self._carriers.get(id(x), (None, None))[1]

    def _used(self, factors: list[Any]) -> None:
        """Mark weights that are multiplied with values of each sample, not with a table that is the same for all."""
        found = [(f, self._of(f)) for f in factors if isinstance(f, Tensor)]
        for f, weights in found:
            if weights is not None and all(other.ndim > 2 for other, _ in found if other is not f):
                weights.used = True

    def fused(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
        is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False,
    ) -> Tensor:  # fmt: skip
        """torch's scaled_dot_product_attention by its definition: softmax(Q K^T scale + mask) V."""
        if enable_gqa:
            key, value = (t.repeat_interleave(query.shape[-3] // t.shape[-3], -3) for t in (key, value))
        scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
        if is_causal:
            ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(ahead, -torch.inf)
        if attn_mask is not None:
            hides = attn_mask.dtype == torch.bool
            scores = scores.masked_fill(~attn_mask, -torch.inf) if hides else scores + attn_mask
        found = self._noted(torch._safe_softmax(scores, -1))  # noqa: SLF001 - a row of which all is hidden is 0
        found.used = True
        return torch.dropout(found.tensor, dropout_p, train=dropout_p > 0) @ value

    def kernel(self, *args: Any, **kwargs: Any) -> tuple[Tensor, None]:
        """The kernels that programs call by name, which also give what only a backward pass uses."""
        return self.fused(*args, **kwargs), None

    def cpu_kernel(
        self, query: Tensor, key: Tensor, value: Tensor, dropout_p: float = 0.0, is_causal: bool = False, *,
        attn_mask: Tensor | None = None, scale: float | None = None,
    ) -> tuple[Tensor, None]:  # fmt: skip
        """As `kernel`, with another order of arguments."""
        return self.fused(query, key, value, attn_mask, dropout_p, is_causal, scale=scale), None


FUSED: dict[str, Callable[..., Any]] = {
    "scaled_dot_product_attention": Watched.fused,
    "_scaled_dot_product_attention_math": Watched.kernel,
    "_scaled_dot_product_flash_attention_for_cpu": Watched.cpu_kernel,
}


def _over_last(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a softmax runs over the last dimension."""
    x, dim = args[0] if args else kwargs.get("input"), kwargs.get("dim", args[1] if len(args) > 1 else None)
    return isinstance(x, Tensor) and dim in {-1, x.ndim - 1}
