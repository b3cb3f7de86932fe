"""Where the input enters a network as numbers that gradients can be taken to: its own, or embeddings of its ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from auditor.errors import NotApplicable
from auditor.explain.followed import followed
from auditor.explain.look_ups import Entering
from auditor.explain.passes import gradients_of, need_gradient
from auditor.explain.places import scattered
from auditor.subject import Model

__all__ = ["Entry", "enterable", "entries", "gathered", "gradients_at", "logits_from", "movable"]

OTHERWISE = "the network embeds some inputs otherwise than others, so that their paths cannot be followed"


@dataclass(frozen=True)
class Entry:
    """One tensor by which N samples enter: `values` (N, ...), the samples along its first axis.

    `place` (N, ...) are the positions in the input of what was embedded, None for the input itself; -1 where nothing of
    the input was. `axis` is where the network has the samples.
    """

    values: Tensor
    place: Tensor | None = None
    axis: int = 0

    def at(self, rows: Tensor, width: int) -> Entry:
        """The entry of the samples `rows` (positions) alone, of inputs with `width` elements each."""
        if self.place is None:
            return replace(self, values=self.values[rows])
        place = self.place[rows]
        first = (torch.arange(len(rows)) * width).view(-1, *[1] * (place.ndim - 1))
        return replace(self, values=self.values[rows], place=torch.where(place < 0, -1, place % width + first))


# ---- finding them ------------------------------------------------------------------------------------------------
def enterable(model: Model, x: Tensor) -> Model:
    """The model as `entries` can look into it: a program that embeds parts of the input (N, ...) is followed.

    NotApplicable when such a program cannot be followed.
    """
    try:
        shown = followed(model, x)
    except NotApplicable:
        if x.is_floating_point():
            return model
        raise
    embeds = shown is not model and any(e.place is not None for e in entries(shown, x))
    return shown if embeds else model


def entries(model: Model, x: Tensor) -> tuple[Entry, ...]:
    """The entries of inputs (N, ...): the input itself where it is of floats, then every embedding of its numbers.

    Embeddings are the rows of a table of weights that the network looks up by elements of the input, in the order in
    which it does; of positions and the like, which are no elements of the input, nothing is said. NotApplicable when
    the input is of whole numbers and is embedded nowhere.
    """
    parts = [_entries(*run) for run in _runs(model, x.clone())]  # a copy, since some models write into their input
    if len({len(p) for p in parts}) > 1:
        raise NotApplicable(OTHERWISE)
    width = x[0].numel()
    joined = (_joined(runs, width * (model.batch or len(x))) for runs in zip(*parts, strict=True))
    embedded = [e.at(torch.arange(len(x)), width) for e in joined]
    if x.is_floating_point():
        return (Entry(x.detach()), *embedded)
    if not embedded:
        msg = "the input is of whole numbers, and no embedding of them is found that gradients could be taken to"
        raise NotApplicable(msg)
    return tuple(embedded)


def _entries(model: Model, x: Tensor) -> list[Entry]:
    found: list[Entry] = []

    def note(output: Tensor, place: Tensor) -> Tensor:
        axis = _axis_of_samples(place, x)
        found.append(Entry(output.detach().movedim(axis, 0), place.movedim(axis, 0), axis))
        return output

    with torch.no_grad(), Entering(x, note):
        model(x)
    return found


def movable(x: Tensor, known: Sequence[Entry]) -> list[Tensor]:
    """For each entry whether its values may be others (N, ...), as a mask that its values can be multiplied with.

    Not those of padding (numbers below 0 of an input of whole numbers), nor an input's elements that are embedded:
    their embedding moves instead.
    """
    free = torch.ones(x.numel(), dtype=torch.bool)
    if not x.is_floating_point():
        free &= x.flatten().cpu() >= 0
        return [_of_places(free, e) for e in known]
    embedded = free.clone()
    for e in known:
        if e.place is not None:
            embedded[e.place[e.place >= 0]] = False
    return [embedded.view(x.shape) if e.place is None else _of_places(free, e) for e in known]


def _of_places(free: Tensor, entry: Entry) -> Tensor:
    assert entry.place is not None  # noqa: S101 - the caller looked
    mask = free[entry.place.clamp_min(0)] & (entry.place >= 0)
    return mask.view(*mask.shape, *[1] * (entry.values.ndim - mask.ndim))


# ---- entering by them --------------------------------------------------------------------------------------------
def logits_from(model: Model, x: Tensor, known: Sequence[Entry], values: Sequence[Tensor]) -> Tensor:
    """Logits (M, C) when the entries `known` hold `values` (M, ...) instead; `x` (M, ...) says what is padding."""
    own = next((v for e, v in zip(known, values, strict=True) if e.place is None), x)
    embedded = [(e, v) for e, v in zip(known, values, strict=True) if e.place is not None]
    if not embedded:
        return model(own)
    parts = [
        _logits(one, rows, [(e.axis, v) for (e, _), v in zip(embedded, held, strict=True)])
        for one, rows, *held in _runs(model, own, *(v for _, v in embedded))
    ]
    return torch.cat(parts)[: len(x)]


def _logits(model: Model, x: Tensor, embedded: Sequence[tuple[int, Tensor]]) -> Tensor:
    given = list(reversed(embedded))

    def enter(output: Tensor, place: Tensor) -> Tensor:
        del place  # the same as when it was noted
        if not given:
            raise NotApplicable(OTHERWISE)
        axis, value = given.pop()
        placed = value.movedim(0, axis).to(output.device, output.dtype)
        return placed[tuple(slice(0, n) for n in output.shape)]  # short texts are cut where all of them end

    with Entering(x, enter):
        logits = model(x)
    if given:
        raise NotApplicable(OTHERWISE)
    return logits


def gradients_at(
    model: Model, x: Tensor, target: Tensor, known: Sequence[Entry], values: Sequence[Tensor], *, half: bool
) -> tuple[Tensor, list[Tensor]]:
    """The logits (M,) of class `target` (M,), and their gradients to the entries' `values` (M, ...).

    One forward and one backward pass of M samples; `half` as `gradients_of` says. NotApplicable for a model without
    gradients.
    """
    leaves = [v.detach().to(model.device).requires_grad_() for v in values]
    with torch.enable_grad():
        logits = logits_from(model, x, known, [v.clone() for v in leaves])  # some models write into their input
        logit = logits.reshape(len(x), -1).gather(1, target.to(logits.device)[:, None])[:, 0]
        need_gradient(logit)
        gradients = gradients_of(logit, leaves, half=half)
    return logit.detach().cpu(), [g.cpu() for g in gradients]


def gathered(x: Tensor, known: Sequence[Entry], parts: Sequence[Tensor]) -> Tensor:
    """One number an element of the input `x` (N, ...): the sum of the entries' parts, each shaped like its values."""
    total = torch.zeros(x.shape, dtype=parts[0].dtype)
    for entry, part in zip(known, parts, strict=True):
        own = part.detach().cpu()
        total += own if entry.place is None else scattered(own, entry.place, x.shape)
    return total


