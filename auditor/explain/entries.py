"""Where the input enters a network as numbers that gradients can be taken to: its own, or embeddings of its ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from auditor.errors import NotApplicable
from auditor.explain.functions import Function, plain_name
from auditor.explain.places import Places, scattered
from auditor.subject import Model

__all__ = ["Entry", "entries", "gathered", "logits_from"]


@dataclass(frozen=True)
class Entry:
    """One tensor by which N samples enter: `values` (N, ...), the samples along its first axis.

    `place` (N, ...) are the positions in the input of what was embedded, None for the input itself. `axis` is where the
    network has the samples.
    """

    values: Tensor
    place: Tensor | None = None
    axis: int = 0


def entries(model: Model, x: Tensor) -> tuple[Entry, ...]:
    """The entries of inputs (N, ...): the input itself where it is of floats, then every embedding of its numbers.

    Embeddings are those of functions called `embedding` whose indices are elements of the input, in the order in which
    they are called; of positions and the like, whose indices are not, nothing is said. NotApplicable when the input is
    of whole numbers and is embedded nowhere.
    """
    found: list[Entry] = []

    def note(output: Tensor, place: Tensor) -> Tensor:
        axis = _axis_of_samples(place, x)
        found.append(Entry(output.detach().movedim(axis, 0), place.movedim(axis, 0), axis))
        return output

    with torch.no_grad(), _Entering(x, note):
        model(x)
    if x.is_floating_point():
        return (Entry(x.detach()), *found)
    if not found:
        msg = "the input is of whole numbers, and no embedding of them is found that gradients could be taken to"
        raise NotApplicable(msg)
    return tuple(found)


def logits_from(model: Model, x: Tensor, known: Sequence[Entry], values: Sequence[Tensor]) -> Tensor:
    """Logits (M, C) when the entries `known` hold `values` (M, ...) instead; `x` (M, ...) says what is padding."""
    embedded = [(e, v) for e, v in zip(known, values, strict=True) if e.place is not None]
    given = iter(embedded)

    def enter(output: Tensor, _: Tensor) -> Tensor:
        entry, value = next(given)
        placed = value.movedim(0, entry.axis)
        return placed[tuple(slice(0, n) for n in output.shape)]  # short texts are cut where all of them end

    own = next((v for e, v in zip(known, values, strict=True) if e.place is None), x)
    if not embedded:
        return model(own)
    with _Entering(own, enter):
        return model(own)


def gathered(x: Tensor, known: Sequence[Entry], parts: Sequence[Tensor]) -> Tensor:
    """One number an element of the input `x` (N, ...): the sum of the entries' parts, each shaped like its values."""
    total = torch.zeros(x.shape, dtype=parts[0].dtype)
    for entry, part in zip(known, parts, strict=True):
        own = part.detach().cpu()
        total += own if entry.place is None else scattered(own, entry.place, x.shape)
    return total


class _Entering(TorchFunctionMode):
    """While active, `enter(output, place)` gives what goes on in the place of an embedding of the input's numbers."""

    def __init__(self, x: Tensor, enter: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.places = Places(x)
        self.enter = enter

    def __torch_function__(
        self, func: Function, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        keywords, name = dict(kwargs or {}), plain_name(func)
        result: Any = func(*args, **keywords)
        if name == "embedding":
            place = next((p for a in (*args, *keywords.values()) if (p := self.places.of(a)) is not None), None)
            return result if place is None else self.enter(result, place)
        self.places.follow(name, func, args, keywords, result)
        return result


def _axis_of_samples(place: Tensor, x: Tensor) -> int:
    """The axis of `place` along which the samples of `x` (N, ...) lie; NotApplicable when they lie along none."""
    sample = torch.where(place < 0, -1, place // x[0].numel())
    for axis in range(place.ndim):
        if place.shape[axis] == len(x):
            rows = sample.movedim(axis, 0).flatten(1)
            if bool(((rows == torch.arange(len(x))[:, None]) | (rows < 0)).all()):
                return axis
    msg = "the embeddings of a sample lie in several rows of the batch"
    raise NotApplicable(msg)
