"""What a model gives out, by looking: how many outputs, logits or probabilities, and whether they are numbers."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from auditor.errors import LoadError, one_line
from auditor.subject import Data, Model, Output

__all__ = ["first_outputs", "settle"]

ROWS = 64
CLOSE = 1e-4


def first_outputs(model: Model, data: Data) -> Tensor:
    """What the module returns for the first rows; LoadError when it cannot take them, or gives NaN or infinity."""
    x = next(data.batches(ROWS)).x
    if not bool(x.isfinite().all()):
        msg = "the inputs hold NaN or infinity; an audit needs finite inputs"
        raise LoadError(msg)
    try:
        with torch.no_grad(), model.frozen():
            y = model.raw(x).cpu()
    except LoadError:
        raise
    except (Exception, SystemExit) as e:  # noqa: BLE001 - the model is somebody else's program
        hint = "; export it for batches of any size (dynamic_shapes)" if "Guard failed" in str(e) else ""
        said = f"{type(e).__name__}: {one_line(str(e), 200)}"
        msg = f"the model cannot take inputs of shape {tuple(x.shape)}: {said}{hint}"
        raise LoadError(msg) from None
    need_finite(y)
    return y


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
    y = first_outputs(model, data)
    outputs = 1 if y.ndim == 1 else y.shape[1]
    if model.output == "value":
        if outputs != 1:
            msg = f"output = 'value' needs one output a sample; the model gives {outputs}"
            raise LoadError(msg)
        return model, ()
    named = len(model.classes)
    if max(outputs, 2) != named:
        msg = f"the model gives {outputs} outputs, which means {max(outputs, 2)} classes; {named} are named"
        raise LoadError(msg)
    seen = _kind(y.reshape(len(y), outputs), model.output)
    if seen == model.output:
        return model, ()
    caveat = f"output = {model.output!r} was declared, but the model gives {seen}; it was audited as giving {seen}."
    return replace(model, output=seen), (caveat,)


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
