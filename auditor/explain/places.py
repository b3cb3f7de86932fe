"""Which element of the input an element of a tensor is, as long as the input is only moved about, cut or shifted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["Places", "scattered"]

Function = Callable[..., Any]

# Functions that move, select or repeat elements: applied to their places they give the places of the result.
MOVES = frozenset(
    """
    __getitem__ view _unsafe_view view_as reshape flatten unflatten ravel squeeze unsqueeze transpose permute t swapaxes
    movedim moveaxis expand expand_as repeat tile flip roll chunk split tensor_split unbind narrow select index_select
    slice split_with_sizes alias unsafe_chunk unsafe_split mT numpy_T __get__ unfold
    """.split()  # noqa: SIM905 - a list of names
)
JOINS = frozenset({"cat", "concat", "concatenate", "stack", "hstack", "vstack"})
# Functions of one element each: a result of the same shape has the same places.
KEEPS = frozenset(
    """
    to _to_copy long int short float double half bfloat16 type type_as contiguous clone detach clamp clamp_min clamp_max
    clip where masked_fill add sub subtract rsub __rsub__ mul multiply div divide true_divide floor_divide remainder
    abs neg round floor trunc lift_fresh_copy nan_to_num dropout requires_grad
    """.split()  # noqa: SIM905 - a list of names
)


class Places:
    """What is known of tensors that came from the input: for each the flat positions in `x` (N, ...) of its elements.

    Positions are made when they are first asked for. -1 stands for elements that came from elsewhere.
    """

    def __init__(self, x: Tensor) -> None:
        self._known: dict[int, tuple[Tensor, Callable[[], Tensor]]] = {}  # the tensor too: a freed id may come again
        self._put(x, lambda: torch.arange(x.numel()).view(x.shape))

    def of(self, t: object) -> Tensor | None:
        """The positions of the elements of `t`, shaped like it; None where they are not known."""
        found = self._known.get(id(t)) if isinstance(t, Tensor) else None
        return None if found is None else found[1]()

    def follow(self, name: str, func: Function, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
        """Learn from `result`, which the function called `name` gave for these arguments."""
        if not args:
            return
        if name in JOINS and isinstance(args[0], (list, tuple)) and any(id(t) in self._known for t in args[0]):
            parts = list(args[0])
            self._put(result, lambda: func([self._or_nowhere(t) for t in parts], *args[1:], **kwargs))
        elif name in MOVES and id(args[0]) in self._known:
            first = self._known[id(args[0])][1]
            moved = _once(lambda: func(first(), *args[1:], **kwargs))
            for i, part in enumerate(result if isinstance(result, (list, tuple)) else [result]):
                whole = isinstance(result, Tensor)
                self._put(part, moved if whole else (lambda i=i: moved()[i]))  # type: ignore[misc]
        elif name == "one_hot" and (place := self.of(args[0])) is not None:
            self._put(result, lambda: place[..., None].expand(result.shape))
        elif name in KEEPS and isinstance(result, Tensor):
            for t in (*args, *kwargs.values()):
                if id(t) in self._known and t.shape == result.shape:
                    self._put(result, self._known[id(t)][1])

    def forget(self) -> None:
        """Let go of every tensor."""
        self._known.clear()

    def _put(self, t: object, place: Callable[[], Tensor]) -> None:
        if isinstance(t, Tensor):
            self._known[id(t)] = (t, _once(place))

    def _or_nowhere(self, t: Tensor) -> Tensor:
        place = self.of(t)
        return torch.full(t.shape, -1) if place is None else place


def _once(make: Callable[[], Any]) -> Callable[[], Any]:
    """`make`, called when its result is first asked for and never again."""
    made: list[Any] = []

    def give() -> Any:
        if not made:
            made.append(make())
        return made[0]

    return give


def scattered(values: Tensor, place: Tensor, shape: torch.Size) -> Tensor:
    """Values (*place.shape, ...) added up at their places in a tensor of `shape`, in their own precision."""
    flat = values.reshape(place.numel(), -1).sum(1)
    where = place.reshape(-1).to(flat.device)
    known = where >= 0
    found = torch.zeros(shape.numel(), dtype=flat.dtype, device=flat.device)
    return found.index_add_(0, where[known], flat[known]).view(shape)
