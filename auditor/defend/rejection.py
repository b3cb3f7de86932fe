"""Detection of adversarial inputs, which are rejected."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from auditor.errors import NotApplicable
from auditor.intake.outputs import settle
from auditor.subject import Data, Model
from auditor.training.watch import Watch
from auditor.wrapped.behind import need_classes
from auditor.wrapped.ends import ends_of, is_picture, need_numbers
from auditor.wrapped.feature_squeezing import within
from auditor.wrapped.rejection import Rejecting
from auditor.wrapped.wrapping import Wrapping, wrapped

__all__ = ["rejection"]

BATCH = 64
Share = Annotated[float, Field(ge=0, lt=1)]


def rejection(
    model: Model,
    data: Data,
    seed: int,  # noqa: ARG001 - nothing is drawn
    watch: Watch = Watch(),  # noqa: B008 - frozen
    *,
    rejected: Share = 0.05,
    median: bool = True,
) -> Wrapping:
    """A wrapper that gives no answer where the softmax moves far when the input is made coarser.

    Xu et al. 2018, arXiv:1704.01155, section V: the largest L1 distance over 4 and 5 bits and, of pictures, the median
    of 2 x 2 pixels, unless `median` is false: where it leaves little of small pictures, nothing stands out. How far is
    far is found on the rows of `data`, of which at most a share of `rejected` lies beyond.
    Nothing is trained, so that it also fits programs. An attack that knows of it goes around it (Tramer et al. 2020,
    arXiv:2002.08347): the audit's attacks do. NotApplicable for texts and for models that return a value.
    """
    need_numbers(data, "rejection by feature squeezing")
    need_classes(model, "rejection")
    (low, high), median = ends_of(model, data), median and is_picture(data)
    model, _ = settle(model, data)
    apart = _distances(model, Rejecting(model, within(tuple(low), tuple(high)), median=median), data)
    threshold = float(apart.sort(descending=True).values[int(rejected * len(apart))])
    found = Wrapping("rejection", {"threshold": threshold, "median": median, "low": low, "high": high})
    wrapped(model, found)  # what cannot stand around this model is refused here
    watch.on_epoch(1, 1)
    return found


def _distances(model: Model, detector: Rejecting, data: Data) -> Tensor:
    """How far the softmax of each row moves; of rows that the model answers."""
    with torch.no_grad(), model.frozen():
        found = torch.cat([detector.apart(b.x.to(model.device), model(b.x)).cpu() for b in data.batches(BATCH)])
    known = found[found.isfinite()]
    if not len(known):
        msg = "the model has no finite answer for any reference row, so that no threshold can be found"
        raise NotApplicable(msg)
    return known