# ---- samples and runs ---------------------------------------------------------------------------------------------
def _runs(model: Model, *given: Tensor) -> list[tuple[Any, ...]]:
    """The model and tensors (N, ...) as it takes them in one run each; the last row again, to fill the last one."""
    if model.batch is None:
        return [(model, *given)]
    size, missing = model.batch, -len(given[0]) % model.batch
    one = replace(model, batch=None)
    whole = [torch.cat([t, t[-1:].expand(missing, *t.shape[1:])]) for t in given]
    return [(one, *parts) for parts in zip(*(t.split(size) for t in whole), strict=True)]


def _joined(parts: Sequence[Entry], width: int) -> Entry:
    """Entries of consecutive runs as one; `width` is how many elements of the input a run has. Cut texts are filled."""
    if len(parts) == 1:
        return parts[0]
    places, values = [], []
    for i, part in enumerate(parts):
        assert part.place is not None  # noqa: S101 - the input itself is of no run
        places.append(torch.where(part.place < 0, -1, part.place + i * width))
        values.append(part.values)
    return Entry(_filled(values, 0), _filled(places, -1).long(), parts[0].axis)


def _filled(parts: Sequence[Tensor], value: float) -> Tensor:
    """Tensors (n, ...) joined along their samples, each as long as the longest along the rest."""
    shape = [max(lengths) for lengths in zip(*(p.shape[1:] for p in parts), strict=True)]
    whole = []
    for p in parts:
        missing = [m for n, most in reversed(list(zip(p.shape[1:], shape, strict=True))) for m in (0, most - n)]
        whole.append(functional.pad(p, missing, value=value))
    return torch.cat(whole)


def _axis_of_samples(place: Tensor, x: Tensor) -> int:
    """The axis of `place` along which the samples of `x` (N, ...) lie; NotApplicable when they lie along none."""
    sample = torch.where(place < 0, -1, place // x[0].numel())
    for axis in range(place.ndim):
        if place.shape[axis] == len(x):
            rows = sample.movedim(axis, 0).reshape(len(x), -1)
            if bool(((rows == torch.arange(len(x))[:, None]) | (rows < 0)).all()):
                return axis
    msg = "the embeddings of a sample lie in several rows of the batch"
    raise NotApplicable(msg)
