"""Between which values the elements of an input lie that a wrapper makes coarser."""

from __future__ import annotations

import torch
from torch import Tensor

from auditor.errors import NotApplicable
from auditor.subject import Data, Model

__all__ = ["ends_of", "is_picture", "need_numbers"]

BATCH = 64


def need_numbers(data: Data, what: str) -> None:
    """NotApplicable for texts, of which `what` has nothing to work on."""
    if data.texts is not None:
        msg = f"the inputs are texts; {what} is of numbers"
        raise NotApplicable(msg)


def is_picture(data: Data) -> bool:
    """Whether one input is a picture (C, H, W)."""
    return len(data.shape) == 3


def ends_of(model: Model, data: Data) -> tuple[list[float], list[float]]:
    """The lowest and the highest value of pictures, or of each element of a vector: the bounds, or those of `data`.

    Of a table only numbers have two: categories and flags stay as they are. NotApplicable where nothing has.
    """
    if len(data.shape) not in (1, 3):
        msg = f"inputs of shape {data.shape} are neither rows of numbers nor pictures: it is not known what is coarse"
        raise NotApplicable(msg)
    low, high = (torch.as_tensor(b, dtype=torch.float32).expand(data.shape) for b in model.bounds)
    if not bool((low.isfinite() & high.isfinite()).all()):
        low, high = _seen(data, low, high)
    if is_picture(data):
        return [float(low.min())], [float(high.max())]
    free = torch.as_tensor(model.unit).expand(data.shape) > 0
    if data.columns:
        free = torch.zeros(data.shape, dtype=torch.bool)
        for c in data.columns:
            free[c.start : c.stop] = c.kind == "number"
    if not bool((free & (low < high)).any()):
        msg = "no element of the input is a number that varies: nothing can be made coarser"
        raise NotApplicable(msg)
    return [torch.where(free, end, 0.0).flatten().tolist() for end in (low, high)]  # type: ignore[return-value]


def _seen(data: Data, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    ends = [(b.x.amin(0), b.x.amax(0)) for b in data.batches(BATCH)]
    least, most = torch.stack([e[0] for e in ends]).amin(0), torch.stack([e[1] for e in ends]).amax(0)
    return torch.where(low.isfinite(), low, least), torch.where(high.isfinite(), high, most)
