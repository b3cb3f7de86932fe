"""Regions of inputs that run through a model in the place of tensors.

A region answers torch's functions by itself (`__torch_function__`), so that any module's own forward bounds itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from auditor.attacks.softened import base_name
from auditor.errors import NotApplicable

__all__ = ["Known", "Linear", "Region", "unbounded"]

Linear = Callable[[Tensor], Tensor]
Known = Callable[[Any, str, Callable[..., Any], Sequence[Any], dict[str, Any]], Any]
BEHIND_A_SOFTMAX = frozenset({"squeeze", "flatten", "clone", "contiguous", "float"})


class Region:
    """A set around each of N inputs (N, ...); subclasses say how it is bounded.

    `known` is what is done under each function. `ordered`: behind a softmax, where the order of the elements is right
    and their sizes are not.
    """

    known: ClassVar[Mapping[str, Known]]
    ordered: bool

    # ---- what subclasses say -------------------------------------------------------------------------------------
    def bounds(self) -> tuple[Tensor, Tensor]:
        """The smallest and largest value (N, ...) of every element."""
        raise NotImplementedError

    def moved(self, f: Linear) -> Self:
        """Under a linear function that is monotone in every element and has no constant."""
        raise NotImplementedError

    def weighted(self, f: Linear, bare: Linear, sizes: Linear) -> Self:
        """Under the affine `f`, whose linear part is `bare`; `sizes` is that of the absolute weights."""
        raise NotImplementedError

    def monotone(self, f: Linear, name: str) -> Self:
        """Under a function of single elements that never falls."""
        raise NotImplementedError

    def dipping(self, f: Linear, bend: float, least: float) -> Self:
        """Under a function of single elements that falls to `bend`, where it is above `least`, and rises behind."""
        raise NotImplementedError

    def pooled(self, f: Linear) -> Self:
        """Under the largest of windows."""
        raise NotImplementedError

    def plus(self, other: Self, sign: float) -> Self:
        """The sum with another region of the same inputs, or the difference."""
        raise NotImplementedError

    def joined(self, others: Sequence[Self], f: Callable[[Sequence[Tensor]], Tensor]) -> Self:
        """This region and others side by side, as `f` does it."""
        raise NotImplementedError

    # ---- what torch asks -----------------------------------------------------------------------------------------
    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What `func` gives for a region."""
        name, in_place = base_name(func)
        return _under(name, func, args, dict(kwargs or {}), in_place=in_place)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(self._method, name)

    def _method(self, name: str, *args: Any, **keywords: Any) -> Any:
        func = getattr(Tensor, name, None)
        if func is None:
            raise unbounded(name)
        plain, in_place = base_name(func)
        return _under(plain, func, (self, *args), keywords, in_place=in_place)

    @property
    def shape(self) -> torch.Size:
        return self.bounds()[0].shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    @property
    def device(self) -> torch.device:
        return self.bounds()[0].device

    requires_grad: ClassVar[bool] = False

    def dim(self) -> int:
        return self.ndim

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        return self.moved(lambda t: t[key])

    def __add__(self, other: Any) -> Any:
        return _under("add", torch.add, (self, other), {})

    def __sub__(self, other: Any) -> Any:
        return _under("sub", torch.sub, (self, other), {})

    def __mul__(self, other: Any) -> Any:
        return _under("mul", torch.mul, (self, other), {})

    def __truediv__(self, other: Any) -> Any:
        return _under("div", torch.div, (self, other), {})

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __neg__(self) -> Any:
        return self * -1.0

    __radd__ = __iadd__ = __add__
    __rmul__ = __imul__ = __mul__


def unbounded(name: str, how: str = "") -> NotApplicable:
    """What is raised for a function that no bound is known of, as it is used."""
    return NotApplicable(f"no bounds are known of {f'{name} {how}'.strip()}, which the model uses")


def _under(
    name: str, func: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any], *, in_place: bool = False
) -> Any:
    """What `func`, by its `name`, makes of the regions among `args`; NotApplicable where that is not known."""
    if name in {"cat", "concat"}:
        return _side_by_side(list(args[0]), keywords.get("dim", args[1] if len(args) > 1 else 0))
    if not isinstance(args[0], Region):
        return _constant_first(name, func, args, keywords)
    x: Region = args[0]
    known = x.known.get(name)
    if known is None:
        raise unbounded(name)
    if x.ordered and name not in BEHIND_A_SOFTMAX:
        raise unbounded(name, "behind a softmax")
    found = known(x, name, func, args[1:], keywords)
    if in_place or keywords.get("inplace"):
        vars(x).update(vars(found))  # whoever holds the region may go on with it
        return x
    return found


def _constant_first(name: str, func: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    if len(args) == 2 and isinstance(args[1], Region) and name in {"add", "mul"}:
        return _under(name, func, (args[1], args[0]), keywords)
    if len(args) == 2 and isinstance(args[1], Region) and name == "sub":
        return args[1] * -1.0 + args[0]
    raise unbounded(name, "of a constant")


def _side_by_side(parts: list[Any], dim: int) -> Region:
    if not all(isinstance(p, Region) for p in parts):
        raise unbounded("cat", "with constants")
    first: Region = parts[0]
    return first.joined(parts[1:], lambda tensors: torch.cat(list(tensors), dim))
