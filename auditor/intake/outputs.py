"""What a model takes and gives, by looking: how many samples at once, where its outputs are, of what kind, how many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from auditor.errors import LoadError, reason
from auditor.feeds import InOrder, Packed, Tokens, arguments_of, channels_last
from auditor.subject import Data, Model, Output, as_it_is

__all__ = ["first_outputs", "settle"]

ROWS = 64
CLOSE = 1e-4
BATCHES = (*range(1, 17), 20, 24, 32, 48, 50, 64, 96, 100, 128, 200, 256)  # what programs are made with of one size
NAMED = ("logits", "out", "output", "scores")


def first_outputs(model: Model, data: Data) -> tuple[Model, Tensor]:
    """The model as it must be driven, and what it returns for the first rows.

    LoadError when it cannot take them, when no output can be told for the logits, or for NaN or infinity.
    """
    x = next(data.batches(ROWS)).x
    if not bool(x.isfinite().all()):
        msg = "the inputs hold NaN or infinity; an audit needs finite inputs"
        raise LoadError(msg)
    with torch.no_grad(), model.frozen():
        model = _driven(model, x)
        y = model.raw(x).cpu()
    need_finite(y)
    return model, y


def _driven(model: Model, x: Tensor) -> Model:
    """The model with the part of its output that holds the logits, and the only batch size where it takes one only."""
    try:
        return replace(model, part=_part_of(model.returned(x), len(x)))
    except LoadError:
        raise
    except (Exception, SystemExit) as e:  # noqa: BLE001 - the model is somebody else's program
        if (other := _otherwise(model, x)) is not None:
            return other
        for size in BATCHES:
            rows = x[torch.arange(size) % len(x)]
            try:
                found = replace(model, batch=size, part=_part_of(model.returned(rows), size))
                found.raw(x)
            except (Exception, SystemExit):  # noqa: BLE001, S112 - as above: then it is another size, or none
                continue
            return found
        msg = f"the model cannot take inputs of shape {tuple(x.shape)}: {reason(e)}"
        raise LoadError(msg) from None


def _otherwise(model: Model, x: Tensor) -> Model | None:
    """The model driven with (N, H, W, C), or with its arguments by position, where it takes these; else None."""
    if x.ndim == 4 and model.feed is as_it_is:
        other = replace(model, feed=channels_last)
    elif isinstance(model.feed, (Tokens, Packed)):
        other = replace(model, feed=InOrder(model.feed, arguments_of(model.module)))
    else:
        return None
    try:
        found = replace(other, part=_part_of(other.returned(x), len(x)))
        found.raw(x)
    except (Exception, SystemExit):  # noqa: BLE001 - as above
        return None
    return found


def _part_of(returned: Any, n: int) -> str | int | None:
    """Where the logits stand in what a module returned for `n` samples; LoadError where that cannot be told."""
    if isinstance(returned, Tensor) or not isinstance(returned, (tuple, list, Mapping)):
        return None
    pairs = returned.items() if isinstance(returned, Mapping) else enumerate(returned)
    fits = [k for k, v in pairs if isinstance(v, Tensor) and v.ndim in (1, 2) and len(v) == n]
    named = [k for k in NAMED if k in fits]
    if named or len(fits) == 1:
        return (named or fits)[0]
    if fits and not isinstance(returned, Mapping):
        return fits[0]  # by custom the first; others are auxiliary
    kind = type(returned).__name__
    msg = f"the model returns {kind} with {_listed(fits)} that could be the logits; call one 'logits'"
    raise LoadError(msg)


def _listed(keys: Sequence[object]) -> str:
    return f"{len(keys)} outputs ({', '.join(map(str, keys[:5]))})" if keys else "no output"


def need_finite(y: Tensor) -> None:
    """LoadError when there is NaN or infinity among the outputs."""
    broken = int((~y.isfinite()).flatten(1).any(1).sum()) if y.ndim > 1 else int((~y.isfinite()).sum())
    if broken:
        msg = f"the model gives NaN or infinity for {broken} of {len(y)} samples; an audit needs finite outputs"
        raise LoadError(msg)


def settle(model: Model, data: Data) -> tuple[Model, tuple[str, ...]]:
    """The model with its output kind as it was seen, and a caveat where that contradicts what was declared.

    LoadError when the number of outputs does not fit the classes.
    """
    model, y = first_outputs(model, data)
    caveats = _how_driven(model)
    outputs = 1 if y.ndim == 1 else y.shape[1]
    if model.output == "value":
        if outputs != 1:
            msg = f"output = 'value' needs one output a sample; the model gives {outputs}"
            raise LoadError(msg)
        return model, caveats
    named = len(model.classes)
    if max(outputs, 2) != named:
        msg = f"the model gives {outputs} outputs, which means {max(outputs, 2)} classes; {named} are named"
        raise LoadError(msg)
    seen = _kind(y.reshape(len(y), outputs), model.output)
    if seen == model.output:
        return model, caveats
    caveat = f"output = {model.output!r} was declared, but the model gives {seen}; it was audited as giving {seen}."
    return replace(model, output=seen), (*caveats, caveat)


def _how_driven(model: Model) -> tuple[str, ...]:
    found = []
    if model.part not in (None, "logits"):
        found.append(f"The model returns several things; its output {model.part!r} was audited.")
    if model.batch is not None:
        found.append(f"The model takes {model.batch} rows at once and no other number; it was driven so.")
    if model.rejects:
        found.append(
            f"The model may answer {model.classes[-1]!r}, its last class, where it does not answer: no row is of that "
            "class, so that what it rejects counts as wrong."
        )
    if model.feed is channels_last:
        found.append("The model takes images with the channels last (N, H, W, C); it was driven so.")
    return tuple(found)


def _kind(y: Tensor, declared: Output) -> Output:
    """Logits or probabilities: what rows that sum to 1, or values outside [0, 1], leave no choice about.

    One output inside [0, 1] could be either. As logits they would all mean the positive class, so values on both sides
    of one half are taken as probabilities.
    """
    inside = bool(((y >= 0) & (y <= 1 + CLOSE)).all())
    if y.shape[1] > 1:
        sums = inside and bool(((y.sum(1) - 1).abs() <= CLOSE).all())
        return "probabilities" if sums else "logits"
    if not inside:
        return "logits"
    return "probabilities" if declared == "probabilities" or bool((y < 0.5).any()) else declared
